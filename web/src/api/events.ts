/** The log, mirroring crates/domain/src/event.rs variant by variant. Times in here are milliseconds since 1970. */

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** As it was published. */
export interface PullRequest {
  /** `owner/name`. */
  repository: string;
  number: number;
  url: string;
  draft: boolean;
  head: string;
}

export interface Entry {
  /** Contiguous from 1. */
  seq: number;
  at: number;
  read?: number;
  event: Event;
}

export type Event =
  // What people want.
  | { type: 'session_created'; spec: SessionSpec }
  | { type: 'prompt_queued'; prompt: string; text: string; by: string; attachments?: AttachedFile[] }
  | { type: 'prompt_edited'; prompt: string; text: string; by: string }
  | { type: 'prompt_removed'; prompt: string; by: string }
  | { type: 'stop_requested'; turn: number; by: string }
  | { type: 'model_chosen'; model: string; by: string }
  | { type: 'budget_set'; budget_micros: number; by: string }
  | { type: 'priority_set'; priority: number; by: string }
  | { type: 'terminal_opened'; by: string }
  | { type: 'sandbox_used'; by: string }
  | { type: 'session_ended'; by: string }
  | { type: 'session_archived'; by: string }
  | { type: 'session_unarchived'; by: string }
  // The sandbox.
  | { type: 'sandbox_queued'; attempt: number }
  | { type: 'sandbox_requested'; generation: number; attempt: number }
  | { type: 'setup_begun'; generation: number; command: string; timeout_ms: number }
  | { type: 'setup_ended'; generation: number; failure?: string }
  | { type: 'sandbox_created'; generation: number; handle: string; enforced?: Enforcement[] }
  | { type: 'workspace_prepared'; generation: number; base_commit: string }
  | { type: 'sandbox_failed'; generation: number; failure: Failure }
  | { type: 'pause_requested'; generation: number; by?: string }
  | { type: 'sandbox_paused'; generation: number }
  | { type: 'pause_failed'; generation: number; detail: string }
  | { type: 'resume_requested'; generation: number; by?: string }
  | { type: 'sandbox_resumed'; generation: number }
  | { type: 'release_announced'; generation: number; at: number }
  | { type: 'sandbox_lost'; generation: number; detail: string }
  | { type: 'sandbox_released'; generation: number; keep_files: boolean; reason: string }
  | { type: 'sandbox_destroyed'; generation: number }
  // What its files were.
  | { type: 'checkpoint_requested'; generation: number; checkpoint: number }
  | { type: 'checkpoint_kept'; checkpoint: number; name: string }
  | { type: 'checkpoint_failed'; checkpoint: number; detail: string }
  | { type: 'restore_requested'; checkpoint: number; by: string }
  | { type: 'files_restored'; checkpoint: number }
  | { type: 'restore_failed'; checkpoint: number; detail: string }
  // The agent process.
  | { type: 'agent_requested'; generation: number; run: number }
  | { type: 'agent_initialized'; run: number; can_load: boolean; takes_images?: boolean }
  | { type: 'agent_opened'; run: number; opened: Opened; memory: 'fresh' | 'loaded' | 'digest' }
  | { type: 'agent_ready'; run: number }
  | { type: 'agent_broken'; run: number; detail: string }
  | { type: 'agent_exited'; run: number; status: ExitStatus | null; detail: string }
  | { type: 'input_queued'; run: number; n: number; input: AgentInput }
  // The turn.
  | { type: 'turn_started'; turn: number; prompt: string; attempt: number }
  | {
      type: 'permission_asked';
      turn: number;
      request: Json;
      call: ToolCall;
      options: PermissionOption[];
      deadline: number;
    }
  | { type: 'permission_answered'; request: Json; answer: Answer; by: AnsweredBy }
  | { type: 'retry_planned'; turn: number; retry: number; due: number; failure: Failure }
  | { type: 'prompt_retried'; turn: number; retry: number }
  | { type: 'cancel_answered'; turn: number }
  | { type: 'budget_neared'; spent_micros: number; budget_micros: number; of?: BudgetOf; until?: number }
  | { type: 'guard_tripped'; turn: number; guard: Guard; detail: string }
  | { type: 'turn_ended'; turn: number; outcome: Outcome }
  | { type: 'branch_pushed'; turn: number; commit: string }
  | { type: 'work_committed'; turn: number; commit: Commit | null }
  | { type: 'work_not_committed'; turn: number; failure: Failure }
  | { type: 'nothing_to_check'; turn: number; commit: string; why?: string }
  | { type: 'checks_requested'; check: number; turn: number; commit: string; plan: CheckPlan }
  | ({ type: 'checks_ended'; check: number; commands: CheckedCommand[]; prompt?: string } & Verdict)
  | { type: 'artifacts_kept'; turn: number; artifacts: KeptFile[] }
  | { type: 'branch_updated'; turn: number; commit: Commit; by: string }
  | { type: 'workspace_updated'; commit: string }
  | { type: 'branch_merged'; into: string; commit: string; by: string }
  | { type: 'pull_request_published'; pull_request: PullRequest; by: string }
  // The transcript.
  | { type: 'agent_spoke'; turn: number; text: string; message?: string }
  | { type: 'agent_thought'; turn: number; text: string }
  | { type: 'tool_called'; turn: number; call: ToolCall }
  | { type: 'plan_changed'; turn: number; entries: PlanEntry[] }
  | { type: 'context_measured'; turn: number; used: number; size: number }
  | {
      type: 'tokens_used';
      turn: number;
      model: string;
      tokens: Tokens;
      cost_micros?: number;
      /** The list of prices and its version. */
      priced_by?: string;
      /** In part made from what was seen of the answer. */
      is_estimated?: boolean;
    }
  | {
      type: 'host_contacted';
      turn: number;
      host: string;
      port: number;
      known_as?: string;
      refused?: string;
    }
  | { type: 'agent_sent'; turn: number; kind: string; raw: Json }
  | { type: 'agent_logged'; text: string }
  | { type: 'noted'; text: string };

/** A repository's own checks: named by it, or guessed from the file `detected`. */
export interface CheckPlan {
  commands: string[];
  detected?: string;
  timeout_ms: number;
}

/** `status` is `null` when the time was over before the command was; `said` is the end of what it printed. */
export interface CheckedCommand {
  command: string;
  status: ExitStatus | null;
  ms: number;
  said: string;
}

export type Verdict =
  | { verdict: 'passed' | 'failed' }
  | { verdict: 'not_run'; why: string }
  | { verdict: 'stopped'; by: string };

/** A file that a session offers as a result; `blob` is its `id` in the API. */
export interface KeptFile {
  name: string;
  blob: string;
  media_type: string;
  bytes: number;
}

/** A file that came with a prompt; `blob` is its `id` in the API. */
export interface AttachedFile {
  blob: string;
  name: string;
  media_type: string;
  bytes: number;
}

export interface SessionSpec {
  title: string;
  repository: string;
  base: string;
  branch: string;
  agent: string;
  model: string | null;
  mode: string | null;
  person: Person;
  limits: Limits;
  sandbox?: SandboxLimits;
  permissions: 'allow' | 'reject' | 'ask';
  network?: Network;
  /** What the files of its sandboxes begin with; missing is the server's own machine. */
  image?: { name: string; digest: string };
  /** Of a fork. */
  origin?: Origin;
}

/** The checkpoint of another session that a fork begins with. */
export interface Origin {
  session: string;
  checkpoint: number;
  name: string;
  commit: string;
  agent_session: string | null;
}

/** What programs inside may connect to; a session without it is from before there was a network, and has none. */
export type Network = { policy: 'open' } | { policy: 'allowlist'; hosts: string[] } | { policy: 'none' };

export interface Person {
  name: string;
  email: string;
}

export interface Limits {
  steps: number;
  failures_in_a_row: number;
  identical_calls: number;
  silence_ms: number;
  wall_clock_ms: number;
  permission_ms: number;
  start_ms: number;
  cancel_grace_ms: number;
  idle_ms: number;
  /** Not in logs of before there was a pause. */
  paused_ms?: number;
  pause_ms?: number;
  idle_warning_ms?: number;
  /** Not in logs of before there were checkpoints. */
  checkpoint_ms?: number;
  budget_micros?: number;
}

/** What is left out is the installation's default. */
export interface SandboxLimits {
  cpu_thousandths?: number;
  memory_bytes?: number;
  processes?: number;
  disk_bytes?: number;
  open_files?: number;
  nested_sandboxes?: boolean;
}

/** How one wall or limit of a sandbox stands. */
export interface Enforcement {
  wall: string;
  strength: 'enforced' | 'soft' | 'missing';
  why?: string;
  limit?: number;
  /** A container runtime, where Lamplight did not put it up itself. */
  by?: string;
}

export interface Failure {
  side: 'infrastructure' | 'agent';
  class: 'transient' | 'persistent' | 'fatal' | 'needs_you';
  message: string;
}

export interface Model {
  id: string;
  name: string;
}

export interface Opened {
  agent_session: string;
  models: Model[];
  model: string | null;
  model_config: { by: 'option'; id: string } | { by: 'set_model' } | null;
  modes: string[];
  mode: string | null;
}

export type ExitStatus = { ended: 'code'; code: number } | { ended: 'signal'; signal: number };

/** What was written to the agent; the page shows none of it, so only the tag is typed. */
export interface AgentInput {
  input: string;
}

export type OptionKind = 'allow_once' | 'allow_always' | 'reject_once' | 'reject_always';

export interface PermissionOption {
  id: string;
  name: string;
  kind: OptionKind;
}

export type Answer = { answer: 'selected'; option: string } | { answer: 'cancelled' };

export type AnsweredBy = { by: 'policy' } | { by: 'person'; name: string } | { by: 'deadline' } | { by: 'stop' };

export type Guard =
  | 'steps'
  | 'failures_in_a_row'
  | 'identical_calls'
  | 'silence'
  | 'wall_clock'
  | 'paused'
  | 'budget'
  | 'month_budget'
  | 'right';
/** Whose budget; without one it is the session's own. The others are for a calendar month, in UTC. */
export type BudgetOf =
  | { whose: 'session' }
  | { whose: 'person'; name: string }
  | { whose: 'repository'; path: string }
  | { whose: 'deployment' };

export type StopReason = 'end_turn' | 'max_tokens' | 'max_turn_requests' | 'refusal' | 'cancelled';

export type Outcome =
  | { how: 'completed'; stop_reason: StopReason }
  | { how: 'stopped'; by: string }
  | { how: 'tripped'; guard: Guard; detail: string }
  | { how: 'failed'; failure: Failure };

export interface Commit {
  id: string;
  files: number;
  insertions: number;
  deletions: number;
}

export type ToolStatus = 'pending' | 'in_progress' | 'completed' | 'failed';

/** Items with the same id are one call: a later one replaces the fields that it carries. */
export interface ToolCall {
  id: string;
  name?: string;
  title?: string;
  kind?: string;
  status?: ToolStatus;
  input?: Json;
  output?: Json;
  /** More of what the tool prints while it runs: appended to what was printed before. */
  printed?: string;
  content?: ToolContent[];
  locations?: Location[];
}

export interface Location {
  path: string;
  line?: number;
}

export type ToolContent =
  | { show: 'text'; text: string }
  | { show: 'diff'; path: string; old?: string | null; new: string }
  | { show: 'terminal'; id: string }
  | { show: 'other'; raw: Json };

export interface PlanEntry {
  text: string;
  priority: string;
  status: 'pending' | 'in_progress' | 'completed';
}

export interface Tokens {
  input: number;
  output: number;
  cached: number;
  cache_written?: number;
  reasoning?: number;
}

/** Somebody who follows the session, with so many pages and commands. */
export interface Present {
  name: string;
  streams: number;
}

/** Frames of `/sessions/{id}/events` that are not entries. */
export type Control =
  | { control: 'live'; last_seq: number }
  | { control: 'present'; people: Present[] }
  | { control: 'heartbeat'; at: number; last_seq?: number }
  | { control: 'resume'; seq: number; reason: 'slow_reader' | 'going_away' };
