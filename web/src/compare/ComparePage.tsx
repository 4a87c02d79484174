/** Several sessions with the same task, side by side, of which a person takes one. */

import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { useRef, useState } from 'react';
import { api, asApiError } from '../api/client';
import type { Attempt } from '../api/types';
import { compareWords as words } from '../text/compare';
import { words as common } from '../text/english';
import { baseName } from '../text/format';
import { visible } from '../text/visible';
import { Button, buttonClass } from '../ui/button';
import { Dialog } from '../ui/dialog';
import { useKeys, useTitle } from '../ui/hooks';
import { Icon } from '../ui/icons';
import { ProblemNote } from '../ui/problem';
import { ThemeToggle } from '../ui/theme';
import { AttemptCard } from './AttemptCard';
import { AttemptChanges } from './AttemptChanges';
import { isUnderWay, numberOf } from './attempts';

/** Between two looks while something goes on, and while nothing does, in ms. */
const LOOK_MS = 2_000;
const QUIET_MS = 15_000;
/** Changes are seen when so much of them is. */
const CHANGES_SEEN_PX = 120;

export function ComparePage({ id }: { id: string }) {
  useTitle(words.pageTitle);
  const navigate = useNavigate();
  const attempts = useQuery({
    queryKey: ['attempts', id],
    queryFn: () => api.attempts(id),
    refetchInterval: ({ state }) => (state.data?.items.some(isUnderWay) === false ? QUIET_MS : LOOK_MS),
  });
  const items = attempts.data?.items ?? [];
  const [chosen, choose] = useState<string | null>(null);
  const changes = useRef<HTMLDivElement>(null);
  const show = (session: string) => {
    choose(session);
    // On a phone they are far below.
    const top = changes.current?.getBoundingClientRect().top ?? 0;
    if (top > window.innerHeight - CHANGES_SEEN_PX) changes.current?.scrollIntoView({ block: 'start' });
  };
  const [asking, ask] = useState<Attempt | null>(null);
  const shown = items.find(({ session }) => session.id === chosen) ?? firstToShow(items);
  useKeys({
    u: () => void navigate({ to: '/' }),
    ...Object.fromEntries(items.map(({ session }, place) => [`${place + 1}`, () => show(session.id)])),
  });
  const first = items[0]?.session;
  return (
    <div className="h-full overflow-y-auto">
      <div className="mx-auto max-w-[100rem] px-3 pb-16 sm:px-6">
        <header className="flex items-center gap-2 py-4">
          <Link
            to="/"
            className={buttonClass({ look: 'quiet', size: 'icon' })}
            aria-label={common.common.allSessions}
            title={common.common.allSessionsKey}
          >
            <Icon name="back" />
          </Link>
          <div className="min-w-0">
            <h1 className="truncate text-lg font-semibold tracking-tight">
              {first ? visible(first.title) : words.pageTitle}
            </h1>
            {first ? (
              <p className="truncate text-2xs text-faint">
                {words.about(items.length)} · {visible(baseName(first.repository))}{' '}
                <span className="font-mono">{visible(first.base)}</span>
              </p>
            ) : null}
          </div>
          <span className="grow" />
          <ThemeToggle />
        </header>
        <main>
          {attempts.error ? (
            <ProblemNote error={asApiError(attempts.error)} className="my-4">
              <Button size="small" onClick={() => void attempts.refetch()}>
                {common.common.tryAgain}
              </Button>
            </ProblemNote>
          ) : null}
          <ol
            aria-label={words.list}
            className="grid items-stretch gap-3 sm:grid-cols-[repeat(auto-fit,minmax(17.5rem,1fr))]"
          >
            {items.map((attempt) => (
              <AttemptCard
                key={attempt.session.id}
                attempt={attempt}
                isShown={attempt === shown}
                show={() => show(attempt.session.id)}
                take={() => ask(attempt)}
              />
            ))}
          </ol>
          <div ref={changes}>{shown ? <AttemptChanges key={shown.session.id} attempt={shown} /> : null}</div>
        </main>
      </div>
      {asking ? <Sure attempt={asking} id={id} close={() => ask(null)} /> : null}
    </div>
  );
}

/** The one that was taken, else the first that has changed something. */
function firstToShow(items: Attempt[]): Attempt | undefined {
  const isTaken = ({ session }: Attempt) => session.attempts?.taken?.session === session.id;
  return items.find(isTaken) ?? items.find(({ changed }) => (changed?.files ?? 0) > 0) ?? items[0];
}

/** What follows is said before it does. */
function Sure({ attempt, id, close }: { attempt: Attempt; id: string; close: () => void }) {
  const queries = useQueryClient();
  const take = useMutation({
    mutationFn: () => api.take(attempt.session.id),
    onSuccess: close,
    // Who was faster is shown, too.
    onSettled: () => queries.invalidateQueries({ queryKey: ['attempts', id] }),
  });
  const others = (attempt.session.attempts?.sessions.length ?? 1) - 1;
  return (
    <Dialog title={words.sure(numberOf(attempt))} onClose={close}>
      <p className="text-soft">{words.follows(others)}</p>
      {take.error ? <ProblemNote error={asApiError(take.error)} className="mt-3" /> : null}
      <div className="mt-4 flex justify-end gap-2">
        <Button onClick={close}>{words.cancel}</Button>
        <Button look="primary" disabled={take.isPending} onClick={() => take.mutate()}>
          {words.take}
        </Button>
      </div>
    </Dialog>
  );
}
