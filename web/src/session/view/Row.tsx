/** One item of the timeline in its place, with the time that links to it. */
import { type MouseEvent, memo } from 'react';
import { words } from '../../text/english';
import { clock, exactTime } from '../../text/format';
import type { Item } from '../items';
import type { Actions } from './actions';
import { ItemView } from './Items';

interface RowProps {
  item: Item;
  index: number;
  before: Item | undefined;
  /** The one that somebody looks for. */
  marked: boolean;
  measure: (element: HTMLElement | null) => void;
  link: (seq: number) => void;
  actions: Actions;
}

export const Row = memo(function Row({ item, index, before, marked, measure, link, actions }: RowProps) {
  const gap = before === undefined ? '' : isQuiet(item) && isQuiet(before) ? 'pt-px' : 'pt-3';
  const onClick = (event: MouseEvent) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    link(item.seq);
  };
  return (
    <div
      ref={measure}
      id={item.key}
      data-index={index}
      data-kind={item.kind}
      data-marked={marked ? '' : undefined}
      className={`group/row absolute inset-x-0 px-3 sm:px-6 ${gap}`}
    >
      <a
        href={`?at=${item.seq}`}
        onClick={onClick}
        className="stamp"
        aria-label={words.log.linkTo(clock(item.at), item.seq)}
        title={exactTime(item.at)}
      >
        {clock(item.at)}
      </a>
      <div className={marked ? 'rounded-lg ring-2 ring-lamp-fill/60 ring-offset-2 ring-offset-ground' : ''}>
        <ItemView item={item} actions={actions} />
      </div>
    </div>
  );
});

/** Items that stand close together, so that a run of them reads as one. */
function isQuiet(item: Item): boolean {
  return ['tool', 'thought', 'note', 'log', 'setup', 'kept'].includes(item.kind);
}

/** Characters in a line of a message, and the height of one, in px. */
const LINE_CHARACTERS = 95;
const LINE_PX = 24;

/** In px, until it is measured; near enough that the scroll bar hardly moves. */
export function guessedHeight(item: Item | undefined): number {
  switch (item?.kind) {
    case 'message':
      return 14 + LINE_PX * lines(item.text);
    case 'prompt':
      return 70 + LINE_PX * lines(item.text ?? '');
    case 'plan':
      return 52 + 22 * item.entries.length;
    case 'permission':
    case 'question':
    case 'trouble':
    case 'guard':
      return 120;
    case 'commit':
    case 'merged':
      return 52;
    case 'ending':
      return item.outcome.how === 'failed' ? 160 : 36;
    case 'tool':
    case 'thought':
    case 'setup':
    case 'kept':
    case 'note':
    case 'log':
    case undefined:
      return 29;
  }
}

function lines(text: string): number {
  return Math.ceil(text.length / LINE_CHARACTERS) + (text.match(/\n/g)?.length ?? 0);
}
