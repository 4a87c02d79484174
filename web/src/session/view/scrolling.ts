/** How the log is scrolled: what of it is on the page, following its newest entry, and holding on to what is read. */
import { useVirtualizer, type Virtualizer } from '@tanstack/react-virtual';
import { type RefObject, useCallback, useEffect, useLayoutEffect, useRef, useState } from 'react';
import { placeOf } from '../find';
import type { Item } from '../items';
import { useSession, useStore } from './context';
import { guessedHeight } from './Row';

/** How near to the end counts as being there. */
const NEAR_END_PX = 60;
/** How early older entries are fetched. */
const EARLY_PX = 2_500;
/** Items beyond the window on each side. */
const OVERSCAN = 8;

export type List = ReturnType<typeof useVirtualizer<HTMLElement, Element>>;

/** Only what is near the window is on the page. */
export function useList(items: readonly Item[], scroller: RefObject<HTMLElement | null>): List {
  return useVirtualizer({
    count: items.length,
    getScrollElement: () => scroller.current,
    estimateSize: (place) => guessedHeight(items[place]),
    getItemKey: useCallback((place: number) => items[place]?.key ?? place, [items]),
    anchorTo: 'end',
    followOnAppend: true,
    scrollEndThreshold: NEAR_END_PX,
    measureElement: measured,
    overscan: OVERSCAN,
    paddingStart: 16,
    paddingEnd: 32,
    directDomUpdates: true,
    directDomUpdatesMode: 'position',
  });
}

/**
 * The height of a row as the browser's observer tells it, before anything is drawn. Until then it is the one that is known or
 * guessed: asking each new row would have the browser lay out the page for each of them.
 */
function measured(
  row: Element,
  told: ResizeObserverEntry | undefined,
  list: Virtualizer<HTMLElement, Element>,
): number {
  const size = told?.borderBoxSize[0]?.blockSize;
  if (size !== undefined) return Math.round(size);
  return list.measurementsCache[list.indexFromElement(row)]?.size ?? (row as HTMLElement).offsetHeight;
}

export interface Following {
  /** Whether the newest entry is followed, for whoever must not wait for the next drawing. */
  now: RefObject<boolean>;
  /** Somebody went elsewhere. */
  away: boolean;
  follow: (yes: boolean) => void;
  toEnd: () => void;
  onScroll: () => void;
}

/** Follows the newest entry until somebody goes up; `starts` says whether it opens there, `filter` what kinds are shown. */
export function useFollowing(
  list: List,
  scroller: RefObject<HTMLElement | null>,
  starts: boolean,
  filter: string,
): Following {
  const now = useRef(true);
  const [away, setAway] = useState(false);
  const follow = useCallback((yes: boolean) => {
    now.current = yes;
    setAway(!yes);
  }, []);
  const toEnd = useCallback(() => {
    follow(true);
    list.scrollToEnd();
  }, [follow, list]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: once
  useLayoutEffect(() => {
    if (starts) list.scrollToEnd();
  }, []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: when other kinds are shown
  useLayoutEffect(() => {
    if (now.current) list.scrollToEnd();
  }, [filter]);
  // Whatever makes the window smaller: a keyboard on a phone, a longer prompt.
  useLayoutEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const observer = new ResizeObserver(() => {
      if (now.current) list.scrollToEnd();
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [list, scroller]);
  // Going up ends following, coming to the end begins it; growth alone does neither.
  const top = useRef(0);
  const onScroll = () => {
    const element = scroller.current;
    if (!element) return;
    const up = element.scrollTop < top.current;
    top.current = element.scrollTop;
    if (element.scrollHeight - element.scrollTop - element.clientHeight < NEAR_END_PX) follow(true);
    else if (up) follow(false);
  };
  return { now, away, follow, toEnd, onScroll };
}

/** Goes to the item that has an entry, and stays there until whoever reads scrolls. */
export type GoTo = (seq: number, align: 'center' | 'start') => void;

/** What whoever reads scrolls with. */
const GESTURES = ['wheel', 'touchstart', 'pointerdown', 'keydown'] as const;

/**
 * Older entries go in above what is read. The list holds on to the item at the top of the window; where that one was the
 * beginning of what was loaded it may now be part of another, and then the next one is held on to. What was gone to is gone to
 * again: the list is still on its way to a place in the items, which is now another item's.
 */
export function useHeldPlace(
  list: List,
  items: readonly Item[],
  scroller: RefObject<HTMLElement | null>,
  { now, follow }: Following,
): GoTo {
  const rows = list.getVirtualItems();
  const before = useRef<{ first?: string; offset: number; rows: typeof rows }>({ offset: 0, rows: [] });
  const here = useRef(items);
  const goal = useRef<{ seq: number; align: 'center' | 'start'; place: number } | null>(null);
  const goTo: GoTo = useCallback(
    (seq, align) => {
      const place = placeOf(here.current, seq);
      follow(false);
      goal.current = { seq, align, place };
      list.scrollToIndex(place, { align });
    },
    [follow, list],
  );
  useEffect(() => {
    const element = scroller.current;
    const forget = () => {
      goal.current = null;
    };
    for (const gesture of GESTURES) element?.addEventListener(gesture, forget, { passive: true });
    return () => {
      for (const gesture of GESTURES) element?.removeEventListener(gesture, forget);
    };
  }, [scroller]);
  useLayoutEffect(() => {
    const was = before.current;
    const offset = list.scrollOffset ?? 0;
    before.current = { first: items[0]?.key ?? '', offset, rows };
    here.current = items;
    if (now.current) {
      goal.current = null;
      return;
    }
    if (goal.current) {
      const { seq, align, place } = goal.current;
      if (placeOf(items, seq) !== place) goTo(seq, align);
      return;
    }
    if (!was.first || was.first === items[0]?.key) return;
    const read = was.rows.filter((row) => row.end > was.offset);
    const places = new Map(items.map(({ key }, place) => [key as unknown, place]));
    const kept = read.find((row) => places.has(row.key));
    if (!kept || kept === read[0]) return;
    const [start] = list.getOffsetForIndex(places.get(kept.key) ?? 0, 'start') ?? [0];
    list.scrollToOffset(start - (kept.start - was.offset));
  });
  return goTo;
}

/** Fetches older entries on the way up, for a window that is not full, and while something is looked for. */
export function useOlder(list: List, away: boolean, asked: boolean): void {
  const store = useStore();
  const older = useSession((state) => state.older);
  useEffect(() => {
    store.followsEnd = !away && !asked;
  }, [store, away, asked]);
  const atTop = (list.scrollOffset ?? 0) < EARLY_PX && away;
  const notFull = list.getTotalSize() < (list.scrollRect?.height ?? 0);
  useEffect(() => {
    if (older === 'more' && (atTop || notFull || asked)) void store.loadOlder();
  }, [older, atTop, notFull, asked, store]);
}

/** The turn that is read: that of the first entry in the window, as far as the loaded ones tell. */
export function useReadTurn(list: List, items: readonly Item[]): number {
  const first = list.getVirtualItems().find((row) => row.end > (list.scrollOffset ?? 0));
  const seq = items[first?.index ?? 0]?.seq ?? 0;
  return useSession(({ timeline }) => {
    let turn = 0;
    for (const [number, { place }] of timeline.turns) {
      if ((timeline.items[place]?.seq ?? 0) <= seq && number > turn) turn = number;
    }
    // Loaded from its middle, a log does not say where its first turn began.
    return turn > 0 ? turn : Math.max(0, Math.min(...timeline.turns.keys(), (timeline.facts?.turn ?? 0) + 1) - 1);
  });
}
