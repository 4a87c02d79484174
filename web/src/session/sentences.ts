/** What happened, in one sentence, where a sentence is all there is to see of it. */
import type { BudgetOf, Event } from '../api/events';
import { dollars, duration } from '../text/format';

type Told = Extract<
  Event,
  {
    type:
      | 'model_chosen'
      | 'session_ended'
      | 'session_archived'
      | 'session_unarchived'
      | 'pause_requested'
      | 'pause_failed'
      | 'resume_requested'
      | 'release_announced'
      | 'sandbox_released'
      | 'terminal_opened'
      | 'budget_set'
      | 'budget_neared'
      | 'checkpoint_failed'
      | 'restore_requested'
      | 'files_restored'
      | 'restore_failed'
      | 'retry_planned'
      | 'branch_pushed'
      | 'pull_request_published';
  }
>;

/** `at` is when the event was logged, in ms. */
export function sentence(event: Told, at: number): string {
  switch (event.type) {
    case 'model_chosen':
      return `${event.by} chose the model ${event.model}`;
    case 'session_ended':
      return `${event.by} ended the session`;
    case 'session_archived':
      return `${event.by} archived the session`;
    case 'session_unarchived':
      return `${event.by} put the session back into the list`;
    case 'pause_requested':
      return `Paused ${event.by ? `by ${event.by}` : 'as there is nothing to do'}: everything in the sandbox stands still, in memory`;
    case 'pause_failed':
      return `The sandbox cannot be paused, so it runs on: ${event.detail}`;
    case 'resume_requested':
      return event.by ? `Resumed by ${event.by}` : 'Resumed';
    case 'release_announced':
      return `Nothing was asked of this session for a while. Its sandbox is stopped in ${duration(event.at - at)}; its files are kept.`;
    case 'sandbox_released':
      return `Sandbox given back${event.keep_files ? ', its files are kept' : ''}: ${event.reason}`;
    case 'terminal_opened':
      return `${event.by} opened a terminal`;
    case 'budget_set':
      return event.budget_micros === 0
        ? `${event.by} took the budget away`
        : `${event.by} set the budget to ${dollars(event.budget_micros)}`;
    case 'budget_neared':
      return `${dollars(event.spent_micros)} of ${budgetOf(event.of, event.budget_micros)} are spent`;
    case 'checkpoint_failed':
      return `The files could not be kept: ${event.detail}`;
    case 'restore_requested':
      return `${event.by} goes back to checkpoint ${event.checkpoint}`;
    case 'files_restored':
      return `Files, conversation and commits are those of checkpoint ${event.checkpoint}`;
    case 'restore_failed':
      return `Checkpoint ${event.checkpoint} could not be restored, so everything stays as it is: ${event.detail}`;
    case 'retry_planned':
      return `${event.failure.message} Trying again in a moment (${event.retry} of 3)`;
    case 'branch_pushed':
      return `The agent pushed ${event.commit.slice(0, 8)} to the session's branch`;
    case 'pull_request_published':
      return `${event.by} published ${event.pull_request.head.slice(0, 8)} in ${event.pull_request.repository}#${event.pull_request.number}`;
  }
}

export function exitText(event: Event & { type: 'agent_exited' }): string {
  const how =
    event.status === null
      ? 'The agent is gone'
      : event.status.ended === 'code'
        ? `The agent exited with code ${event.status.code}`
        : `The agent was ended by signal ${event.status.signal}`;
  return event.detail ? `${how}: ${event.detail}` : how;
}

/** Such as "this month's budget of $50.00 for Ada". */
export function budgetOf(of: BudgetOf | undefined, micros: number): string {
  const budget = dollars(micros);
  switch (of?.whose) {
    case 'person':
      return `this month's budget of ${budget} for ${of.name}`;
    case 'repository':
      return `this month's budget of ${budget} for the repository ${of.path}`;
    case 'deployment':
      return `this month's budget of ${budget} for all sessions`;
    case 'session':
    case undefined:
      return `the budget of ${budget}`;
  }
}
