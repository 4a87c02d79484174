/**
 * The log as people read it. Only what is near the window is on the page. It follows the newest entry until someone goes
 * elsewhere, and fetches older ones on the way.
 */

import { useNavigate, useSearch } from '@tanstack/react-router';
import { useVirtualizer, type Virtualizer } from '@tanstack/react-virtual';
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react';
import { words } from '../../text/english';
import { Button } from '../../ui/button';
import { useCommands } from '../../ui/commands';
import { readStorage, useKeys, writeStorage } from '../../ui/hooks';
import { Icon } from '../../ui/icons';
import { type Filter, isFolded, passes, placeOf } from '../find';
import type { Actions } from './actions';
import { useFacts, useSession, useStore } from './context';
import { Folds, FoldsContext } from './folds';
import { LogBar } from './LogBar';
import { guessedHeight, Row } from './Row';
import { useFind, useMarks } from './useFind';

/** How near to the end counts as being there. */
const NEAR_END_PX = 60;
/** How early older entries are fetched. */
const EARLY_PX = 2_500;
/** Items beyond the window on each side. */
const OVERSCAN = 8;
const TIMES = 'lamplight.times';

export function Timeline({ actions }: { actions: Actions }) {
  const store = useStore();
  const turnCount = useFacts()?.turn ?? 0;
  const all = useSession((state) => state.timeline.items);
  const older = useSession((state) => state.older);
  const { at } = useSearch({ from: '/sessions/$id' });
  const navigate = useNavigate({ from: '/sessions/$id' });
  const [folds] = useState(() => new Folds());
  const [filter, setFilter] = useState<Filter>('all');
  const [finding, setFinding] = useState(false);
  const [timed, setTimed] = useState(() => readStorage(localStorage, TIMES) !== null);
  const [away, setAway] = useState(false);
  const [lost, setLost] = useState<number | null>(null);
  const scroller = useRef<HTMLElement>(null);
  const box = useRef<HTMLInputElement>(null);
  const following = useRef(true);
  const items = useMemo(() => (filter === 'all' ? all : all.filter((item) => passes(filter, item))), [all, filter]);

  const virtualizer = useVirtualizer({
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
  const rows = virtualizer.getVirtualItems();

  const follow = useCallback((yes: boolean) => {
    following.current = yes;
    setAway(!yes);
  }, []);
  const toEnd = useCallback(() => {
    follow(true);
    virtualizer.scrollToEnd();
  }, [follow, virtualizer]);
  const show = useCallback(
    (place: number) => {
      follow(false);
      const item = items[place];
      if (item && isFolded(item)) folds.set(item.key, true);
      virtualizer.scrollToIndex(place, { align: 'center' });
    },
    [follow, folds, items, virtualizer],
  );
  const find = useFind(items, show);
  useMarks(scroller, find.query);
  const asked = find.query.trim() !== '';
  const found = asked ? items[find.matches[find.current] ?? -1] : undefined;

  // Where it opens: at its end, or at the entry that the address names.
  // biome-ignore lint/correctness/useExhaustiveDependencies: once
  useLayoutEffect(() => {
    if (at === undefined) virtualizer.scrollToEnd();
  }, []);
  const pressed = useRef<number | null>(null);
  const latest = useRef({ items, show });
  useEffect(() => {
    latest.current = { items, show };
  });
  useEffect(() => {
    if (at === undefined) return;
    // Whoever presses the time of an item is there already.
    if (pressed.current === at) return;
    let wanted = true;
    follow(false);
    setFilter('all');
    void store.loadBackTo(at).then((isThere) => {
      if (!wanted) return;
      setLost(isThere ? null : at);
      // Once what was fetched is on the page.
      requestAnimationFrame(() => latest.current.show(placeOf(latest.current.items, at)));
    });
    return () => {
      wanted = false;
    };
  }, [at, store, follow]);
  const target = at === undefined ? undefined : all[placeOf(all, at)];
  const marked = target && target.seq <= (at ?? 0) ? target.key : undefined;

  const goToTurn = (turn: number) => {
    setFilter('all');
    void store.loadTurn(turn).then(() => {
      requestAnimationFrame(() => {
        const { turns } = store.getState().timeline;
        const place = turns.get(turn)?.place ?? 0;
        follow(false);
        virtualizer.scrollToIndex(place, { align: 'start' });
      });
    });
  };

  // Older entries go in above what is read. The list holds on to the item at the top of the window; where that one was the
  // beginning of what was loaded it may now be part of another, and then the next one is held on to.
  const before = useRef<{ first?: string; offset: number; rows: typeof rows }>({ offset: 0, rows: [] });
  useLayoutEffect(() => {
    const was = before.current;
    const offset = virtualizer.scrollOffset ?? 0;
    before.current = { first: items[0]?.key ?? '', offset, rows };
    if (!was.first || was.first === items[0]?.key || following.current) return;
    const read = was.rows.filter((row) => row.end > was.offset);
    const places = new Map(items.map(({ key }, place) => [key as unknown, place]));
    const kept = read.find((row) => places.has(row.key));
    if (!kept || kept === read[0]) return;
    const [start] = virtualizer.getOffsetForIndex(places.get(kept.key) ?? 0, 'start') ?? [0];
    virtualizer.scrollToOffset(start - (kept.start - was.offset));
  });

  // biome-ignore lint/correctness/useExhaustiveDependencies: when other kinds are shown
  useLayoutEffect(() => {
    if (following.current) virtualizer.scrollToEnd();
  }, [filter]);

  // Whatever makes the window smaller: a keyboard on a phone, a longer prompt.
  useLayoutEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const observer = new ResizeObserver(() => {
      if (following.current) virtualizer.scrollToEnd();
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [virtualizer]);

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

  useEffect(() => {
    store.followsEnd = !away && !asked;
  }, [store, away, asked]);
  const atTop = (virtualizer.scrollOffset ?? 0) < EARLY_PX && away;
  const notFull = virtualizer.getTotalSize() < (virtualizer.scrollRect?.height ?? 0);
  useEffect(() => {
    if (older === 'more' && (atTop || notFull || asked)) void store.loadOlder();
  }, [older, atTop, notFull, asked, store]);

  const turn = useTurnAt(items[rows.find((row) => row.end > (virtualizer.scrollOffset ?? 0))?.index ?? 0]?.seq ?? 0);
  const setTimes = (on: boolean) => {
    setTimed(on);
    writeStorage(localStorage, TIMES, on ? 'shown' : null);
  };
  const openFind = () => {
    setFinding(true);
    box.current?.select();
  };
  useKeys({
    '/': openFind,
    'mod+f': openFind,
    '[': () => turn > 0 && goToTurn(Math.max(1, turn - 1)),
    ']': () => (turn < turnCount ? goToTurn(turn + 1) : toEnd()),
    T: () => setTimes(!timed),
    G: toEnd,
  });
  useCommands([
    { id: 'find', title: words.palette.find, keys: '/', run: openFind },
    { id: 'latest', title: words.palette.latest, keys: 'G', run: toEnd },
    { id: 'times', title: words.palette.times, keys: 'T', run: () => setTimes(!timed) },
  ]);
  const link = useCallback(
    (seq: number) => {
      pressed.current = seq;
      void navigate({ search: (now) => ({ ...now, at: seq }), replace: true, resetScroll: false });
    },
    [navigate],
  );

  return (
    <FoldsContext.Provider value={folds}>
      <LogBar {...{ find, finding, setFinding, box, filter, setFilter, turn, goToTurn, timed }} setTimed={setTimes} />
      <div className="relative min-h-0 flex-1">
        <section
          ref={scroller}
          onScroll={onScroll}
          aria-label={words.log.label}
          // Its own anchoring would be added to what the list does.
          className="@container h-full overflow-x-hidden overflow-y-auto overscroll-contain [overflow-anchor:none]"
          tabIndex={0}
        >
          <Above older={older} retry={() => void store.loadOlder()} />
          <div ref={virtualizer.containerRef} className={`relative mx-auto max-w-[52rem] ${timed ? 'timed' : ''}`}>
            {rows.map(({ index, key }) => {
              const item = items[index];
              if (!item) return null;
              return (
                <Row
                  key={key}
                  measure={virtualizer.measureElement}
                  index={index}
                  item={item}
                  before={items[index - 1]}
                  marked={item.key === (found?.key ?? (asked ? undefined : marked))}
                  link={link}
                  actions={actions}
                />
              );
            })}
          </div>
          {items.length === 0 && filter !== 'all' ? (
            <p className="px-4 pt-8 text-center text-[0.8125rem] text-faint">
              {words.log.nothingFits}{' '}
              <Button look="quiet" size="small" onClick={() => setFilter('all')}>
                {words.log.showAll}
              </Button>
            </p>
          ) : null}
        </section>
        <div className="pointer-events-none absolute inset-x-0 bottom-3 flex flex-col items-center gap-2">
          {lost === null ? null : (
            <span
              role="alert"
              className="rounded-full border border-line-strong bg-raised px-3 py-1 text-2xs text-warn"
            >
              {words.log.notThere(lost)}
            </span>
          )}
          {away ? (
            <Button className="pointer-events-auto rounded-full shadow-md shadow-black/10" size="small" onClick={toEnd}>
              <Icon name="down" className="size-3.5" /> {words.log.toLatest}
            </Button>
          ) : null}
        </div>
      </div>
    </FoldsContext.Provider>
  );
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

/** The turn that an entry is in, as far as the loaded ones tell. */
function useTurnAt(seq: number): number {
  return useSession(({ timeline }) => {
    let turn = 0;
    for (const [number, { place }] of timeline.turns) {
      if ((timeline.items[place]?.seq ?? 0) <= seq && number > turn) turn = number;
    }
    // Loaded from its middle, a log does not say where its first turn began.
    return turn > 0 ? turn : Math.max(0, Math.min(...timeline.turns.keys(), (timeline.facts?.turn ?? 0) + 1) - 1);
  });
}

/** What is to be said where the loaded entries begin. It lies over them, so that it moves nothing. */
function Above({ older, retry }: { older: string; retry: () => void }) {
  if (older !== 'loading' && older !== 'failed' && older !== 'full') return null;
  return (
    <div className="sticky top-0 z-10 flex h-0 justify-center" role="status">
      <p className="mt-1 flex h-7 items-center gap-2 rounded-full border border-line bg-raised px-3 text-2xs text-faint">
        {older === 'loading'
          ? words.log.loadingEarlier
          : older === 'full'
            ? words.log.earlierFull
            : words.log.earlierFailed}
        {older === 'failed' ? (
          <Button look="quiet" size="small" onClick={retry}>
            {words.log.tryAgain}
          </Button>
        ) : null}
      </p>
    </div>
  );
}
