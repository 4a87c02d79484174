/** Whose child a session is, and its own children with how they stand. */

import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { api, asApiError } from '../api/client';
import type { SessionView } from '../api/types';
import { familyWords as words } from '../text/family';
import { dollars } from '../text/format';
import { visible } from '../text/visible';
import { PhaseLabel } from '../ui/phase';
import { ProblemNote } from '../ui/problem';
import { Section } from './Section';

/** Between two looks, in ms. */
const LOOK_MS = 5_000;

export function Family({ facts }: { facts: SessionView }) {
  const { parents, children, children_cost_micros: cost } = facts.family;
  const parent = parents.at(-1);
  if (!parent && children.length === 0) return null;
  return (
    <Section title={words.title}>
      {parent ? (
        <p className="flex min-h-7 items-center gap-3">
          <span className="w-24 shrink-0 text-soft">{words.childOf}</span>
          <SessionLink id={parent} text={parent} />
        </p>
      ) : null}
      {children.length > 0 ? <Children id={facts.id} count={children.length} /> : null}
      {cost > 0 ? <p className="mt-1 text-soft">{words.cost(dollars(cost))}</p> : null}
    </Section>
  );
}

function Children({ id, count }: { id: string; count: number }) {
  const children = useQuery({
    queryKey: ['children', id, count],
    queryFn: () => api.children(id),
    // Of those that have ended nothing changes, and what they said may have to be fetched from afar.
    refetchInterval: ({ state }) => (state.data?.items.every(({ session }) => session.ended) ? false : LOOK_MS),
  });
  if (children.error) return <ProblemNote error={asApiError(children.error)} />;
  if (!children.data) return <p className="text-soft">{words.loading}</p>;
  return (
    <ul aria-label={words.children} className="space-y-1">
      {children.data.items.map(({ session, last_message: said }) => (
        <li key={session.id} className="flex min-w-0 items-baseline gap-3">
          <PhaseLabel phase={session.phase} className="w-24 shrink-0" />
          <SessionLink id={session.id} text={visible(session.title)} />
          {said ? <span className="min-w-0 flex-1 truncate text-soft">{visible(said)}</span> : null}
        </li>
      ))}
    </ul>
  );
}

function SessionLink({ id, text }: { id: string; text: string }) {
  return (
    <Link to="/sessions/$id" params={{ id }} className="min-w-0 truncate underline underline-offset-4">
      {text}
    </Link>
  );
}
