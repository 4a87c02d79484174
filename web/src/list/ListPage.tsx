/** All sessions, newest first, live. */
import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { asApiError } from '../api/client';
import { meQuery, statusQuery, useSessionFeed, useSessions } from '../api/queries';
import { words } from '../text/english';
import { visible } from '../text/visible';
import { Button, buttonClass } from '../ui/button';
import { useKeys, useNow, useTitle } from '../ui/hooks';
import { Icon, Lamp } from '../ui/icons';
import { ProblemNote } from '../ui/problem';
import { ThemeToggle } from '../ui/theme';
import { BulkBar } from './BulkBar';
import { Filters } from './Filters';
import { type ListFilter, narrow } from './filter';
import { grouped } from './rows';
import { Sessions } from './Sessions';

/** "5 min" ages by itself. */
const AGE_TICK_MS = 30_000;
/** Groups that are not in the order of the list are made of so many at most. */
const GROUPED_SESSIONS = 2_000;

const NONE: ReadonlySet<string> = new Set();

export function ListPage() {
  const filter: ListFilter = useSearch({ from: '/' });
  const navigate = useNavigate({ from: '/' });
  const connection = useSessionFeed();
  const me = useQuery(statusQuery).data?.person.name;
  const { phase, q, repository, mine, archived, dead, group = 'day' } = filter;
  const sessions = useSessions({
    ...(phase ? { phase } : {}),
    ...(q ? { q } : {}),
    ...(repository ? { repository } : {}),
    ...(mine && me ? { person: me } : {}),
    ...(archived ? { archived } : {}),
    ...(dead ? { dead } : {}),
  });
  const search = useRef<HTMLInputElement>(null);
  const [active, setActive] = useState<string | null>(null);
  const [picked, setPicked] = useState(NONE);
  const now = useNow(AGE_TICK_MS);
  const items = useMemo(() => sessions.data?.pages.flatMap((page) => page.items) ?? [], [sessions.data]);
  const rows = useMemo(() => grouped(items, group, now), [items, group, now]);
  const waiting = items.filter((session) => session.phase === 'waiting_for_you').length;
  useTitle(waiting > 0 ? words.list.waitingTitle(waiting) : words.common.product);

  const { hasNextPage, isFetching, fetchNextPage } = sessions;
  const loadMore = useCallback(() => {
    if (!isFetching) void fetchNextPage();
  }, [isFetching, fetchNextPage]);
  const regrouped = group === 'repository' || group === 'phase';
  useEffect(() => {
    if (regrouped && hasNextPage && items.length < GROUPED_SESSIONS) loadMore();
  }, [regrouped, hasNextPage, items.length, loadMore]);
  const cut = regrouped && hasNextPage && items.length >= GROUPED_SESSIONS;

  const change = (next: ListFilter) => {
    setActive(null);
    setPicked(NONE);
    void navigate({ search: narrow(next), replace: true });
  };
  const pick = useCallback((id: string, on: boolean) => {
    setPicked((before) => {
      const after = new Set(before);
      if (on) after.add(id);
      else after.delete(id);
      return after;
    });
  }, []);
  const order = rows.flatMap((row) => (row.kind === 'session' ? [row.key] : []));
  const move = (step: number) => {
    const at = active === null ? -1 : order.indexOf(active);
    const next = at === -1 ? (step > 0 ? 0 : order.length - 1) : Math.min(order.length - 1, Math.max(0, at + step));
    setActive(order[next] ?? null);
  };
  useKeys({
    j: () => move(1),
    k: () => move(-1),
    x: () => active && pick(active, !picked.has(active)),
    n: () => void navigate({ to: '/new' }),
    '/': () => search.current?.focus(),
  });
  const filtered = phase || q || repository || mine || dead;
  return (
    <div className="flex h-full flex-col">
      <div className="mx-auto w-full max-w-[68rem] px-3 sm:px-6">
        <header className="flex items-center gap-2 py-3">
          <Lamp className="size-6" />
          <h1 className="text-lg font-semibold tracking-tight whitespace-nowrap">{words.common.product}</h1>
          <ServerNote />
          <span className="grow" />
          {connection.state === 'reconnecting' || connection.state === 'offline' ? (
            <span className="text-2xs text-warn" role="status">
              {connection.state === 'offline' ? words.list.offline : words.list.reconnecting}
            </span>
          ) : null}
          <Link to="/usage" className={buttonClass({ look: 'quiet' })} title={words.list.usageTitle}>
            {words.list.usage}
          </Link>
          <ThemeToggle />
          <Myself />
          <Link
            to="/settings"
            className={buttonClass({ look: 'quiet', size: 'icon' })}
            aria-label={words.list.settings}
            title={words.list.settings}
          >
            <Icon name="settings" />
          </Link>
          <Link to="/new" className={buttonClass({ look: 'primary' })} title={words.list.newTitle}>
            <Icon name="plus" /> {words.list.new} <span className="max-sm:sr-only">{words.list.session}</span>
          </Link>
        </header>
      </div>
      <main className="flex min-h-0 flex-1 flex-col">
        <Filters filter={filter} change={change} box={search} onFocus={() => setActive(null)} />
        {sessions.error ? (
          <ProblemNote error={asApiError(sessions.error)} className="mx-auto my-4 w-full max-w-[66rem]">
            <Button size="small" onClick={() => void sessions.refetch()}>
              {words.list.tryAgain}
            </Button>
          </ProblemNote>
        ) : null}
        {picked.size > 0 ? (
          <BulkBar
            sessions={items.filter(({ id }) => picked.has(id))}
            archived={archived === true}
            clear={() => setPicked(NONE)}
          />
        ) : null}
        {cut ? (
          <p className="mx-auto w-full max-w-[68rem] px-4 pt-2 text-2xs text-faint sm:px-6">
            {words.list.onlyNewest(GROUPED_SESSIONS)}
          </p>
        ) : null}
        {sessions.isSuccess && items.length === 0 ? (
          <Nothing words={filtered ? words.list.noneFits : archived ? words.list.noneArchived : null} />
        ) : null}
        <Sessions
          rows={rows}
          now={now}
          active={active}
          picked={picked}
          pick={pick}
          hasMore={hasNextPage && !cut}
          loadMore={loadMore}
        />
      </main>
    </div>
  );
}

function Nothing({ words: said }: { words: string | null }) {
  return (
    <div className="px-4 py-20 text-center text-soft">
      {said !== null ? (
        <p>{said}</p>
      ) : (
        <>
          <Lamp className="mx-auto mb-3 size-10 opacity-80" />
          <p className="text-base text-ink">{words.list.nothing}</p>
          <p className="mt-1">{words.list.nothingYet}</p>
          <Link to="/new" className={`${buttonClass({ look: 'primary' })} mt-5`}>
            {words.list.first}
          </Link>
        </>
      )}
    </div>
  );
}

/** Says plainly when no real model answers. */
/** Who is signed in, where people sign in. */
function Myself() {
  const me = useQuery(meQuery).data;
  if (!me?.signs_in) return null;
  return (
    <Link
      to="/settings/$section"
      params={{ section: 'you' }}
      className={buttonClass({ look: 'quiet' })}
      title={visible(me.email)}
    >
      <span className="max-w-32 truncate">{visible(me.name)}</span>
    </Link>
  );
}

function ServerNote() {
  const status = useQuery(statusQuery);
  if (!status.data?.scripted_model) return null;
  return (
    <span
      className="truncate rounded-full border border-line-strong px-2 py-0.5 text-2xs text-soft max-sm:hidden"
      title={words.list.scriptedTitle}
    >
      {words.list.scripted}
    </span>
  );
}
