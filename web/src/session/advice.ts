/** What happened, in words, and what a person can do about it. */

import type { Failure, Guard, Outcome, StopReason } from '../api/events';
import { words } from '../text/english';
import type { TroubleItem } from './items';

export const GUARDS: Record<Guard, { title: string; advice: string }> = words.guards;

export const TROUBLES: Record<TroubleItem['what'], string> = words.troubles;

export function failureAdvice(failure: Failure | null): string {
  switch (failure?.class) {
    case undefined:
      return '';
    case 'transient':
      return words.advice.transient;
    case 'persistent':
      return failure.side === 'agent' ? words.advice.agentPersistent : words.advice.persistent;
    case 'fatal':
      return words.advice.fatal;
    case 'needs_you':
      return words.advice.needsYou;
  }
}

/** The same for a turn that has ended: nobody but a person tries it again. */
export function turnAdvice(failure: Failure): string {
  return failure.class === 'transient' ? words.advice.turnTransient : failureAdvice(failure);
}

const STOP_REASONS: Record<StopReason, string> = words.outcomes.stopReasons;

/** After "Turn 2". */
export function outcomeWords(outcome: Outcome): string {
  switch (outcome.how) {
    case 'completed':
      return STOP_REASONS[outcome.stop_reason];
    case 'stopped':
      return words.outcomes.stopped(outcome.by);
    case 'tripped':
      return words.outcomes.tripped(GUARDS[outcome.guard].title);
    case 'failed':
      return words.outcomes.failed;
  }
}
