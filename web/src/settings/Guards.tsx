/** The policy of guards: as configured, and by which rule. */
import { useQuery } from '@tanstack/react-query';
import { asApiError } from '../api/client';
import { guardsQuery } from '../api/queries';
import type { GuardLimit } from '../api/types';
import { amount } from '../session/amounts';
import { words } from '../text/english';
import { visible } from '../text/visible';
import { ProblemNote } from '../ui/problem';
import { About, Card, Facts } from './parts';

export function Guards() {
  const { data, error } = useQuery(guardsQuery);
  return (
    <>
      <About>{words.policy.about}</About>
      {error ? <ProblemNote error={asApiError(error)} className="mb-4" /> : null}
      {data ? (
        <ul aria-label={words.policy.title} className="space-y-3">
          <Holds title={words.policy.all} guards={data.guards} />
          {data.rules.map(({ rule, repository, role, guards }) => (
            <Holds
              key={rule}
              title={words.policy.rule(
                rule,
                repository === null ? words.policy.anyRepository : visible(repository),
                role ?? words.policy.anybody,
              )}
              guards={guards}
            />
          ))}
        </ul>
      ) : null}
      <p className="mt-4 text-[0.8125rem] text-soft">
        {words.policy.first} <code className="font-mono text-code">lamplight guards --repo PATH --role member</code>
      </p>
    </>
  );
}

function Holds({ title, guards }: { title: string; guards: GuardLimit[] }) {
  return (
    <Card>
      <p className="font-medium [overflow-wrap:anywhere]">{title}</p>
      <Facts
        facts={[
          [words.policy.perTurn, inWords(guards, 'turn')],
          [words.policy.perSession, inWords(guards, 'session')],
        ]}
      />
    </Card>
  );
}

function inWords(guards: GuardLimit[], per: GuardLimit['per']): string {
  const said = guards
    .filter((one) => one.per === per)
    .map(({ guard, limit }) => (limit === 0 ? words.policy.noBound(guard) : amount(guard, limit)));
  return said.join(', ') || words.policy.asAll;
}
