/** The HTTP API: one function a call. Every failure is an ApiError that says what happened and what to do. */
import { words } from '../text/english';
import type { Entry, Json } from './events';
import type {
  AgentInfo,
  Ahead,
  Artifact,
  Attachment,
  Attempt,
  AuditPage,
  Child,
  Code,
  Diff,
  FolderListing,
  GitHubStanding,
  GuardsReport,
  Hook,
  HookDelivery,
  Invitation,
  Key,
  KeyTest,
  Me,
  Merged,
  NewSession,
  Once,
  Person,
  Port,
  Problem,
  PullRequest,
  PullRequestStanding,
  QuestionAnswer,
  QueueList,
  Repository,
  RepositoryOffer,
  Role,
  SandboxList,
  Scope,
  SessionPage,
  SessionUsageItem,
  SessionView,
  Status,
  Terminal,
  Token,
  UpstreamModels,
  UsageBy,
  UsageReport,
  Ways,
} from './types';

const BASE = '/api/v1';
/** The page where people sign in. */
export const signInPath = '/sign-in';
/** No call may hang: after this the person is told. Merging a large branch is the slowest. */
const REQUEST_TIMEOUT_MS = 30_000;
/** A file may be on its way for longer. */
const UPLOAD_TIMEOUT_MS = 60_000;

export class ApiError extends Error {
  readonly code: string;
  readonly status: number;
  readonly whatToDo: string;

  constructor(problem: Pick<Problem, 'code' | 'status' | 'detail' | 'what_to_do'>) {
    super(problem.detail);
    this.code = problem.code;
    this.status = problem.status;
    this.whatToDo = problem.what_to_do;
  }
}

/** Any thrown value as something to show. */
export function asApiError(thrown: unknown): ApiError {
  if (thrown instanceof ApiError) return thrown;
  return new ApiError({
    code: 'unreachable',
    status: 0,
    detail: words.problems.unreachable,
    what_to_do: words.problems.unreachableAdvice,
  });
}

/** For calls that are made from one place alone, and are loaded with it. */
export async function call<T>(
  method: string,
  path: string,
  body?: Json | object,
  headers?: Record<string, string>,
): Promise<T> {
  return ask(path, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
  });
}

async function ask<T>(path: string, request: RequestInit): Promise<T> {
  const response = await fetch(`${BASE}${path}`, request).catch((thrown: unknown) => {
    throw asApiError(thrown);
  });
  if (!response.ok) throw toSignIn(await problemOf(response));
  if (response.status === 204) return undefined as T;
  return (await response.json()) as T;
}

/** Several calls are refused at once; the first one leads away. */
let leaving = false;

/** Whoever is not signed in any more goes to the door, and comes back to this page. */
function toSignIn(problem: ApiError): ApiError {
  if (problem.code === 'sign_in_required' && window.location.pathname !== signInPath && !leaving) {
    leaving = true;
    window.sessionStorage.setItem('place', window.location.pathname + window.location.search);
    window.location.assign(signInPath);
  }
  return problem;
}

async function problemOf(response: Response): Promise<ApiError> {
  const problem = (await response.json().catch(() => ({}))) as Partial<Problem>;
  return new ApiError({
    code: problem.code ?? 'internal',
    status: response.status,
    detail: problem.detail ?? problem.title ?? words.problems.answered(response.status),
    what_to_do: problem.what_to_do ?? '',
  });
}

const person = (id: string) => `/people/${encodeURIComponent(id)}`;
const session = (id: string) => `/sessions/${encodeURIComponent(id)}`;

export interface SessionFilter {
  phase?: string;
  q?: string;
  repository?: string;
  /** The name of whom they are for. */
  person?: string;
  /** Those that are archived, instead of those that are not. */
  archived?: boolean;
  /** Only those whose last turn can be tried again. */
  dead?: boolean;
}

export interface LogPage {
  entries: Entry[];
  last_seq: number;
}

/** What a person does with a pull request from here. */
export type PullRequestChange = 'ready' | 'update' | 'close';

export const api = {
  sessions(filter: SessionFilter, cursor: string | null, limit = 100): Promise<SessionPage> {
    const query = new URLSearchParams({ limit: String(limit) });
    for (const [name, value] of Object.entries({ ...filter, cursor })) if (value) query.set(name, String(value));
    return call('GET', `/sessions?${query}`);
  },
  /** `key` makes a repeated call harmless: it gives the session that the first one made. */
  create: (spec: NewSession, key: string): Promise<SessionView> =>
    call('POST', '/sessions', spec, { 'idempotency-key': key }),
  /** Makes what a session like this would wait for; starts nothing. */
  ahead: (spec: NewSession): Promise<Ahead> => call('POST', '/sessions/ahead', spec),
  session: (id: string): Promise<SessionView> => call('GET', session(id)),
  logBefore: (id: string, before: number, limit: number): Promise<LogPage> =>
    call('GET', `${session(id)}/log?before=${before}&limit=${limit}`),
  /** `key` makes a repeated call harmless, as it does for `create`. */
  prompt: (
    id: string,
    text: string,
    files: Attachment[] = [],
    key = newIdempotencyKey(),
  ): Promise<{ prompt: string; position: number }> =>
    call('POST', `${session(id)}/prompts`, { text, attachments: files.map(named) }, { 'idempotency-key': key }),
  /** For a prompt, which has to name it within a day. */
  upload: (file: File): Promise<Attachment> =>
    ask(`/attachments?${new URLSearchParams({ name: file.name || 'pasted' })}`, {
      method: 'POST',
      body: file,
      signal: AbortSignal.timeout(UPLOAD_TIMEOUT_MS),
    }),
  editPrompt: (id: string, prompt: string, text: string): Promise<void> =>
    call('PUT', `${session(id)}/prompts/${encodeURIComponent(prompt)}`, { text }),
  removePrompt: (id: string, prompt: string): Promise<void> =>
    call('DELETE', `${session(id)}/prompts/${encodeURIComponent(prompt)}`),
  /** Without text and files it goes on with what was interrupted, or waits. */
  continueOnce: (id: string, turn: number, text = '', files: Attachment[] = []): Promise<SessionView> =>
    call('POST', `${session(id)}/continue`, { turn, text, attachments: files.map(named) }),
  guards: (): Promise<GuardsReport> => call('GET', '/guards'),
  stop: (id: string): Promise<SessionView> => call('POST', `${session(id)}/stop`),
  pause: (id: string): Promise<SessionView> => call('POST', `${session(id)}/pause`),
  resume: (id: string): Promise<SessionView> => call('POST', `${session(id)}/resume`),
  setBudget: (id: string, budget_micros: number): Promise<SessionView> =>
    call('POST', `${session(id)}/budget`, { budget_micros }),
  queue: (): Promise<QueueList> => call('GET', '/queue'),
  attempts: (id: string): Promise<{ items: Attempt[] }> => call('GET', `${session(id)}/attempts`),
  children: (id: string): Promise<{ items: Child[] }> => call('GET', `${session(id)}/children`),
  /** The others stop and end. */
  take: (id: string): Promise<SessionView> => call('POST', `${session(id)}/take`),
  setPriority: (id: string, priority: number): Promise<SessionView> =>
    call('POST', `${session(id)}/priority`, { priority }),
  restore: (id: string, checkpoint: number): Promise<SessionView> =>
    call('POST', `${session(id)}/restore`, { checkpoint }),
  chooseModel: (id: string, model: string): Promise<SessionView> => call('POST', `${session(id)}/model`, { model }),
  /** `option` null cancels the request. */
  answerPermission: (id: string, request: Json, option: string | null): Promise<unknown> =>
    call('POST', `${session(id)}/permission`, { request, option }),
  answerQuestion: (id: string, answer: QuestionAnswer): Promise<unknown> =>
    call('POST', `${session(id)}/question`, answer),
  terminals: (id: string): Promise<{ items: Terminal[] }> => call('GET', `${session(id)}/terminals`),
  openTerminal: (id: string, size: { rows: number; columns: number }): Promise<Terminal> =>
    call('POST', `${session(id)}/terminals`, size),
  closeTerminal: (id: string, terminal: string): Promise<void> =>
    call('DELETE', `${session(id)}/terminals/${encodeURIComponent(terminal)}`),
  ports: (id: string): Promise<{ items: Port[] }> => call('GET', `${session(id)}/ports`),
  /** Where a browser is led on to the preview of a port. */
  portAddress: (id: string, port: number): string => `${BASE}${session(id)}/ports/${port}/open`,
  code: (id: string): Promise<Code> => call('GET', `${session(id)}/code`),
  startCode: (id: string): Promise<Code> => call('POST', `${session(id)}/code`),
  /** Where a browser is led on to VS Code. */
  codeAddress: (id: string): string => `${BASE}${session(id)}/code/open`,
  diff: (id: string, turn: number | null): Promise<Diff> =>
    call('GET', `${session(id)}/diff${turn === null ? '' : `?turn=${turn}`}`),
  sessionUsage: (id: string): Promise<{ items: SessionUsageItem[] }> => call('GET', `${session(id)}/usage`),
  files: (id: string, path: string): Promise<FolderListing> =>
    call('GET', `${session(id)}/files?${new URLSearchParams({ path })}`),
  uploadFile: (id: string, path: string, file: File): Promise<void> =>
    ask(`${session(id)}/files/content?${new URLSearchParams({ path })}`, {
      method: 'PUT',
      body: file,
      signal: AbortSignal.timeout(UPLOAD_TIMEOUT_MS),
    }),
  artifacts: (id: string): Promise<{ items: Artifact[] }> => call('GET', `${session(id)}/artifacts`),
  /** What can be shown of a file that is kept; of a text no more than so many characters. */
  keptText: (id: string, most: number): Promise<ShownFile> => readFile(attachmentAddress(id), most),
  /** A file of the sandbox, as what can be shown of it; of a text no more than so many characters. */
  fileText: (id: string, path: string, most: number): Promise<ShownFile> =>
    readFile(fileAddress(id, path, false), most),
  merge: (id: string): Promise<Merged> => call('POST', `${session(id)}/merge`),
  publish: (id: string): Promise<PullRequest> => call('POST', `${session(id)}/pull-request`),
  pullRequest: (id: string): Promise<PullRequestStanding> => call('GET', `${session(id)}/pull-request`),
  changePullRequest: (id: string, to: PullRequestChange): Promise<PullRequestStanding> =>
    call('POST', `${session(id)}/pull-request/${to}`),
  end: (id: string): Promise<SessionView> => call('POST', `${session(id)}/end`),
  archive: (id: string): Promise<SessionView> => call('POST', `${session(id)}/archive`),
  unarchive: (id: string): Promise<SessionView> => call('POST', `${session(id)}/unarchive`),
  agents: (): Promise<{ items: AgentInfo[] }> => call('GET', '/agents'),
  repositories: (): Promise<{ items: Repository[] }> => call('GET', '/repositories'),
  offer: (path: string): Promise<RepositoryOffer> =>
    call('GET', `/repositories/offer?${new URLSearchParams({ path })}`),
  keys: (): Promise<{ items: Key[] }> => call('GET', '/keys'),
  setKey: (name: string, key: string): Promise<Key> => call('PUT', `/keys/${encodeURIComponent(name)}`, { key }),
  removeKey: (name: string): Promise<void> => call('DELETE', `/keys/${encodeURIComponent(name)}`),
  testKey: (name: string): Promise<KeyTest> => call('POST', `/keys/${encodeURIComponent(name)}/test`),
  hooks: (): Promise<{ items: Hook[] }> => call('GET', '/hooks'),
  addHook: (url: string, events: string[]): Promise<Hook & { secret: string }> =>
    call('POST', '/hooks', { url, events }),
  removeHook: (id: string): Promise<void> => call('DELETE', `/hooks/${encodeURIComponent(id)}`),
  testHook: (id: string): Promise<{ delivered: boolean; outcome: string }> =>
    call('POST', `/hooks/${encodeURIComponent(id)}/test`),
  retryHook: (id: string): Promise<void> => call('POST', `/hooks/${encodeURIComponent(id)}/retry`, {}),
  hookDeliveries: (id: string): Promise<{ items: HookDelivery[] }> =>
    call('GET', `/hooks/${encodeURIComponent(id)}/deliveries`),
  sandboxes: (): Promise<SandboxList> => call('GET', '/sandboxes'),
  takeBack: (sandbox: string): Promise<void> => call('DELETE', `/sandboxes/${encodeURIComponent(sandbox)}`),
  github: (): Promise<GitHubStanding> => call('GET', '/github'),
  retry: (id: string): Promise<SessionView> => call('POST', `${session(id)}/retry`),
  release: (id: string): Promise<SessionView> => call('POST', `${session(id)}/release`),
  /** `cursor` is of the page before. */
  audit: (filter: object, cursor: number | null): Promise<AuditPage> => {
    const query = new URLSearchParams({ ...filter, ...(cursor === null ? {} : { cursor: String(cursor) }) });
    return call('GET', `/audit?${query}`);
  },
  ways: (): Promise<Ways> => call('GET', '/sign-in'),
  signIn: (secret: string, who: { name: string; email: string } | null): Promise<{ me: Me }> =>
    call('POST', '/sign-in', { secret, ...who }),
  /** Gives where the browser has to go. */
  beginSignIn: (way: string, secret: string | null): Promise<{ address: string }> =>
    call('POST', `/sign-in/${encodeURIComponent(way)}`, { secret }),
  signOut: (): Promise<void> => call('POST', '/sign-out'),
  signOutEverywhere: (): Promise<void> => call('POST', '/sign-out/everywhere'),
  me: (): Promise<Me> => call('GET', '/me'),
  /** Who is signed in, or nobody. */
  meIfAny: (): Promise<Me | null> =>
    api.me().catch((thrown: unknown) => {
      if (asApiError(thrown).status === 401) return null;
      throw thrown;
    }),
  tokens: (): Promise<{ items: Token[] }> => call('GET', '/tokens'),
  createToken: (name: string, scope: Scope, expires_in_seconds: number | null): Promise<Token & { secret: string }> =>
    call('POST', '/tokens', { name, scope, expires_in_seconds }),
  revokeToken: (id: string): Promise<void> => call('DELETE', `/tokens/${encodeURIComponent(id)}`),
  people: (): Promise<{ items: Person[]; invitations: Invitation[] }> => call('GET', '/people'),
  invite: (role: Role): Promise<Once> => call('POST', '/people/invitations', { role }),
  uninvite: (id: string): Promise<void> => call('DELETE', `/people/invitations/${encodeURIComponent(id)}`),
  setRole: (id: string, role: Role): Promise<Person> => call('PUT', `${person(id)}/role`, { role }),
  linkFor: (id: string): Promise<Once> => call('POST', `${person(id)}/link`),
  removePerson: (id: string): Promise<void> => call('DELETE', person(id)),
  tokensOf: (id: string): Promise<{ items: Token[] }> => call('GET', `${person(id)}/tokens`),
  revokeTokenOf: (id: string, token: string): Promise<void> =>
    call('DELETE', `${person(id)}/tokens/${encodeURIComponent(token)}`),
  models: (): Promise<{ items: UpstreamModels[] }> => call('GET', '/models'),
  status: (): Promise<Status> => call('GET', '/status'),
  /** `since` is a day, or so many days ago such as `30d`; without it the first of this month. */
  usage: (by: UsageBy, since: string | undefined): Promise<UsageReport> =>
    call('GET', `/usage?${new URLSearchParams({ by, ...(since ? { since } : {}) })}`),
};

/** As a prompt names a file. */
export function named({ id, name }: Attachment): { id: string; name: string } {
  return { id, name };
}

/** Where a browser finds what is in a file that came with a prompt. */
export function attachmentAddress(id: string): string {
  return `${BASE}/attachments/${encodeURIComponent(id)}`;
}

/** Where a browser finds a file of a session's sandbox, to show it or to save it. */
export function fileAddress(id: string, path: string, download: boolean): string {
  return `${BASE}${session(id)}/files/content?${new URLSearchParams({ path, ...(download ? { download: 'true' } : {}) })}`;
}

export type ShownFile = { kind: 'text'; text: string; whole: boolean } | { kind: 'image' } | { kind: 'other' };

/** No more of it is read than is shown. */
async function readFile(address: string, most: number): Promise<ShownFile> {
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]);
  const response = await fetch(address, { signal }).catch((thrown: unknown) => {
    throw asApiError(thrown);
  });
  if (!response.ok) throw await problemOf(response);
  const type = response.headers.get('content-type') ?? '';
  if (!type.startsWith('text/') || !response.body) {
    stop.abort();
    return { kind: type.startsWith('image/') ? 'image' : 'other' };
  }
  let text = '';
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return { kind: 'text', text, whole: true };
    text += value;
    if (text.length > most) {
      await reader.cancel().catch(() => {});
      return { kind: 'text', text: text.slice(0, most), whole: false };
    }
  }
}

/** The address of a WebSocket of the API on this page's own origin. */
export function socketAddress(path: string): string {
  const { protocol, host } = window.location;
  return `${protocol === 'https:' ? 'wss' : 'ws'}://${host}${BASE}${path}`;
}

/** A key for `create` and `prompt`. `crypto.randomUUID` exists in secure contexts only; a page over plain HTTP on a LAN is not one. */
export function newIdempotencyKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
