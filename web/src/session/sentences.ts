/** What happened, in one sentence, where a sentence is all there is to see of it. */
import type { BudgetOf, CheckedCommand, Event } from '../api/events';
import { words } from '../text/english';
import { dollars, duration } from '../text/format';
import type { GuardItem } from './items';

type Told = Extract<
  Event,
  {
    type:
      | 'model_chosen'
      | 'attempt_taken'
      | 'child_begun'
      | 'parent_ended'
      | 'session_ended'
      | 'session_archived'
      | 'session_unarchived'
      | 'pause_requested'
      | 'pause_failed'
      | 'resume_requested'
      | 'release_announced'
      | 'sandbox_released'
      | 'terminal_opened'
      | 'artifacts_kept'
      | 'budget_set'
      | 'priority_set'
      | 'sandbox_queued'
      | 'budget_neared'
      | 'turn_continued'
      | 'checkpoint_failed'
      | 'restore_requested'
      | 'files_restored'
      | 'restore_failed'
      | 'retry_planned'
      | 'branch_pushed'
      | 'pull_request_published'
      | 'branch_updated'
      | 'nothing_to_check'
      | 'checks_requested'
      | 'checks_ended';
  }
>;

/** Artifacts whose names are said. */
const NAMED = 3;

/** What a guard says that has tripped. */
export function guardOf(event: Event & { type: 'guard_tripped' }): Omit<GuardItem, 'key' | 'seq' | 'at' | 'kind'> {
  const { turn, guard, detail, limit = null, counted = null } = event;
  return { turn, guard, detail, limit, counted };
}

/** `at` is when the event was logged, in ms. */
export function sentence(event: Told, at: number): string {
  switch (event.type) {
    case 'model_chosen':
      return words.notes.model_chosen(event.by, event.model);
    case 'attempt_taken':
      return words.notes.attempt_taken(event.by, event.session.slice(-8));
    case 'child_begun':
      return words.notes.child_begun(event.by_agent ? null : event.by, event.session.slice(-8));
    case 'parent_ended':
      return words.notes.parent_ended(event.by);
    case 'session_ended':
      return words.notes.session_ended(event.by);
    case 'session_archived':
      return words.notes.session_archived(event.by);
    case 'session_unarchived':
      return words.notes.session_unarchived(event.by);
    case 'pause_requested':
      return words.notes.pause_requested(event.by ?? null);
    case 'pause_failed':
      return words.notes.pause_failed(event.detail);
    case 'resume_requested':
      return words.notes.resume_requested(event.by ?? null);
    case 'release_announced':
      return words.notes.release_announced(duration(event.at - at));
    case 'sandbox_released':
      return words.notes.sandbox_released(event.reason, event.keep_files);
    case 'terminal_opened':
      return words.notes.terminal_opened(event.by);
    case 'artifacts_kept':
      return words.notes.artifacts_kept(
        event.artifacts.slice(0, NAMED).map(({ name }) => name),
        event.artifacts.length,
      );
    case 'budget_set':
      return event.budget_micros === 0
        ? words.notes.budget_taken(event.by)
        : words.notes.budget_set(event.by, dollars(event.budget_micros));
    case 'priority_set':
      return words.notes.priority_set(event.by, event.priority);
    case 'sandbox_queued':
      return words.notes.sandbox_queued;
    case 'turn_continued':
      return words.notes.turn_continued(event.by);
    case 'budget_neared':
      return words.notes.budget_neared(dollars(event.spent_micros), budgetOf(event.of, event.budget_micros));
    case 'checkpoint_failed':
      return words.notes.checkpoint_failed(event.detail);
    case 'restore_requested':
      return words.notes.restore_requested(event.by, event.checkpoint);
    case 'files_restored':
      return words.notes.files_restored(event.checkpoint);
    case 'restore_failed':
      return words.notes.restore_failed(event.checkpoint, event.detail);
    case 'retry_planned':
      return words.notes.retry_planned(event.failure.message, event.retry);
    case 'branch_pushed':
      return words.notes.branch_pushed(event.commit.slice(0, 8));
    case 'branch_updated':
      return words.notes.branch_updated(event.by, event.commit.id.slice(0, 8));
    case 'nothing_to_check':
      return words.notes.nothing_to_check(event.why ?? null);
    case 'checks_requested':
      return words.notes.checks_requested(
        event.commit.slice(0, 8),
        event.plan.commands.join('; '),
        event.plan.detected ?? null,
      );
    case 'checks_ended': {
      const ran = event.commands.map(
        ({ command, status, ms }) => `${command} (${statusText(status)}, ${duration(ms)})`,
      );
      const about = event.verdict === 'not_run' ? event.why : event.verdict === 'stopped' ? event.by : ran.join('; ');
      return words.notes.checks_ended[event.verdict](about);
    }
    case 'pull_request_published': {
      const { head, repository, number } = event.pull_request;
      return words.notes.pull_request_published(event.by, head.slice(0, 8), `${repository}#${number}`);
    }
  }
}

function statusText(status: CheckedCommand['status']): string {
  if (!status) return words.notes.outOfTime;
  return status.ended === 'code' ? words.notes.exit(status.code) : words.notes.signal(status.signal);
}

export function exitText(event: Event & { type: 'agent_exited' }): string {
  const { status } = event;
  const how = !status
    ? words.notes.agentGone
    : status.ended === 'code'
      ? words.notes.agentExited(status.code)
      : words.notes.agentSignalled(status.signal);
  return event.detail ? `${how}: ${event.detail}` : how;
}

/** Such as "this month's budget of $50.00 for Ada". */
export function budgetOf(of: BudgetOf | undefined, micros: number): string {
  const budget = dollars(micros);
  switch (of?.whose) {
    case 'person':
      return words.budget.ofPerson(budget, of.name);
    case 'repository':
      return words.budget.ofRepository(budget, of.path);
    case 'deployment':
      return words.budget.ofDeployment(budget);
    case 'session':
    case undefined:
      return words.budget.ofSession(budget);
  }
}
