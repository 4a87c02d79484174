/** The resources of the HTTP API, as docs/openapi.json has them. Times are RFC 3339; entries of the log are in events.ts. */
import type { Json, Model, PermissionOption, Person, Tokens } from './events';

export const PHASES = [
  'queued',
  'starting',
  'planning',
  'executing',
  'waiting_for_you',
  'stuck',
  'paused',
  'done',
  'failed',
] as const;
export type Phase = (typeof PHASES)[number];

export interface SessionSummary {
  id: string;
  title: string;
  phase: Phase;
  /** A plain sentence: why it is stuck, failed, paused or waiting. */
  reason: string | null;
  repository: string;
  branch: string;
  agent: string;
  model: string | null;
  /** The last turn begun; 0 before the first. */
  turn: number;
  /** Tool calls of that turn. */
  steps: number;
  /** Of the whole session. */
  tokens: Tokens;
  /** Working time of that turn. */
  elapsed_ms: number;
  turn_started_at: string | null;
  queued_count: number;
  last_seq: number;
  created_at: string;
  updated_at: string;
  ended: boolean;
}

export interface QueuedPrompt {
  prompt: string;
  text: string;
  by: string;
}

export interface OpenPermission {
  /** The agent's own id of the request: any JSON. */
  request: Json;
  title: string;
  options: PermissionOption[];
  deadline: string;
}

export interface TurnCommit {
  turn: number;
  id: string;
  files: number;
  insertions: number;
  deletions: number;
}

export interface SessionView extends Omit<SessionSummary, 'queued_count'> {
  base: string;
  models: Model[];
  person: Person;
  queued: QueuedPrompt[];
  permission: OpenPermission | null;
  commits: TurnCommit[];
  merged: Merged | null;
}

export interface Merged {
  into: string;
  commit: string;
}

export interface SessionPage {
  items: SessionSummary[];
  next_cursor: string | null;
}

export interface NewSession {
  repository: string;
  prompt: string;
  agent?: string;
  model?: string;
  title?: string;
  base?: string;
  permissions?: 'allow' | 'ask' | 'reject';
  limits?: { steps?: number; wall_clock_ms?: number };
}

export interface FileDiff {
  path: string;
  old_path: string | null;
  status: 'added' | 'modified' | 'deleted' | 'renamed';
  insertions: number;
  deletions: number;
  binary: boolean;
  /** Unified diff of this file. */
  patch: string;
}

export interface Diff {
  base: string;
  head: string;
  files: FileDiff[];
  truncated: boolean;
}

export interface AgentInfo {
  name: string;
  title: string;
  installed: boolean;
  version: string | null;
  default: boolean;
}

export interface Repository {
  path: string;
  last_used_at: string;
}

export interface Status {
  version: string;
  uptime_ms: number;
  sessions_awake: number;
  provider: string;
  default_agent: string;
  models_configured: string[];
  scripted_model: boolean;
  person: Person;
}

/** `application/problem+json`. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  code: string;
  detail: string;
  what_to_do: string;
}
