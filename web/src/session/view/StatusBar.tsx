/** One line that is always true: phase, steps, time, tokens, and how fresh all of it is. */
import { useQuery } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import { queueQuery } from '../../api/queries';
import type { ConnectionState } from '../../api/socket';
import type { SessionView } from '../../api/types';
import { words } from '../../text/english';
import { count, dollars, duration } from '../../text/format';
import { visible } from '../../text/visible';
import { useNow } from '../../ui/hooks';
import { Icon } from '../../ui/icons';
import { isBusy, isWorking, PhaseLabel, phaseWord } from '../../ui/phase';
import { BudgetDialog } from './BudgetDialog';
import { useFacts, useSession, useStore } from './context';
import { waitOf } from './place';

/** Without an entry for this long, work takes longer than expected. */
const EXPECTED_MS = 30_000;

export function StatusBar() {
  const facts = useFacts();
  if (!facts) return null;
  return (
    <footer className="flex h-7 items-center gap-3 overflow-hidden border-t border-line bg-sunken px-3 text-2xs whitespace-nowrap text-soft sm:gap-4 sm:px-4">
      <span className="flex min-w-0 shrink gap-1.5">
        <PhaseLabel phase={facts.phase} />
        {facts.phase === 'queued' ? (
          <QueuePlace id={facts.id} />
        ) : facts.reason ? (
          <span className="truncate" title={visible(facts.reason)}>
            {visible(facts.reason)}
          </span>
        ) : null}
      </span>
      <Announcer facts={facts} />
      {facts.turn > 0 ? (
        <span title={words.status.stepsTitle(facts.turn)}>{words.status.steps(facts.steps)}</span>
      ) : null}
      {facts.turn > 0 ? <Elapsed facts={facts} /> : null}
      <TokenCount facts={facts} />
      <Money facts={facts} />
      <Standstill facts={facts} />
      <Slow facts={facts} />
      <span className="grow" />
      <People />
      <Connection />
    </footer>
  );
}

/** Where it waits, and what for. */
function QueuePlace({ id }: { id: string }) {
  const place = useQuery(queueQuery).data?.items.find((queued) => queued.id === id);
  if (!place) return null;
  return (
    <span className="truncate" title={visible(place.reason)}>
      {words.line.placeAndWait(place.queue_position, waitOf(place))} · {visible(place.reason)}
    </span>
  );
}

export function Elapsed({ facts }: { facts: Pick<SessionView, 'phase' | 'turn_started_at' | 'elapsed_ms'> }) {
  const running = isWorking(facts.phase) && facts.turn_started_at !== null;
  const now = useNow(running ? 1_000 : null);
  const ms = running ? now - Date.parse(facts.turn_started_at ?? '') : facts.elapsed_ms;
  return (
    <span className="tabular-nums" title={words.status.elapsed}>
      {duration(ms)}
    </span>
  );
}

/** What models cost, and the budget, which is set here. */
function Money({ facts }: { facts: SessionView }) {
  const [asking, setAsking] = useState(false);
  const { micros, is_partial } = facts.cost;
  const budget = facts.budget_micros;
  const near = budget > 0 && micros >= budget * 0.8;
  const spent = micros > 0 ? (is_partial ? words.status.over(dollars(micros)) : dollars(micros)) : null;
  const said =
    budget > 0
      ? words.status.spentOf(spent ?? (is_partial ? words.status.unknown : dollars(0)), dollars(budget))
      : (spent ?? words.status.noBudget);
  const known = is_partial ? words.status.pricedPartly : words.status.priced;
  return (
    <>
      <button
        type="button"
        disabled={facts.ended}
        onClick={() => setAsking(true)}
        className={`rounded px-1 tabular-nums enabled:hover:bg-hover ${near ? 'font-medium text-warn' : ''}`}
        title={words.status.moneyTitle(known, dollars(facts.turn_cost.micros))}
      >
        {said}
      </button>
      {asking ? <BudgetDialog facts={facts} close={() => setAsking(false)} /> : null}
    </>
  );
}

function TokenCount({ facts }: { facts: SessionView }) {
  const { input, output, cached } = facts.tokens;
  if (input + output === 0) return null;
  return (
    <span className="tabular-nums" title={words.status.tokensTitle(input, cached, output)}>
      {words.status.tokens(count(input + output))}
    </span>
  );
}

/** Whether memory is kept or files alone; nothing is said of a sandbox that runs. */
function Standstill({ facts }: { facts: SessionView }) {
  if (facts.sandbox_state === 'paused') {
    return <span title={words.status.pausedTitle}>{words.status.paused}</span>;
  }
  if (facts.sandbox_state === 'stopped') {
    return <span title={words.status.stoppedTitle}>{words.status.stopped}</span>;
  }
  return null;
}

/** Who else looks at this session; nothing while one page is all that does. */
function People() {
  const people = useSession((state) => state.people);
  const streams = people.reduce((sum, present) => sum + present.streams, 0);
  if (streams < 2) return null;
  const names = people.map(({ name, streams: n }) => (n > 1 ? `${visible(name)} \u00d7${n}` : visible(name)));
  return (
    <span
      className="flex min-w-0 items-center gap-1"
      title={words.status.peopleTitle(names.join(', '))}
      data-people={streams}
    >
      <Icon name="people" className="size-3.5" />
      <span className="sr-only">{words.status.people} </span>
      <bdi className="truncate max-sm:hidden">{names.join(', ')}</bdi>
      <span className="sm:hidden" aria-hidden="true">
        {streams}
      </span>
    </span>
  );
}

function Slow({ facts }: { facts: SessionView }) {
  const lastNewsAt = useSession((state) => state.lastNewsAt);
  const connected = useSession((state) => state.connection.state === 'connected');
  const busy = isBusy(facts.phase);
  const now = useNow(busy ? 1_000 : null);
  const silent = now - lastNewsAt;
  if (!busy || !connected || silent < EXPECTED_MS) return null;
  return (
    <span className="truncate text-warn" role="status">
      {words.status.slow(duration(silent))}
    </span>
  );
}

/** Says a new phase to those who listen instead of look; never the first one. */
function Announcer({ facts }: { facts: SessionView }) {
  const last = useRef(facts.phase);
  const [said, setSaid] = useState('');
  useEffect(() => {
    if (last.current === facts.phase) return;
    last.current = facts.phase;
    setSaid(facts.reason ? `${phaseWord(facts.phase)}: ${facts.reason}` : phaseWord(facts.phase));
  }, [facts.phase, facts.reason]);
  return (
    <span className="sr-only" aria-live="polite">
      {said}
    </span>
  );
}

function Connection() {
  const store = useStore();
  const connection = useSession((state) => state.connection);
  return (
    <span className="flex min-w-0 items-center gap-1.5" data-connection={connection.state} role="status">
      <span
        aria-hidden="true"
        className={`size-1.5 shrink-0 rounded-full ${connection.state === 'connected' ? 'bg-good' : connection.state === 'offline' ? 'bg-bad' : 'bg-warn'}`}
      />
      {/* A phone has no room for what the dot says of a connection that is there. */}
      <span className={connection.state === 'connected' ? 'max-sm:sr-only' : ''}>
        <ConnectionWords connection={connection} />
      </span>
      {connection.state === 'reconnecting' ? (
        <button type="button" className="underline underline-offset-2" onClick={() => store.retryNow()}>
          {words.status.now}
        </button>
      ) : null}
    </span>
  );
}

function ConnectionWords({ connection }: { connection: ConnectionState }) {
  const now = useNow(connection.state === 'reconnecting' ? 250 : null);
  switch (connection.state) {
    case 'connecting':
      return words.status.connecting;
    case 'connected':
      return words.status.connected;
    case 'offline':
      return words.status.offline;
    case 'reconnecting': {
      const seconds = Math.ceil((connection.retryAt - now) / 1000);
      return words.status.reconnecting(seconds);
    }
  }
}
