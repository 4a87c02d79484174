/** Small questions about entries of the log. */
import type { Entry, Event, Json } from '../api/events';
import type { Item, PermissionItem, QuestionItem } from './items';

/** What every item begins with. */
export function head(entry: Entry): { key: string; seq: number; at: number } {
  return { key: `e${entry.seq}`, seq: entry.seq, at: entry.at };
}

export function pick(event: Event & { type: 'agent_spoke' }) {
  return { turn: event.turn, text: event.text, message: event.message };
}

/** A request's id as a text; agents choose what it is. */
export function name(request: Json): string {
  return JSON.stringify(request);
}

/** What agents tell other programs about themselves; nobody who reads a timeline misses it. Kinds of ACP v1, and ours. */
export const BOOKKEEPING = new Set([
  'available_commands_update',
  'config_option_update',
  'current_mode_update',
  'prompt_result',
  'session_info_update',
  'usage_update',
]);

const TRANSCRIPT = new Set<Event['type']>([
  'agent_spoke',
  'agent_thought',
  'tool_called',
  'plan_changed',
  'permission_asked',
  'question_asked',
]);

/** Whether only a turn that runs says so. */
export function isTranscript(event: Event): boolean {
  return TRANSCRIPT.has(event.type);
}

/** Something that the agent asked, and waits for. */
export function isAsked(item: Item | undefined): item is PermissionItem | QuestionItem {
  return item?.kind === 'permission' || item?.kind === 'question';
}
