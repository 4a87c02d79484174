/** Which items of a timeline somebody looks for: by kind, or by words in them. */
import type { ToolContent } from '../api/events';
import { titleOf } from './facts';
import type { Item } from './items';

export type Filter = 'all' | 'talk' | 'tools' | 'problems' | 'commits';

export const FILTERS: readonly Filter[] = ['all', 'talk', 'tools', 'problems', 'commits'];

export function passes(filter: Filter, item: Item): boolean {
  switch (filter) {
    case 'all':
      return true;
    case 'talk':
      return ['prompt', 'message', 'plan', 'permission', 'question', 'ending'].includes(item.kind);
    case 'tools':
      return item.kind === 'tool';
    case 'problems':
      return isProblem(item);
    case 'commits':
      return ['commit', 'kept', 'merged'].includes(item.kind);
  }
}

function isProblem(item: Item): boolean {
  switch (item.kind) {
    case 'trouble':
    case 'guard':
      return true;
    case 'tool':
      return item.call.status === 'failed';
    case 'ending':
      return item.outcome.how === 'failed' || item.outcome.how === 'tripped';
    case 'setup':
      return item.failure !== null;
    case 'prompt':
    case 'message':
    case 'thought':
    case 'plan':
    case 'permission':
    case 'question':
    case 'commit':
    case 'kept':
    case 'merged':
    case 'note':
    case 'log':
      return false;
  }
}

/** The text as it stands, wherever it is, in any case; null for none. */
export function pattern(query: string, flags = 'i'): RegExp | null {
  const wanted = query.trim();
  return wanted === '' ? null : new RegExp(wanted.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'), flags);
}

/** Whether anything that the item shows, opened or not, has it. */
export function mentions(item: Item, wanted: RegExp): boolean {
  return textsOf(item).some((text) => wanted.test(text));
}

/** Items that only opening shows all of. */
export function isFolded(item: Item): boolean {
  return item.kind === 'tool' || item.kind === 'thought' || item.kind === 'log';
}

function textsOf(item: Item): string[] {
  switch (item.kind) {
    case 'prompt':
      return [item.text ?? '', item.by ?? ''];
    case 'message':
    case 'thought':
    case 'note':
    case 'log':
      return [item.text];
    case 'tool': {
      const { input, output, printed, content, locations } = item.call;
      return [
        titleOf(item.call),
        written(input),
        printed ?? '',
        written(output),
        ...(content ?? []).flatMap(contentTexts),
        ...(locations ?? []).map(({ path }) => path),
      ];
    }
    case 'plan':
      return item.entries.map(({ text }) => text);
    case 'permission':
      return [titleOf(item.call), written(item.call.input)];
    case 'question':
      return [item.question.message, written(item.question.fields), written(item.answer?.reply)];
    case 'setup':
      return [item.failure ?? ''];
    case 'trouble':
    case 'guard':
      return [item.detail];
    case 'ending':
      return [item.outcome.how === 'failed' ? item.outcome.failure.message : ''];
    case 'commit':
      return [item.commit?.id ?? ''];
    case 'kept':
      return [`checkpoint ${item.checkpoint}`];
    case 'merged':
      return [item.into, item.commit, item.by];
  }
}

function contentTexts(part: ToolContent): string[] {
  switch (part.show) {
    case 'text':
      return [part.text];
    case 'diff':
      return [part.path, part.old ?? '', part.new];
    case 'terminal':
      return [];
    case 'other':
      return [written(part.raw)];
  }
}

function written(value: unknown): string {
  return typeof value === 'string' ? value : value === undefined || value === null ? '' : JSON.stringify(value);
}

/** The place of the last item that begins at or before that entry; 0 when none does. */
export function placeOf(items: readonly Item[], seq: number): number {
  let [low, high] = [0, items.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((items[middle]?.seq ?? 0) <= seq) low = middle + 1;
    else high = middle;
  }
  return Math.max(0, low - 1);
}
