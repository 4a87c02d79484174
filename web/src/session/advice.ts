/** What happened, in words, and what a person can do about it. */
import type { Failure, Guard, Outcome, StopReason } from '../api/events';
import type { TroubleItem } from './items';

export const GUARDS: Record<Guard, { title: string; advice: string }> = {
  steps: {
    title: 'Stopped at the step limit',
    advice: 'Look at what was done. A follow-up goes on from here with a fresh count of steps.',
  },
  failures_in_a_row: {
    title: 'Stopped because one tool kept failing',
    advice: 'The last calls above say why. Tell the agent another way, or fix what it runs into, then follow up.',
  },
  identical_calls: {
    title: 'Stopped because the agent went in circles',
    advice: 'It made the same call again and again. A follow-up with a hint usually gets it out.',
  },
  silence: {
    title: 'Stopped because nothing was heard for too long',
    advice: 'Often a command that waits for input or a model that does not answer. Follow up to try again.',
  },
  wall_clock: {
    title: 'Stopped at the time limit',
    advice: 'What was done is kept. A follow-up goes on from here with a fresh clock.',
  },
  budget: {
    title: 'Stopped because the budget is spent',
    advice: 'What was done is kept. Set a higher budget below, and what waits goes on.',
  },
  month_budget: {
    title: 'Stopped because a budget of this month is spent',
    advice: 'What was done is kept. Raise the budget in the configuration or wait for the next month, then follow up.',
  },
  paused: {
    title: 'Stopped because nobody resumed it',
    advice: 'What was done is kept. A follow-up goes on from here.',
  },
};

export const TROUBLES: Record<TroubleItem['what'], string> = {
  sandbox_failed: 'The sandbox could not be made ready',
  sandbox_lost: 'The sandbox was lost',
  agent_broken: 'The agent broke its protocol and was ended',
  agent_exited: 'The agent exited',
  work_not_committed: 'The work could not be committed',
};

export function failureAdvice(failure: Failure | null): string {
  switch (failure?.class) {
    case undefined:
      return '';
    case 'transient':
      return 'It is tried again by itself, at most three times.';
    case 'persistent':
      return failure.side === 'agent'
        ? 'Trying again unchanged gives the same. Say it in another way, or choose another model.'
        : 'Trying again unchanged gives the same. `lamplight doctor` says what is missing on the machine.';
    case 'fatal':
      return 'This session cannot go on. What was committed stays on its branch; start a new session from there.';
    case 'needs_you':
      return 'Once that is done, send a follow-up to go on.';
  }
}

/** The same for a turn that has ended: nobody but a person tries it again. */
export function turnAdvice(failure: Failure): string {
  return failure.class === 'transient'
    ? 'Usually this goes away by itself. Send the prompt again.'
    : failureAdvice(failure);
}

const STOP_REASONS: Record<StopReason, string> = {
  end_turn: 'completed',
  max_tokens: 'ended: the model reached its limit of tokens',
  max_turn_requests: 'ended: the agent reached its own limit of requests',
  refusal: 'ended: the model refused',
  cancelled: 'cancelled',
};

/** After "Turn 2". */
export function outcomeWords(outcome: Outcome): string {
  switch (outcome.how) {
    case 'completed':
      return STOP_REASONS[outcome.stop_reason];
    case 'stopped':
      return `stopped by ${outcome.by}`;
    case 'tripped':
      return `ended: ${GUARDS[outcome.guard].title.toLowerCase()}`;
    case 'failed':
      return 'failed';
  }
}
