/** The repositories that sessions worked on, each with what new sessions get there. */
import { useQuery } from '@tanstack/react-query';
import { asApiError } from '../api/client';
import { repositoriesQuery } from '../api/queries';
import type { Repository } from '../api/types';
import { words } from '../text/english';
import { ago, baseName, dollars } from '../text/format';
import { visible } from '../text/visible';
import { useNow } from '../ui/hooks';
import { ProblemNote } from '../ui/problem';
import { About, Card, Facts, Nothing } from './parts';

const TICK_MS = 60_000;

export function Repositories() {
  const repositories = useQuery(repositoriesQuery);
  const now = useNow(TICK_MS);
  const items = repositories.data?.items ?? [];
  return (
    <>
      <About>{words.repositories.about}</About>
      {repositories.error ? <ProblemNote error={asApiError(repositories.error)} className="mb-4" /> : null}
      {repositories.isSuccess && items.length === 0 ? <Nothing>{words.repositories.nothing}</Nothing> : null}
      <ul aria-label={words.repositories.title} className="space-y-3">
        {items.map((repository) => (
          <Card key={repository.path}>
            <h3 className="flex flex-wrap items-baseline gap-x-3 font-medium">
              <bdi>{visible(baseName(repository.path))}</bdi>
              <bdi className="min-w-0 font-mono text-2xs font-normal text-faint [overflow-wrap:anywhere]">
                {visible(repository.path)}
              </bdi>
              <span className="grow" />
              <span className="text-2xs font-normal text-faint">
                {words.repositories.lastUsed(ago(repository.last_used_at, now))}
              </span>
            </h3>
            <Configured configured={repository.configured} />
          </Card>
        ))}
      </ul>
    </>
  );
}

function Configured({ configured }: { configured: Repository['configured'] }) {
  const facts = configured ? factsOf(configured) : [];
  if (facts.length === 0) return <p className="text-[0.8125rem] text-soft">{words.repositories.asAll}</p>;
  return <Facts facts={facts} />;
}

/** What is said of it; the rest is as for every repository. */
function factsOf(configured: NonNullable<Repository['configured']>): [string, string][] {
  const { agent, permissions, network, image, budget_micros, budget_month_micros, steps } = configured;
  const { facts, networks, policies } = words.repositories;
  const told: [string, string | null][] = [
    [facts.agent, agent],
    [facts.permissions, permissions && policies[permissions]],
    [facts.network, network && (network.policy === 'allowlist' ? network.hosts.join(', ') : networks[network.policy])],
    [facts.image, image],
    [facts.steps, steps === null ? null : String(steps)],
    [facts.budget, budget_micros ? dollars(budget_micros) : null],
    [facts.month, budget_month_micros > 0 ? dollars(budget_month_micros) : null],
  ];
  return told.flatMap(([name, what]) => (what === null ? [] : [[name, visible(what)] as [string, string]]));
}
