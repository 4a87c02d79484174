/**
 * Comments on lines of a change: collected where they are, kept by this browser until they are sent as one prompt. What is being
 * written is kept like what is finished, so that a reload loses neither.
 */

import { createContext, useContext, useSyncExternalStore } from 'react';
import { words } from '../text/english';
import { visible } from '../text/visible';
import { readStorage, writeStorage } from '../ui/hooks';
import type { Row } from './patch';

/** In one session. */
export const MOST_COMMENTS = 100;
/** Characters of one, and of the line that it is about. */
export const LONGEST_COMMENT = 4_000;
const LONGEST_QUOTE = 300;

export interface LineComment {
  id: number;
  path: string;
  /** Which of the two texts the line is in. */
  side: 'old' | 'new';
  line: number;
  quoted: string;
  text: string;
  /** It is being written. */
  open: boolean;
}

const NONE: readonly LineComment[] = [];

export class CommentStore {
  readonly #key: string;
  readonly #storage: Storage;
  #all: readonly LineComment[];
  #byPath = new Map<string, readonly LineComment[]>();
  #listeners = new Set<() => void>();

  constructor(session: string, storage: Storage = localStorage) {
    this.#key = `lamplight.comments.${session}`;
    this.#storage = storage;
    this.#all = read(readStorage(storage, this.#key));
    this.#sort();
  }

  all = (): readonly LineComment[] => this.#all;
  of = (path: string): readonly LineComment[] => this.#byPath.get(path) ?? NONE;

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Begins one on this line; false when there are too many. */
  begin(path: string, row: Row): boolean {
    if (this.#all.length >= MOST_COMMENTS) return false;
    const id = Math.max(0, ...this.#all.map((comment) => comment.id)) + 1;
    this.#become([...this.#all, { id, path, ...placeOf(row), quoted: quote(row.text), text: '', open: true }]);
    return true;
  }

  change(id: number, change: Partial<Pick<LineComment, 'text' | 'open'>>): void {
    this.#become(this.#all.map((comment) => (comment.id === id ? { ...comment, ...change } : comment)));
  }

  remove(id: number): void {
    this.#become(this.#all.filter((comment) => comment.id !== id));
  }

  clear(): void {
    this.#become(NONE);
  }

  #become(all: readonly LineComment[]): void {
    this.#all = all;
    this.#sort();
    writeStorage(this.#storage, this.#key, all.length > 0 ? JSON.stringify(all) : null);
    for (const listener of this.#listeners) listener();
  }

  /** Those of a file stay the very same list as long as nothing of it changes. */
  #sort(): void {
    const sorted = new Map<string, LineComment[]>();
    for (const comment of this.#all) sorted.set(comment.path, [...(sorted.get(comment.path) ?? []), comment]);
    const same = (a: readonly LineComment[], b: readonly LineComment[]) =>
      a.length === b.length && a.every((comment, place) => comment === b[place]);
    const before = this.#byPath;
    this.#byPath = new Map(
      Array.from(sorted, ([path, comments]) => {
        const known = before.get(path);
        return [path, known && same(known, comments) ? known : comments];
      }),
    );
  }
}

function read(stored: string | null): LineComment[] {
  try {
    const all = JSON.parse(stored ?? '[]') as LineComment[];
    return all.filter((one) => typeof one.path === 'string' && typeof one.text === 'string').slice(0, MOST_COMMENTS);
  } catch {
    return [];
  }
}

/** A line that is in both texts is called by its new number. */
export function placeOf(row: Row): Pick<LineComment, 'side' | 'line'> {
  return row.new === null ? { side: 'old', line: row.old ?? 0 } : { side: 'new', line: row.new };
}

/** Whether it is about this line; in another turn's change another line may have the number. */
export function isAbout(comment: LineComment, row: Row): boolean {
  const { side, line } = placeOf(row);
  return comment.side === side && comment.line === line && comment.quoted === quote(row.text);
}

function quote(text: string): string {
  return text.slice(0, LONGEST_QUOTE);
}

/** All finished ones as what is said to the agent. */
export function promptOf(comments: readonly LineComment[]): string {
  const said = comments
    .filter((comment) => comment.text.trim() !== '')
    .map(({ path, side, line, quoted, text }) => {
      // A name that could pass for something else is told as a string.
      const name = visible(path) === path && !path.includes('\n') ? path : JSON.stringify(path);
      const where = words.comments.where(name, line, side === 'old');
      return `${where}\n> ${quoted}\n${text.trim()}`;
    });
  if (said.length === 0) return '';
  return [words.comments.prompt(said.length), ...said].join('\n\n');
}

export const CommentContext = createContext<CommentStore | null>(null);

const silent = () => () => {};

/** The comments on one file; none where comments cannot be made. */
export function useCommentsOf(path: string): { store: CommentStore | null; comments: readonly LineComment[] } {
  const store = useContext(CommentContext);
  const comments = useSyncExternalStore(store?.subscribe ?? silent, () => store?.of(path) ?? NONE);
  return { store, comments };
}
