/** The log, as the server describes it (crates/domain/src/event.rs). Times in here are milliseconds since 1970. */
import type { components } from './openapi';

type Schemas = components['schemas'];

/** What the document leaves open is JSON. */
type Logged<T> = unknown extends T
  ? Json
  : T extends (infer One)[]
    ? Logged<One>[]
    : T extends object
      ? { [K in keyof T]: Logged<T[K]> }
      : T;

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export type Entry = Logged<Schemas['LogEntry']>;
export type Event = Logged<Schemas['Event']>;

export type Answer = Logged<Schemas['Answer']>;
export type AnsweredBy = Logged<Schemas['AnsweredBy']>;
export type AttachedFile = Logged<Schemas['log.Attachment']>;
export type BudgetOf = Logged<Schemas['BudgetOf']>;
export type CheckPlan = Logged<Schemas['CheckPlan']>;
export type CheckedCommand = Logged<Schemas['CheckedCommand']>;
export type Commit = Logged<Schemas['Commit']>;
export type Enforcement = Logged<Schemas['Enforcement']>;
export type ExitStatus = Logged<Schemas['ExitStatus']>;
export type Failure = Logged<Schemas['Failure']>;
export type FieldValue = Logged<Schemas['FieldValue']>;
export type Guard = Logged<Schemas['Guard']>;
export type KeptFile = Logged<Schemas['log.Artifact']>;
export type Limits = Logged<Schemas['Limits']>;
export type Model = Logged<Schemas['log.Model']>;
export type Network = Logged<Schemas['log.Network']>;
export type Opened = Logged<Schemas['Opened']>;
export type OptionKind = Logged<Schemas['OptionKind']>;
export type Origin = Logged<Schemas['log.Origin']>;
export type Outcome = Logged<Schemas['Outcome']>;
export type PermissionOption = Logged<Schemas['log.PermissionOption']>;
export type Person = Logged<Schemas['log.Person']>;
export type PlanEntry = Logged<Schemas['PlanEntry']>;
export type PullRequest = Logged<Schemas['log.PullRequest']>;
export type Question = Logged<Schemas['Question']>;
export type QuestionChoice = Logged<Schemas['question.Choice']>;
export type QuestionField = Logged<Schemas['question.Field']>;
export type Reply = Logged<Schemas['question.Reply']>;
export type SandboxLimits = Logged<Schemas['SandboxLimits']>;
export type SessionSpec = Logged<Schemas['SessionSpec']>;
export type StopReason = Logged<Schemas['StopReason']>;
export type Tokens = Logged<Schemas['log.Tokens']>;
export type ToolCall = Logged<Schemas['ToolCall']>;
export type ToolContent = Logged<Schemas['ToolContent']>;
export type ToolStatus = Logged<Schemas['ToolStatus']>;
export type Location = Logged<Schemas['Location']>;
export type Verdict = Logged<Schemas['Verdict']>;

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
