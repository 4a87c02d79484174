/** A session's timeline: what is shown, and what is needed to go on from here. */
import type { Entry, ToolCall } from '../api/events';
import type { SessionView } from '../api/types';
import type { Item, Said } from './items';

export interface Timeline {
  /** The header, or null before the first snapshot from the server. */
  facts: SessionView | null;
  items: readonly Item[];
  /** Seq of the first and last entry in here; 0 when there is none. */
  first: number;
  last: number;
  /** When the last entry was logged, in ms. */
  lastAt: number;
  /** Tool calls of each turn, counted once per call. */
  steps: ReadonlyMap<number, number>;
  /** Places in `items`: of tool calls, prompts, permission requests and plans, by a name of their own. */
  places: ReadonlyMap<string, number>;
  turns: ReadonlyMap<number, { startedAt: number; place: number }>;
  waiting: ReadonlyMap<string, Said>;
  /** The turn that runs, as far as the loaded entries tell. */
  running: number | null;
  /** The last turn that ended; what still comes of it does not make it run again. */
  ended: number;
  /** Somebody or something is ending that turn, so that the agent's going is no trouble. */
  stopping: boolean;
  /** Place of the message or thought that the next piece of text continues. */
  open: number | null;
  /** Place of the log item that the next line continues. */
  openLog: number | null;
  setup: number | null;
  /** Seq of the last commit and of the last merge; 0 when there is none. */
  committedAt: number;
  mergedAt: number;
}

export const EMPTY: Timeline = {
  facts: null,
  items: [],
  first: 0,
  last: 0,
  lastAt: 0,
  steps: new Map(),
  places: new Map(),
  turns: new Map(),
  waiting: new Map(),
  running: null,
  ended: 0,
  stopping: false,
  open: null,
  openLog: null,
  setup: null,
  committedAt: 0,
  mergedAt: 0,
};

/** Whether this entry is the first of its tool call. */
export function startsCall({ places, items }: Pick<Timeline, 'places' | 'items'>, { event, seq }: Entry): boolean {
  if (event.type !== 'tool_called') return false;
  const place = places.get(callName(event.turn, event.call));
  return place !== undefined && items[place]?.seq === seq;
}

/** The name of a tool call among `places`. */
export function callName(turn: number, call: ToolCall): string {
  return `tool:${turn}:${call.id}`;
}
