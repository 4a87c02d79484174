/** One session in the list. */
import { Link } from '@tanstack/react-router';
import { memo, useEffect, useRef } from 'react';
import type { SessionSummary } from '../api/types';
import { Elapsed } from '../session/view/StatusBar';
import { words } from '../text/english';
import { ago, baseName, count, exactTime } from '../text/format';
import { visible } from '../text/visible';
import { PhaseDot, PhaseLabel, phaseWord } from '../ui/phase';

interface SessionRowProps {
  session: SessionSummary;
  /** The local clock, in ms. */
  now: number;
  /** The keyboard is here. */
  active: boolean;
  picked: boolean;
  /** Something is picked, so that picking goes on. */
  picking: boolean;
  pick: (id: string, picked: boolean) => void;
}

export const SessionRow = memo(function SessionRow({ session, now, active, picked, picking, pick }: SessionRowProps) {
  const link = useRef<HTMLAnchorElement>(null);
  useEffect(() => {
    if (active) link.current?.focus({ preventScroll: true });
  }, [active]);
  return (
    <div className="group/session relative flex items-center border-b border-line">
      <input
        type="checkbox"
        checked={picked}
        onChange={(event) => pick(session.id, event.target.checked)}
        aria-label={words.list.pick(visible(session.title))}
        className={`mx-1.5 size-3.5 shrink-0 accent-lamp-fill group-focus-within/session:opacity-100 group-hover/session:opacity-100 ${picking ? '' : '[@media(hover:hover)]:opacity-0'}`}
      />
      <Link
        ref={link}
        to="/sessions/$id"
        params={{ id: session.id }}
        className={`grid min-w-0 flex-1 grid-cols-[auto_minmax(0,1fr)_auto] items-center gap-x-3 rounded-lg px-2 py-2.5 hover:bg-hover sm:grid-cols-[9.5rem_minmax(0,1fr)_auto] ${picked ? 'bg-lamp-tint' : ''}`}
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
            {session.attempts
              ? ` \u00b7 ${words.list.attempt(session.attempts.number, session.attempts.sessions.length)}`
              : ''}
            {session.parent ? ` \u00b7 ${words.list.child(session.parent.slice(-8))}` : ''}
            {session.reason ? ` \u00b7 ${visible(session.reason)}` : ''}
          </span>
        </span>
        <span className="text-right text-2xs whitespace-nowrap text-faint">
          <span className="block text-soft tabular-nums">
            {session.turn > 0 ? (
              <>
                <span className="hidden sm:inline">{words.status.steps(session.steps)} · </span>
                <Elapsed facts={session} />
                {session.tokens.input + session.tokens.output > 0 ? (
                  <span className="hidden md:inline">
                    {' '}
                    · {words.status.tokens(count(session.tokens.input + session.tokens.output))}
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
    </div>
  );
});
