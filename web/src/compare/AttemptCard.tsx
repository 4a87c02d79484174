/** One attempt: who works on it, how it stands, and what can be done with it. */

import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import type { Attempt, Checks, SessionView } from '../api/types';
import { Elapsed } from '../session/view/StatusBar';
import { compareWords as words } from '../text/compare';
import { words as common } from '../text/english';
import { count, dollars } from '../text/format';
import { visible } from '../text/visible';
import { Button, buttonClass } from '../ui/button';
import { PhaseLabel } from '../ui/phase';
import { numberOf, standingOf } from './attempts';

const CHECK_LOOK: Partial<Record<Checks['state'], string>> = { passed: 'text-good', failed: 'text-bad' };

interface AttemptCardProps {
  attempt: Attempt;
  /** What it changed is what is shown below. */
  isShown: boolean;
  show: () => void;
  take: () => void;
}

export function AttemptCard({ attempt, isShown, show, take }: AttemptCardProps) {
  const { session, last_message: said } = attempt;
  const [number, standing] = [numberOf(attempt), standingOf(session)];
  const frame = standing === 'taken' ? 'border-lamp-fill' : isShown ? 'border-line-strong' : 'border-line';
  return (
    <li
      aria-label={words.attempt(number)}
      className={`flex min-w-0 flex-col rounded-xl border bg-raised p-3 ${frame} ${isShown ? 'shadow-sm' : ''}`}
    >
      <div className="flex items-baseline gap-2">
        <span className="text-soft tabular-nums">{number}</span>
        <h2 className="min-w-0 grow truncate font-medium" title={visible(session.agent)}>
          {visible(session.agent)}{' '}
          <span className="font-normal text-soft">{session.model ? visible(session.model) : words.agentsDefault}</span>
        </h2>
        {standing === 'taken' ? (
          <span className="rounded-full bg-lamp-tint px-2 py-0.5 text-2xs font-medium text-lamp">
            {words.taken(visible(session.attempts?.taken?.by ?? ''))}
          </span>
        ) : null}
        {standing === 'left' ? <span className="text-2xs text-faint">{words.left}</span> : null}
      </div>
      <p className="mt-1 flex min-w-0 gap-2 text-[0.8125rem]">
        <PhaseLabel phase={session.phase} />
        {session.reason ? (
          <span className="truncate text-soft" title={visible(session.reason)}>
            {visible(session.reason)}
          </span>
        ) : null}
      </p>
      <dl className="mt-3 grid grid-cols-[auto_minmax(0,1fr)_auto_minmax(0,1fr)] gap-x-3 gap-y-1 text-[0.8125rem]">
        <Fact name={words.changed}>
          <Change changed={attempt.changed} />
        </Fact>
        <Fact name={words.checks}>
          <ChecksWord checks={session.checks} />
        </Fact>
        <Fact name={words.steps}>{session.steps}</Fact>
        <Fact name={words.time}>{session.turn > 0 ? <Elapsed facts={session} /> : words.none}</Fact>
        <Fact name={words.tokens}>{tokensOf(session)}</Fact>
        <Fact name={words.cost}>{costOf(session)}</Fact>
      </dl>
      <section
        aria-label={words.said(number)}
        className={`mt-3 max-h-40 min-h-16 grow overflow-y-auto rounded-lg bg-sunken px-2.5 py-2 text-[0.8125rem] wrap-anywhere whitespace-pre-wrap ${said ? '' : 'text-faint'}`}
        // What can be scrolled can be reached by keys.
        tabIndex={0}
      >
        {said ? visible(said) : words.saysNothing}
      </section>
      <div className="mt-3 flex items-center gap-2">
        <Button
          size="small"
          aria-pressed={isShown}
          aria-label={words.showChanges(number)}
          onClick={show}
          className={isShown ? 'border-lamp-fill! text-lamp!' : ''}
        >
          {words.changes}
        </Button>
        <Link
          to="/sessions/$id"
          params={{ id: session.id }}
          aria-label={words.openOf(number)}
          className={buttonClass({ size: 'small' })}
        >
          {words.open}
        </Link>
        <span className="grow" />
        {standing === 'open' && !session.ended ? (
          <Button size="small" look={isShown ? 'primary' : 'outline'} aria-label={words.takeOf(number)} onClick={take}>
            {words.take}
          </Button>
        ) : null}
      </div>
    </li>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt className="text-faint">{name}</dt>
      <dd className="min-w-0 tabular-nums">{children}</dd>
    </>
  );
}

function Change({ changed }: { changed: Attempt['changed'] }) {
  if (!changed) return words.none;
  if (changed.files === 0) return <span className="text-faint">{words.nothing}</span>;
  return (
    <>
      {words.files(changed.files)} <span className="text-good">+{changed.insertions}</span>{' '}
      <span className="text-bad">{`\u2212${changed.deletions}`}</span>
    </>
  );
}

function ChecksWord({ checks }: { checks: Checks | null }) {
  if (!checks) return words.none;
  return <span className={CHECK_LOOK[checks.state] ?? 'text-soft'}>{words.checkStates[checks.state]}</span>;
}

function tokensOf({ tokens }: SessionView): string {
  const sum = tokens.input + tokens.output;
  return sum > 0 ? count(sum) : words.none;
}

function costOf({ cost }: SessionView): string {
  if (cost.micros === 0) return cost.is_partial ? common.status.unknown : words.none;
  return cost.is_partial ? common.status.over(dollars(cost.micros)) : dollars(cost.micros);
}
