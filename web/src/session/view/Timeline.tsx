/**
 * The log as people read it. Only what is near the window is on the page. It follows the newest entry until someone goes
 * elsewhere, and fetches older ones on the way.
 */

import { useSearch } from '@tanstack/react-router';
import { useCallback, useMemo, useRef, useState } from 'react';
import { words } from '../../text/english';
import { Button } from '../../ui/button';
import { useCommands } from '../../ui/commands';
import { readStorage, useKeys, writeStorage } from '../../ui/hooks';
import { Icon } from '../../ui/icons';
import { type Filter, isFolded, passes } from '../find';
import type { Item } from '../items';
import type { Actions } from './actions';
import { useFacts, useSession, useStore } from './context';
import { Folds, FoldsContext } from './folds';
import { LogBar } from './LogBar';
import { Row } from './Row';
import { type GoTo, type List, useFollowing, useHeldPlace, useList, useOlder, useReadTurn } from './scrolling';
import { useFind, useMarks } from './useFind';
import { useNamedEntry } from './useNamedEntry';

const TIMES = 'lamplight.times';

export function Timeline({ actions }: { actions: Actions }) {
  const { at } = useSearch({ from: '/sessions/$id' });
  const all = useSession((state) => state.timeline.items);
  const [folds] = useState(() => new Folds());
  const [filter, setFilter] = useState<Filter>('all');
  const [finding, setFinding] = useState(false);
  const [timed, setTimes] = useTimes();
  const scroller = useRef<HTMLElement>(null);
  const box = useRef<HTMLInputElement>(null);
  const items = useMemo(() => (filter === 'all' ? all : all.filter((item) => passes(filter, item))), [all, filter]);

  const list = useList(items, scroller);
  // It opens at its end, or at the entry that the address names.
  const following = useFollowing(list, scroller, at === undefined, filter);
  const goTo = useHeldPlace(list, items, scroller, following);
  const { follow, toEnd } = following;
  const show = useCallback(
    (item: Item) => {
      if (isFolded(item)) folds.set(item.key, true);
      goTo(item.seq, 'center');
    },
    [folds, goTo],
  );
  const find = useFind(items, show);
  useMarks(scroller, find.query);
  const asked = find.query.trim() !== '';
  const found = asked ? items[find.matches[find.current] ?? -1] : undefined;
  const leave = useCallback(() => {
    follow(false);
    setFilter('all');
  }, [follow]);
  const { marked, lost, link } = useNamedEntry(leave, show);
  useOlder(list, following.away, asked);
  const turn = useReadTurn(list, items);
  const goToTurn = useGoToTurn(goTo, () => setFilter('all'));
  const openFind = () => {
    setFinding(true);
    box.current?.select();
  };
  useTimelineKeys({ turn, goToTurn, openFind, toEnd, switchTimes: () => setTimes(!timed) });

  return (
    <FoldsContext.Provider value={folds}>
      <LogBar {...{ find, finding, setFinding, box, filter, setFilter, turn, goToTurn, timed, setTimed: setTimes }} />
      <div className="relative min-h-0 flex-1">
        <section
          ref={scroller}
          onScroll={following.onScroll}
          aria-label={words.log.label}
          // Its own anchoring would be added to what the list does.
          className="@container h-full overflow-x-hidden overflow-y-auto overscroll-contain [overflow-anchor:none]"
          tabIndex={0}
        >
          <Above />
          <Rows {...{ list, items, timed, link, actions }} marked={found?.key ?? (asked ? undefined : marked)} />
          {items.length === 0 && filter !== 'all' ? <NothingFits showAll={() => setFilter('all')} /> : null}
        </section>
        <Below lost={lost} away={following.away} toEnd={toEnd} />
      </div>
    </FoldsContext.Provider>
  );
}

interface RowsProps {
  list: List;
  items: readonly Item[];
  timed: boolean;
  /** The key of the item that is marked. */
  marked: string | undefined;
  link: (seq: number) => void;
  actions: Actions;
}

function Rows({ list, items, timed, marked, link, actions }: RowsProps) {
  return (
    <div ref={list.containerRef} className={`relative mx-auto max-w-[52rem] ${timed ? 'timed' : ''}`}>
      {list.getVirtualItems().map(({ index, key }) => {
        const item = items[index];
        if (!item) return null;
        return (
          <Row
            key={key}
            measure={list.measureElement}
            index={index}
            item={item}
            before={items[index - 1]}
            marked={item.key === marked}
            link={link}
            actions={actions}
          />
        );
      })}
    </div>
  );
}

function NothingFits({ showAll }: { showAll: () => void }) {
  return (
    <p className="px-4 pt-8 text-center text-[0.8125rem] text-faint">
      {words.log.nothingFits}{' '}
      <Button look="quiet" size="small" onClick={showAll}>
        {words.log.showAll}
      </Button>
    </p>
  );
}

/** What lies over the end of the window. */
function Below({ lost, away, toEnd }: { lost: number | null; away: boolean; toEnd: () => void }) {
  return (
    <div className="pointer-events-none absolute inset-x-0 bottom-3 flex flex-col items-center gap-2">
      {lost === null ? null : (
        <span role="alert" className="rounded-full border border-line-strong bg-raised px-3 py-1 text-2xs text-warn">
          {words.log.notThere(lost)}
        </span>
      )}
      {away ? (
        <Button className="pointer-events-auto rounded-full shadow-md shadow-black/10" size="small" onClick={toEnd}>
          <Icon name="down" className="size-3.5" /> {words.log.toLatest}
        </Button>
      ) : null}
    </div>
  );
}

/** Whether times are shown, which is remembered. */
function useTimes(): [boolean, (on: boolean) => void] {
  const [timed, setTimed] = useState(() => readStorage(localStorage, TIMES) !== null);
  const set = (on: boolean) => {
    setTimed(on);
    writeStorage(localStorage, TIMES, on ? 'shown' : null);
  };
  return [timed, set];
}

function useGoToTurn(goTo: GoTo, showAll: () => void): (turn: number) => void {
  const store = useStore();
  return (turn) => {
    showAll();
    void store.loadTurn(turn).then(() => {
      const { turns, items } = store.getState().timeline;
      goTo(items[turns.get(turn)?.place ?? 0]?.seq ?? 0, 'start');
    });
  };
}

interface TimelineKeys {
  turn: number;
  goToTurn: (turn: number) => void;
  openFind: () => void;
  toEnd: () => void;
  switchTimes: () => void;
}

function useTimelineKeys({ turn, goToTurn, openFind, toEnd, switchTimes }: TimelineKeys): void {
  const turnCount = useFacts()?.turn ?? 0;
  useKeys({
    '/': openFind,
    'mod+f': openFind,
    '[': () => turn > 0 && goToTurn(Math.max(1, turn - 1)),
    ']': () => (turn < turnCount ? goToTurn(turn + 1) : toEnd()),
    T: switchTimes,
    G: toEnd,
  });
  useCommands([
    { id: 'find', title: words.palette.find, keys: '/', run: openFind },
    { id: 'latest', title: words.palette.latest, keys: 'G', run: toEnd },
    { id: 'times', title: words.palette.times, keys: 'T', run: switchTimes },
  ]);
}

/** What is to be said where the loaded entries begin. It lies over them, so that it moves nothing. */
function Above() {
  const store = useStore();
  const older = useSession((state) => state.older);
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
          <Button look="quiet" size="small" onClick={() => void store.loadOlder()}>
            {words.log.tryAgain}
          </Button>
        ) : null}
      </p>
    </div>
  );
}
