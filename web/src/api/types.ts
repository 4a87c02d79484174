/**
 * The resources of the HTTP API, from what `npm run api` makes of docs/openapi.json. Times are RFC 3339. Entries of the log
 * are in events.ts.
 */
import type { Json, Question } from './events';
import type { components } from './openapi';

type Schemas = components['schemas'];

/** As the server sends it: every field is there, `null` where it has no value; the document calls such fields optional. */
type Sent<T> = unknown extends T
  ? Json
  : T extends (infer One)[]
    ? Sent<One>[]
    : T extends object
      ? { [K in keyof T]-?: Sent<Exclude<T[K], undefined>> }
      : T;

export type Phase = Schemas['Phase'];
export type SessionSummary = Sent<Schemas['SessionSummary']>;
export type SessionView = Omit<Sent<Schemas['SessionView']>, 'question'> & { question: OpenQuestion | null };
/** The question itself is as the log has it: what it does not say is not there. */
export interface OpenQuestion {
  request: Json;
  question: Question;
  deadline: string;
}
/** One that waits for a sandbox. */
export type QueuedSession = Sent<Schemas['QueuedSession']>;
export type QueueList = Sent<Schemas['QueueList']>;
/** What sandboxes take of what there is for them. */
export type QueuePlaces = Sent<Schemas['QueuePlaces']>;
export type GuardLimit = Sent<Schemas['GuardLimit']>;
export type GuardsReport = Sent<Schemas['GuardsReport']>;
export type Automation = Sent<Schemas['Automation']>;
export type AutomationTrigger = Sent<Schemas['AutomationTrigger']>;
export type AutomationRun = Sent<Schemas['AutomationRun']>;
export type AutomationWithRuns = Sent<Schemas['AutomationWithRuns']>;
export type NewAutomation = Schemas['NewAutomationRequest'];
/** A session that was begun for another, as it stands. */
export type Child = Omit<Sent<Schemas['Child']>, 'session'> & { session: SessionView };
/** One of several sessions with the same task, as it stands. */
export type Attempt = Omit<Sent<Schemas['Attempt']>, 'session'> & { session: SessionView };
export type QueuedPrompt = Sent<Schemas['QueuedPrompt']>;
export type Artifact = Sent<Schemas['Artifact']>;
export type Attachment = Sent<Schemas['Attachment']>;
export type TurnCommit = Sent<Schemas['TurnCommit']>;
export type Merged = Sent<Schemas['Merged']>;
export type PullRequest = Sent<Schemas['PullRequest']>;
export type Checks = Sent<Schemas['Checks']>;
export type GitHubStanding = Sent<Schemas['GitHubStanding']>;
export type PullRequestStanding = Sent<Schemas['PullRequestStanding']>;
export type QuestionAnswer = Schemas['QuestionAnswer'];
export type SessionPage = Sent<Schemas['SessionList']>;
export type FileDiff = Sent<Schemas['FileDiff']>;
export type Diff = Sent<Schemas['Diff']>;
export type FolderListing = Sent<Schemas['FolderListing']>;
export type FolderEntry = Sent<Schemas['FolderEntry']>;
export type AgentInfo = Sent<Schemas['Agent']>;
export type Repository = Sent<Schemas['Repository']>;
export type RepositoryOffer = Sent<Schemas['RepositoryOffer']>;
export type Status = Sent<Schemas['Status']>;
export type Terminal = Sent<Schemas['Terminal']>;
export type Code = Sent<Schemas['Code']>;
export type Port = Sent<Schemas['Port']>;
export type UsageBy = Schemas['UsageBy'];
export type UsageReport = Sent<Schemas['UsageReport']>;
export type UsageItem = Sent<Schemas['UsageItem']>;
export type MonthBudget = Sent<Schemas['MonthBudget']>;
export type SessionUsageItem = Sent<Schemas['SessionUsageItem']>;
export type Key = Sent<Schemas['Key']>;
export type KeyTest = Sent<Schemas['KeyTest']>;
export type UpstreamModels = Sent<Schemas['UpstreamModels']>;
export type Sandbox = Sent<Schemas['SandboxItem']>;
export type SandboxList = Sent<Schemas['SandboxList']>;
export type AuditPage = Sent<Schemas['AuditList']>;
export type AuditItem = Sent<Schemas['AuditItem']>;
export type AuditOutcome = Schemas['AuditOutcome'];
export type Problem = Sent<Schemas['Problem']>;
export type Me = Sent<Schemas['Me']>;
export type Ways = Sent<Schemas['Ways']>;
export type Role = Schemas['RoleView'];
export type Scope = Schemas['ScopeView'];
export type Token = Sent<Schemas['Token']>;
export type Hook = Sent<Schemas['Hook']>;
export type HookDelivery = Sent<Schemas['Delivery']>;
export type Person = Sent<Schemas['PersonView']>;
export type Invitation = Sent<Schemas['Invitation']>;
export type Once = Sent<Schemas['Once']>;
/** What a new session may be asked for; fields may be left out. */
export type Ahead = Schemas['AheadResponse'];
export type NewSession = Schemas['NewSessionRequest'];

export const AUDIT_OUTCOMES = ['done', 'refused', 'failed', 'unanswered'] as const satisfies readonly AuditOutcome[];

/** Each may do what those before may, too. */
export const ROLES = ['viewer', 'member', 'admin', 'owner'] as const satisfies readonly Role[];
export const SCOPES = ['read', 'write', 'admin'] as const satisfies readonly Scope[];

export const USAGE_BY = [
  'repository',
  'person',
  'model',
  'session',
  'day',
  'prices',
] as const satisfies readonly UsageBy[];

/** In the order of a session's life. */
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
] as const satisfies readonly Phase[];
