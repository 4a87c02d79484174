/** All sessions, newest first, live. */
import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { useEffect, useRef, useState } from 'react';
import { asApiError } from '../api/client';
import { statusQuery, useSessionFeed, useSessions } from '../api/queries';
import { PHASES, type Phase, type SessionSummary } from '../api/types';
import { Elapsed } from '../session/view/StatusBar';
import { ago, baseName, count, exactTime, plural } from '../text/format';
import { visible } from '../text/visible';
import { Button, buttonClass } from '../ui/button';
import { useKeys, useNow, useTitle } from '../ui/hooks';
import { Icon, Lamp } from '../ui/icons';
import { PhaseDot, PhaseLabel, phaseWord } from '../ui/phase';
import { ProblemNote } from '../ui/problem';
import { ThemeToggle } from '../ui/theme';

/** Typing in the filter asks the server once it pauses. */
const FILTER_PAUSE_MS = 200;
/** "5 min" ages by itself. */
const AGE_TICK_MS = 30_000;

export interface ListFilter {
  phase?: Phase;
  q?: string;
}

export function ListPage() {
  const filter: ListFilter = useSearch({ from: '/' });
  const navigate = useNavigate({ from: '/' });
  const connection = useSessionFeed();
  const sessions = useSessions(filter);
  const search = useRef<HTMLInputElement>(null);
  const rows = useRef<HTMLUListElement>(null);
  const items = sessions.data?.pages.flatMap((page) => page.items) ?? [];
  const waiting = items.filter((session) => session.phase === 'waiting_for_you').length;
  useTitle(waiting > 0 ? `(${waiting}) Lamplight` : 'Lamplight');
  const move = (step: number) => {
    const links = Array.from(rows.current?.querySelectorAll('a') ?? []);
    const at = links.indexOf(document.activeElement as HTMLAnchorElement);
    const next = at === -1 ? (step > 0 ? 0 : links.length - 1) : Math.min(links.length - 1, Math.max(0, at + step));
    links[next]?.focus();
  };
  useKeys({
    j: () => move(1),
    k: () => move(-1),
    n: () => void navigate({ to: '/new' }),
    '/': () => search.current?.focus(),
  });
  const filtered = filter.phase !== undefined || filter.q !== undefined;
  return (
    <div className="h-full overflow-y-auto">
      <div className="mx-auto max-w-[68rem] px-3 pb-16 sm:px-6">
        <header className="flex items-center gap-2 py-4">
          <Lamp className="size-6" />
          <h1 className="text-lg font-semibold tracking-tight whitespace-nowrap">Lamplight</h1>
          <ServerNote />
          <span className="grow" />
          {connection.state === 'reconnecting' || connection.state === 'offline' ? (
            <span className="text-2xs text-warn" role="status">
              {connection.state === 'offline' ? 'Offline' : 'Reconnecting'}
            </span>
          ) : null}
          <Link to="/usage" className={buttonClass({ look: 'quiet' })} title="What models cost">
            Usage
          </Link>
          <ThemeToggle />
          <Link
            to="/settings"
            className={buttonClass({ look: 'quiet', size: 'icon' })}
            aria-label="Settings"
            title="Settings"
          >
            <Icon name="settings" />
          </Link>
          <Link to="/new" className={buttonClass({ look: 'primary' })} title="New session (n)">
            <Icon name="plus" /> New <span className="max-sm:sr-only">session</span>
          </Link>
        </header>
        <main>
          <div className="mb-2 flex gap-2">
            <SearchBox
              box={search}
              value={filter.q ?? ''}
              change={(q) => void navigate({ search: narrow({ ...filter, q }), replace: true })}
            />
            <select
              aria-label="Phase"
              className="field w-auto shrink-0 py-0 text-[0.8125rem]"
              value={filter.phase ?? ''}
              onChange={(event) =>
                void navigate({ search: narrow({ ...filter, phase: event.target.value as Phase }), replace: true })
              }
            >
              <option value="">All phases</option>
              {PHASES.map((phase) => (
                <option key={phase} value={phase}>
                  {phaseWord(phase)}
                </option>
              ))}
            </select>
          </div>
          {sessions.error ? (
            <ProblemNote error={asApiError(sessions.error)} className="my-4">
              <Button size="small" onClick={() => void sessions.refetch()}>
                Try again
              </Button>
            </ProblemNote>
          ) : null}
          {sessions.isSuccess && items.length === 0 ? <Nothing filtered={filtered} /> : null}
          <ul ref={rows} aria-label="Sessions" className="divide-y divide-line">
            {items.map((session) => (
              <SessionRow key={session.id} session={session} />
            ))}
          </ul>
          {sessions.hasNextPage ? (
            <p className="pt-4 text-center">
              <Button disabled={sessions.isFetchingNextPage} onClick={() => void sessions.fetchNextPage()}>
                Earlier sessions
              </Button>
            </p>
          ) : null}
        </main>
      </div>
    </div>
  );
}

/** Without the fields that say nothing. */
function narrow(filter: { phase?: string; q?: string }): ListFilter {
  return {
    ...(filter.phase ? { phase: filter.phase as Phase } : {}),
    ...(filter.q ? { q: filter.q } : {}),
  };
}

function SearchBox({
  box,
  value,
  change,
}: {
  box: React.RefObject<HTMLInputElement | null>;
  value: string;
  change: (q: string) => void;
}) {
  const [text, setText] = useState(value);
  const latest = useRef(change);
  useEffect(() => {
    latest.current = change;
  });
  useEffect(() => {
    if (text.trim() === value) return;
    const timer = setTimeout(() => latest.current(text.trim()), FILTER_PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text, value]);
  return (
    <div className="relative flex-1">
      <Icon name="search" className="absolute top-1/2 left-3 -translate-y-1/2 text-faint" />
      <input
        ref={box}
        type="search"
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => event.key === 'Escape' && box.current?.blur()}
        placeholder="Filter by text, repository, branch"
        aria-label="Filter sessions"
        className="field py-1.5 pl-9"
      />
    </div>
  );
}

function SessionRow({ session }: { session: SessionSummary }) {
  const now = useNow(AGE_TICK_MS);
  return (
    <li>
      <Link
        to="/sessions/$id"
        params={{ id: session.id }}
        className="-mx-2 grid grid-cols-[auto_minmax(0,1fr)_auto] items-center gap-x-3 rounded-lg px-2 py-2.5 hover:bg-hover sm:grid-cols-[9.5rem_minmax(0,1fr)_auto]"
      >
        <PhaseLabel phase={session.phase} className="text-[0.8125rem] max-sm:hidden!" />
        <PhaseDot phase={session.phase} className="sm:hidden" />
        <span className="min-w-0">
          <span className={`block truncate font-medium ${session.ended ? 'text-soft' : ''}`}>
            {visible(session.title)}
          </span>
          <span className="block truncate text-2xs text-faint">
            <span className="text-soft sm:hidden">{phaseWord(session.phase)} · </span>
            {visible(baseName(session.repository))} <span className="font-mono">{visible(session.branch)}</span>
            {session.reason ? ` \u00b7 ${visible(session.reason)}` : ''}
          </span>
        </span>
        <span className="text-right text-2xs whitespace-nowrap text-faint">
          <span className="block text-soft tabular-nums">
            {session.turn > 0 ? (
              <>
                <span className="hidden sm:inline">{plural(session.steps, 'step')} · </span>
                <Elapsed facts={session} />
                {session.tokens.input + session.tokens.output > 0 ? (
                  <span className="hidden md:inline">
                    {' '}
                    · {count(session.tokens.input + session.tokens.output)} tokens
                  </span>
                ) : null}
              </>
            ) : (
              '\u00a0'
            )}
          </span>
          <span className="block">
            <span className="hidden sm:inline">{visible(session.agent)} · </span>
            <time dateTime={session.updated_at} title={exactTime(Date.parse(session.updated_at))}>
              {ago(session.updated_at, now)}
            </time>
          </span>
        </span>
      </Link>
    </li>
  );
}

function Nothing({ filtered }: { filtered: boolean }) {
  return (
    <div className="py-20 text-center text-soft">
      {filtered ? (
        <p>No session fits this filter.</p>
      ) : (
        <>
          <Lamp className="mx-auto mb-3 size-10 opacity-80" />
          <p className="text-base text-ink">Nothing here yet.</p>
          <p className="mt-1">
            Give an agent a task and go do something else. It works in a sandbox, on a branch of its own, and you review
            what comes out.
          </p>
          <Link to="/new" className={`${buttonClass({ look: 'primary' })} mt-5`}>
            Start the first session
          </Link>
        </>
      )}
    </div>
  );
}

/** Says plainly when no real model answers. */
function ServerNote() {
  const status = useQuery(statusQuery);
  if (!status.data?.scripted_model) return null;
  return (
    <span
      className="truncate rounded-full border border-line-strong px-2 py-0.5 text-2xs text-soft"
      title="No key of a model is configured, so a scripted model answers"
    >
      scripted model
    </span>
  );
}
