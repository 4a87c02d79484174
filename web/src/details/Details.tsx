/** The drawer with what this session is: sandbox as enforced, agent, branch, hosts, and the same from a terminal. */

import type { SessionView } from '../api/types';
import { amount } from '../session/amounts';
import { useFacts } from '../session/view/context';
import { TIER, WallLine } from '../session/view/Walls';
import { CopyButton } from '../text/Code';
import { words } from '../text/english';
import { Filled } from '../text/Filled';
import { exactTime } from '../text/format';
import { visible } from '../text/visible';
import { Panel, type PanelProps } from '../ui/Drawer';
import { Icon } from '../ui/icons';
import { commandsOf } from './commands';
import { Family } from './Family';
import { Section } from './Section';

const SANDBOX_STATE: Record<SessionView['sandbox_state'], string> = words.details.sandboxStates;

export function Details({ close }: PanelProps) {
  const facts = useFacts();
  if (!facts) return null;
  return (
    <Panel title={words.details.title} shortcut="y" close={close}>
      <div className="min-h-0 flex-1 space-y-6 overflow-y-auto overscroll-contain p-4 text-[0.8125rem]">
        <Section title={words.details.session}>
          <Fact name={words.details.id} value={facts.id} copies />
          <Fact name={words.details.repository} value={facts.repository} copies />
          <Fact name={words.details.branch} value={facts.branch} copies />
          <Fact name={words.details.base} value={facts.base} />
          <Fact name={words.details.agent} value={facts.agent} />
          <Fact name={words.details.model} value={facts.model ?? words.details.agentsDefault} />
          <Fact name={words.details.person} value={`${facts.person.name} <${facts.person.email}>`} />
          <Fact name={words.details.begun} value={exactTime(Date.parse(facts.created_at))} />
        </Section>
        <Family facts={facts} />
        <Section title={words.details.commands}>
          <ul className="space-y-1">
            {commandsOf(facts).map(({ does, command }) => (
              <li key={command}>
                <span className="block text-2xs text-faint">{does}</span>
                <span className="flex items-center gap-1 rounded-lg border border-line bg-sunken py-0.5 pr-0.5 pl-2.5">
                  <code className="min-w-0 flex-1 py-1 font-mono text-code [overflow-wrap:anywhere]">
                    {visible(command)}
                  </code>
                  <CopyButton text={command} label={words.commands.copy(does)} />
                </span>
              </li>
            ))}
          </ul>
        </Section>
        <Section title={words.details.sandbox}>
          <p className="mb-2">{SANDBOX_STATE[facts.sandbox_state]}.</p>
          {facts.image ? (
            <Fact name={words.details.image} value={`${facts.image.name} (${facts.image.digest})`} />
          ) : null}
          {facts.sandbox ? (
            <>
              <p className={`mb-2 ${facts.sandbox.unsafe ? 'font-medium text-bad' : 'text-soft'}`}>
                {TIER[facts.sandbox.tier]}
              </p>
              <ul className="grid gap-1.5">
                {facts.sandbox.walls.map((wall) => (
                  <li key={wall.wall}>
                    <WallLine wall={wall} />
                  </li>
                ))}
              </ul>
            </>
          ) : null}
        </Section>
        <Section title={words.details.guards}>
          <ul className="space-y-0.5">
            {facts.guards.map(({ guard, per, limit, counted, raised }) => (
              <li key={guard} className="flex gap-3">
                <span className="w-24 shrink-0 text-soft">
                  {per === 'turn' ? words.policy.perTurn : words.policy.perSession}
                </span>
                <span>
                  {counted > 0 ? words.policy.of(amount(guard, counted), amount(guard, limit)) : amount(guard, limit)}
                  {raised ? <span className="text-lamp"> ({words.policy.raised})</span> : null}
                </span>
              </li>
            ))}
          </ul>
        </Section>
        <Section title={words.details.network}>
          <NetworkRule network={facts.network} />
          <Hosts
            title={words.details.reached}
            contacts={facts.contacts.filter((contact) => contact.refused === null)}
          />
          <Hosts
            title={words.details.refused}
            contacts={facts.contacts.filter((contact) => contact.refused !== null)}
          />
        </Section>
      </div>
    </Panel>
  );
}

function Fact({ name, value, copies = false }: { name: string; value: string; copies?: boolean }) {
  return (
    <div className="flex min-h-7 items-center gap-3">
      <span className="w-24 shrink-0 text-soft">{name}</span>
      <bdi className="min-w-0 break-words [overflow-wrap:anywhere]">{visible(value)}</bdi>
      {copies ? <CopyButton text={value} label={words.details.copy(name)} /> : null}
    </div>
  );
}

function NetworkRule({ network }: { network: SessionView['network'] }) {
  switch (network.policy) {
    case 'open':
      return <p className="text-soft">{words.details.open}</p>;
    case 'none':
      return <p className="text-soft">{words.details.none}</p>;
    case 'allowlist':
      return (
        <p className="text-soft">
          <Filled
            sentence={words.details.allowlist}
            parts={{ hosts: <bdi className="font-mono text-code">{network.hosts.map(visible).join(', ')}</bdi> }}
          />
        </p>
      );
  }
}

function Hosts({ title, contacts }: { title: string; contacts: SessionView['contacts'] }) {
  if (contacts.length === 0) return null;
  return (
    <>
      <h4 className="mt-3 mb-1 text-2xs text-faint">{title}</h4>
      <ul className="space-y-1">
        {contacts.map(({ host, port, refused }) => (
          <li key={`${host}:${port}:${refused}`} className="flex items-baseline gap-2">
            <Icon
              name={refused === null ? 'check' : 'cross'}
              className={`size-3 ${refused === null ? 'text-good' : 'text-bad'}`}
            />
            <span className="min-w-0">
              <bdi className="font-mono text-code [overflow-wrap:anywhere]">
                {visible(host)}
                {port > 0 ? `:${port}` : ''}
              </bdi>
              {refused === null ? null : <span className="block text-2xs text-soft">{visible(refused)}</span>}
            </span>
          </li>
        ))}
      </ul>
    </>
  );
}
