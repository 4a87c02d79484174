/** The agents that sessions can be given to, and how one is had that is not there. */
import { useQuery } from '@tanstack/react-query';
import { asApiError } from '../api/client';
import { agentsQuery } from '../api/queries';
import type { AgentInfo } from '../api/types';
import { CopyButton } from '../text/Code';
import { words } from '../text/english';
import { visible } from '../text/visible';
import { ProblemNote } from '../ui/problem';
import { About, Card } from './parts';

export function Agents() {
  const agents = useQuery(agentsQuery);
  return (
    <>
      <About>{words.agents.about}</About>
      {agents.error ? <ProblemNote error={asApiError(agents.error)} className="mb-4" /> : null}
      <ul aria-label={words.agents.title} className="space-y-3">
        {(agents.data?.items ?? []).map((agent) => (
          <Card key={agent.name}>
            <Agent agent={agent} />
          </Card>
        ))}
      </ul>
    </>
  );
}

function Agent({ agent }: { agent: AgentInfo }) {
  const command = `lamplight agents install ${agent.name}`;
  return (
    <>
      <h3 className="flex flex-wrap items-baseline gap-x-2 font-medium">
        <bdi>{visible(agent.title)}</bdi>
        <span className="font-mono text-2xs font-normal text-faint">{visible(agent.name)}</span>
        {agent.default ? <span className="text-2xs font-normal text-lamp">{words.agents.default}</span> : null}
      </h3>
      {agent.installed ? (
        <p className="text-[0.8125rem] text-soft">
          {agent.version === 'configured'
            ? words.agents.configured
            : words.agents.installed(visible(agent.version ?? ''))}
          {agent.upstreams.length > 0 ? ` \u00b7 ${words.agents.models(agent.upstreams.join(', '))}` : ''}
        </p>
      ) : (
        <>
          <p className="text-[0.8125rem] text-soft">{words.agents.notInstalled}</p>
          <p className="mt-1 flex items-center gap-1 rounded-lg border border-line bg-sunken py-0.5 pr-0.5 pl-2.5">
            <code className="min-w-0 flex-1 py-1 font-mono text-code [overflow-wrap:anywhere]">{visible(command)}</code>
            <CopyButton text={command} />
          </p>
        </>
      )}
    </>
  );
}
