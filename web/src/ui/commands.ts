/** What can be done from where one is: each part of the page says what it can, and the palette lists it. */
import { useEffect, useRef } from 'react';

export interface PageCommand {
  /** Tells it from the others. */
  id: string;
  title: string;
  /** The keys that do the same, for people to learn. */
  keys?: string;
  run: () => void;
}

const offered = new Map<object, () => readonly PageCommand[]>();

/** Offers commands as long as the caller is shown. */
export function useCommands(commands: readonly PageCommand[]): void {
  const current = useRef(commands);
  useEffect(() => {
    current.current = commands;
  });
  useEffect(() => {
    const key = {};
    offered.set(key, () => current.current);
    return () => void offered.delete(key);
  }, []);
}

/** Those of the parts that came last are first: they are the nearest. */
export function allCommands(): PageCommand[] {
  return [...offered.values()].reverse().flatMap((commands) => commands());
}

/** How well a title answers what is typed: 0 not at all; words at the beginning of words count most, letters in order least. */
export function score(title: string, typed: string): number {
  const wanted = typed.trim().toLowerCase();
  const text = title.toLowerCase();
  if (wanted === '') return 1;
  if (text.startsWith(wanted)) return 4;
  const words = wanted.split(/\s+/);
  const begins = (word: string) => text.split(/[^\p{L}\p{N}]+/u).some((one) => one.startsWith(word));
  if (words.every(begins)) return 3;
  if (words.every((word) => text.includes(word))) return 2;
  let at = 0;
  for (const letter of wanted.replace(/\s/g, '')) {
    at = text.indexOf(letter, at) + 1;
    if (at === 0) return 0;
  }
  return 1;
}
