/**
 * From the log to what people see. Pure: the same entries give the same timeline, in one piece or in many, and an entry
 * that comes twice changes nothing. A log may be loaded from the middle; then what began earlier is shown as far as known,
 * and once the earlier entries arrive the whole is made again.
 */
import type { Entry } from '../api/events';
import type { SessionView } from '../api/types';
import { Draft } from './draft';
import { applyFact } from './facts';
import { EMPTY, startsCall, type Timeline } from './timeline';

/** `entries` in order of seq. Those at or below `timeline.last` are dropped. */
export function reduce(timeline: Timeline, entries: readonly Entry[]): Timeline {
  const fresh = entries.filter((entry) => entry.seq > timeline.last);
  if (fresh.length === 0) return timeline;
  const draft = new Draft(timeline);
  let last = timeline.last;
  for (const entry of fresh) {
    if (entry.seq <= last) continue;
    last = entry.seq;
    draft.apply(entry);
  }
  return draft.t;
}

/**
 * The whole again, from a snapshot and all loaded entries: after older entries came. Items of `previous` that say the
 * same are used again, so that what is already shown need not be drawn again.
 */
export function rebuild(facts: SessionView | null, entries: readonly Entry[], previous: Timeline = EMPTY): Timeline {
  return reusing(previous, reduce({ ...EMPTY, facts }, entries));
}

/** Entries that are taken before the page may draw again: some 5 ms of work. */
const PIECE = 2_000;

/**
 * `rebuild` of a long log, with pauses in which the page stays alive. `entries` may grow at their end meanwhile, and
 * `previous` is asked for at the end: it has to have all of them. Null when `isOver` says that nobody wants it any more.
 */
export async function rebuildInPieces(
  entries: readonly Entry[],
  previous: () => Timeline,
  isOver: () => boolean,
): Promise<Timeline | null> {
  // The header is not made of these: `previous` has the newest.
  const draft = new Draft({ ...EMPTY, facts: null });
  for (let next = 0; next < entries.length; next += 1) {
    if (next % PIECE === PIECE - 1) {
      await pause();
      if (isOver()) return null;
    }
    draft.apply(entries[next] as Entry);
  }
  const shown = previous();
  return { ...reusing(shown, draft.t), facts: shown.facts };
}

/** Lets go of the thread, so that the page can draw; unlike timers, also on a page in the background. */
export function pause(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

function reusing(previous: Timeline, whole: Timeline): Timeline {
  if (previous.items.length === 0) return whole;
  const before = new Map(previous.items.map((item) => [item.key, item]));
  const items = whole.items.map((item) => {
    const known = before.get(item.key);
    return known && saysTheSame(known, item) ? known : item;
  });
  return { ...whole, items };
}

/** Compared two levels deep: below that, both hold the very values that the entries brought. */
function saysTheSame(a: object, b: object, depth = 2): boolean {
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => {
    const [x, y] = [a[key as keyof typeof a] as unknown, b[key as keyof typeof b] as unknown];
    if (x === y) return true;
    const deeper = depth > 1 && typeof x === 'object' && typeof y === 'object' && x !== null && y !== null;
    return deeper && saysTheSame(x, y, depth - 1);
  });
}

/** The same timeline under a newer header; of `entries`, those that the snapshot does not contain are applied to it. */
export function withSnapshot(timeline: Timeline, snapshot: SessionView, entries: readonly Entry[]): Timeline {
  let from = entries.length;
  while (from > 0 && (entries[from - 1]?.seq ?? 0) > snapshot.last_seq) from -= 1;
  let facts = snapshot;
  for (const entry of entries.slice(from)) {
    if (entry.seq <= timeline.last) facts = applyFact(facts, entry, startsCall(timeline, entry));
  }
  return { ...timeline, facts };
}
