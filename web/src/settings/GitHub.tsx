/** How this server is connected to GitHub: asked anew whenever this is opened, because GitHub itself is asked for it. */
import { useQuery } from '@tanstack/react-query';
import { api, asApiError } from '../api/client';
import type { GitHubStanding } from '../api/types';
import { words } from '../text/english';
import { clock } from '../text/format';
import { visible } from '../text/visible';
import { Button } from '../ui/button';
import { Icon } from '../ui/icons';
import { ProblemNote } from '../ui/problem';
import { About, Card, Facts } from './parts';

export function GitHub() {
  const github = useQuery({ queryKey: ['github'], queryFn: api.github, staleTime: 0, retry: false });
  return (
    <>
      <About>{words.github.about}</About>
      {github.error ? <ProblemNote error={asApiError(github.error)} className="mb-4" /> : null}
      {github.isPending ? <p className="text-faint">{words.review.asking}</p> : null}
      {github.data ? (
        <>
          <Facts facts={facts(github.data)} />
          <Findings findings={github.data.findings} />
          <Button size="small" disabled={github.isFetching} onClick={() => void github.refetch()}>
            {words.github.again}
          </Button>
        </>
      ) : null}
    </>
  );
}

function facts(standing: GitHubStanding): [string, string][] {
  const { connection, host, webhooks, poll_seconds, repositories, as_person, limits } = standing;
  const told: [string, string][] = [[words.github.connection, asWhom(connection, host)]];
  if (connection === 'none') return told;
  const looks = poll_seconds === null ? null : words.github.looks(poll_seconds);
  const hears = [webhooks ? words.github.webhooks : null, looks].filter((one) => one !== null).join(', ');
  const names = repositories.map(visible).join(', ');
  told.push([words.github.hears, hears === '' ? words.github.deaf : hears]);
  told.push([words.github.repositories, names === '' ? words.github.everyRepository : names]);
  told.push([words.github.opens, as_person ? words.github.asPerson : words.github.asItself]);
  if (limits)
    told.push([
      words.github.limits,
      words.github.left(limits.remaining, limits.limit, clock(Date.parse(limits.resets_at))),
    ]);
  return told;
}

function asWhom(connection: GitHubStanding['connection'], host: string): string {
  const as = words.github.connections[connection];
  return connection === 'none' ? as : `${as} (${visible(host)})`;
}

function Findings({ findings }: { findings: GitHubStanding['findings'] }) {
  if (findings.length === 0) return null;
  return (
    <>
      <h3 className="mt-6 mb-2 text-[0.8125rem] font-medium">{words.github.findings}</h3>
      <ul aria-label={words.github.findings} className="mb-4 space-y-2">
        {findings.map(({ is_well, detail, what_to_do }) => (
          <Card key={detail}>
            <p className="flex items-start gap-2 text-[0.8125rem]">
              <Icon name={is_well ? 'check' : 'alert'} className={is_well ? 'mt-0.5 text-good' : 'mt-0.5 text-warn'} />
              <span className="min-w-0 wrap-anywhere">{visible(detail)}</span>
            </p>
            {what_to_do === null ? null : (
              <p className="mt-1 pl-6 text-2xs text-soft wrap-anywhere">{visible(what_to_do)}</p>
            )}
          </Card>
        ))}
      </ul>
    </>
  );
}
