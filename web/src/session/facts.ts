/**
 * The session's header, kept up to date between two looks at the server. The phase and its reason are not derived here:
 * one function on the server does that, and the page asks it again whenever an entry may have changed the answer.
 */

import type { Entry, Event, ToolCall } from '../api/events';
import type { Attachment, SessionView } from '../api/types';
import { words } from '../text/english';

/**
 * `view` with one more entry applied; entries that the view already contains change nothing. `startsCall` says whether the
 * entry is the first of a tool call, which is a step.
 */
export function applyFact(view: SessionView, entry: Entry, startsCall: boolean): SessionView {
  if (entry.seq <= view.last_seq) return view;
  return { ...view, ...change(view, entry, startsCall), last_seq: entry.seq, updated_at: iso(entry.at) };
}

/** The files of a prompt as the API names them. */
export function filesOf({ attachments = [] }: Event & { type: 'prompt_queued' }): Attachment[] {
  return attachments.map(({ blob, ...file }) => ({ id: blob, ...file }));
}

function change(view: SessionView, { event, at }: Entry, startsCall: boolean): Partial<SessionView> {
  switch (event.type) {
    case 'tool_called':
      return startsCall && event.turn === view.turn ? { steps: view.steps + 1 } : {};
    case 'prompt_queued': {
      const { prompt, text, by, again } = event;
      const queued = { prompt, text, by, attachments: filesOf(event) };
      return { queued: again ? [queued, ...view.queued] : [...view.queued, queued], archived: false };
    }
    case 'prompt_edited': {
      const { prompt, text } = event;
      return { queued: view.queued.map((queued) => (queued.prompt === prompt ? { ...queued, text } : queued)) };
    }
    case 'prompt_removed':
      return { queued: view.queued.filter((queued) => queued.prompt !== event.prompt) };
    case 'budget_set':
      return { budget_micros: event.budget_micros };
    case 'priority_set':
      return { priority: event.priority };
    case 'turn_started':
      return {
        turn: event.turn,
        steps: 0,
        turn_cost: { micros: 0, is_partial: false },
        elapsed_ms: 0,
        turn_started_at: iso(at),
        queued: view.queued.filter((queued) => queued.prompt !== event.prompt),
      };
    // Of several that are open the first is told, as the server does; after it has been answered the server says which is next.
    case 'permission_asked': {
      if (view.permission) return {};
      const { request, options, deadline, call } = event;
      return { permission: { request, options, deadline: iso(deadline), title: titleOf(call) } };
    }
    case 'permission_answered':
      return view.permission?.request === event.request ? { permission: null } : {};
    case 'question_asked': {
      if (view.question) return {};
      const { request, question, deadline } = event;
      return { question: { request, question, deadline: iso(deadline) } };
    }
    case 'question_answered':
      return view.question?.request === event.request ? { question: null } : {};
    case 'turn_ended':
      return {
        permission: null,
        question: null,
        elapsed_ms: view.turn_started_at ? Math.max(0, at - Date.parse(view.turn_started_at)) : view.elapsed_ms,
      };
    case 'tokens_used': {
      const { input, output, cached, cache_written, reasoning } = view.tokens;
      const more = event.tokens;
      return {
        tokens: {
          input: input + (more.input ?? 0),
          output: output + (more.output ?? 0),
          cached: cached + (more.cached ?? 0),
          cache_written: cache_written + (more.cache_written ?? 0),
          reasoning: reasoning + (more.reasoning ?? 0),
        },
        cost: plus(view.cost, event.cost_micros),
        turn_cost: plus(view.turn_cost, event.cost_micros),
      };
    }
    case 'agent_opened':
      // What was chosen stays, whatever the agent began with.
      return { models: event.opened.models, model: view.model ?? event.opened.model ?? null };
    case 'model_chosen':
      return { model: event.model };
    case 'work_committed':
      return event.commit ? { commits: [...view.commits, { turn: event.turn, ...event.commit }] } : {};
    case 'branch_updated':
      return { commits: [...view.commits, { turn: event.turn, ...event.commit }], merged: null };
    case 'branch_merged':
      return { merged: { into: event.into, commit: event.commit } };
    case 'pull_request_published':
      return { pull_request: event.pull_request };
    case 'attempt_taken': {
      const { session, by } = event;
      return { attempts: view.attempts && { ...view.attempts, taken: { session, by } } };
    }
    case 'child_begun':
      return { family: { ...view.family, children: [...view.family.children, event.session] } };
    case 'session_ended':
      return { ended: true };
    case 'session_archived':
      return { archived: true };
    case 'session_unarchived':
      return { archived: false };
    default:
      return {};
  }
}

/** Whether the server may now call the session by another phase. Transcript changes it only with a turn's first tool call. */
export function mayChangePhase(entry: Entry, stepsBefore: number): boolean {
  switch (entry.event.type) {
    case 'agent_spoke':
    case 'agent_thought':
    case 'plan_changed':
    case 'context_measured':
    case 'tokens_used':
    case 'host_contacted':
    case 'agent_sent':
    case 'agent_logged':
    case 'noted':
    case 'input_queued':
      return false;
    case 'tool_called':
      return stepsBefore === 0;
    default:
      return true;
  }
}

export function titleOf(call: ToolCall): string {
  return call.title ?? call.name ?? call.kind ?? words.tool.unnamed;
}

function plus(cost: SessionView['cost'], micros: number | null | undefined): SessionView['cost'] {
  return { micros: cost.micros + (micros ?? 0), is_partial: cost.is_partial || micros == null };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
