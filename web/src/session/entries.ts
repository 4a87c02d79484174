/** Small questions about entries of the log. */
import type { Entry, Event, Json } from '../api/events';

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

/** Whether only a turn that runs says so. */
export function isTranscript(event: Event): boolean {
  return ['agent_spoke', 'agent_thought', 'tool_called', 'plan_changed', 'permission_asked'].includes(event.type);
}
