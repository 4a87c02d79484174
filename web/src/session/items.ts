/** What the timeline shows: one item for each thing that people see as one, however many entries of the log made it. */
import type {
  Answer,
  AnsweredBy,
  Commit,
  Failure,
  Guard,
  Json,
  Outcome,
  PermissionOption,
  PlanEntry,
  Question,
  Reply,
  ToolCall,
} from '../api/events';
import type { Attachment } from '../api/types';

interface Base {
  /** Stable over the life of the item; also the fragment that links to it. */
  key: string;
  /** Of the first entry that made it. */
  seq: number;
  /** When that entry was logged, in ms. */
  at: number;
}

/** What was said in a prompt; null when that was before the part of the log that is loaded. */
export interface Said {
  text: string | null;
  by: string | null;
  files: Attachment[];
}

export interface PromptItem extends Base, Said {
  kind: 'prompt';
  prompt: string;
  state: 'waiting' | 'started' | 'removed';
  turn: number | null;
}

export interface MessageItem extends Base {
  kind: 'message';
  turn: number;
  text: string;
  message: string | null | undefined;
}

export interface ThoughtItem extends Base {
  kind: 'thought';
  turn: number;
  text: string;
  /** When the last piece of it came. */
  until: number;
}

export interface ToolItem extends Base {
  kind: 'tool';
  turn: number;
  call: ToolCall;
  endedAt: number | null;
  /** The turn ended before the call did. */
  interrupted: boolean;
}

export interface PlanItem extends Base {
  kind: 'plan';
  turn: number;
  entries: PlanEntry[];
}

export interface PermissionItem extends Base {
  kind: 'permission';
  turn: number;
  request: Json;
  call: ToolCall;
  options: PermissionOption[];
  deadline: number;
  answer: { answer: Answer; by: AnsweredBy } | null;
  /** The turn ended without an answer. */
  closed: boolean;
}

export interface QuestionItem extends Base {
  kind: 'question';
  turn: number;
  request: Json;
  question: Question;
  deadline: number;
  /** `why` is why nobody was asked. */
  answer: { reply: Reply; by: AnsweredBy; why: string | null } | null;
  /** The turn ended without an answer. */
  closed: boolean;
}

/** Sandbox, repository and agent being made ready: one line, however many steps. */
export interface SetupItem extends Base {
  kind: 'setup';
  generation: number;
  attempt: number;
  steps: { name: SetupStep; at: number }[];
  readyAt: number | null;
  failure: string | null;
}
export type SetupStep =
  | 'sandbox_requested'
  | 'setup_begun'
  | 'setup_ended'
  | 'sandbox_created'
  | 'workspace_prepared'
  | 'agent_requested'
  | 'agent_opened';

/** Something went wrong, shown where it happened. */
export interface TroubleItem extends Base {
  kind: 'trouble';
  what: 'sandbox_failed' | 'sandbox_lost' | 'agent_broken' | 'agent_exited' | 'work_not_committed';
  failure: Failure | null;
  detail: string;
}

export interface GuardItem extends Base {
  kind: 'guard';
  turn: number;
  guard: Guard;
  detail: string;
  /** Null where it counts nothing. */
  limit: number | null;
  counted: number | null;
}

export interface EndingItem extends Base {
  kind: 'ending';
  turn: number;
  outcome: Outcome;
  /** Null, both, when the turn's beginning is not loaded. */
  startedAt: number | null;
  steps: number | null;
}

export interface CommitItem extends Base {
  kind: 'commit';
  turn: number;
  commit: Commit | null;
}

/** The files as they were at this moment, to go back to or to fork. */
export interface KeptItem extends Base {
  kind: 'kept';
  checkpoint: number;
}

export interface MergedItem extends Base {
  kind: 'merged';
  into: string;
  commit: string;
  by: string;
}

export interface NoteItem extends Base {
  kind: 'note';
  text: string;
}

/** Standard error of the agent, and messages of it that have no place of their own: folded away, never lost. */
export interface LogItem extends Base {
  kind: 'log';
  text: string;
  lines: number;
}

export type Item =
  | PromptItem
  | MessageItem
  | ThoughtItem
  | ToolItem
  | PlanItem
  | PermissionItem
  | QuestionItem
  | SetupItem
  | TroubleItem
  | GuardItem
  | EndingItem
  | CommitItem
  | KeptItem
  | MergedItem
  | NoteItem
  | LogItem;
