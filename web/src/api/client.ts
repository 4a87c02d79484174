/** The HTTP API: one function a call. Every failure is an ApiError that says what happened and what to do. */
import type { Entry, Json } from './events';
import type {
  AgentInfo,
  Diff,
  Key,
  KeyTest,
  Merged,
  NewSession,
  Port,
  Problem,
  Repository,
  SessionPage,
  SessionView,
  Status,
  Terminal,
  UpstreamModels,
  UsageBy,
  UsageReport,
} from './types';

const BASE = '/api/v1';
/** No call may hang: after this the person is told. Merging a large branch is the slowest. */
const REQUEST_TIMEOUT_MS = 30_000;

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
    detail: 'Lamplight did not answer.',
    what_to_do: 'Check that `lamplight serve` is running, then try again.',
  });
}

async function call<T>(
  method: string,
  path: string,
  body?: Json | object,
  headers?: Record<string, string>,
): Promise<T> {
  const response = await fetch(`${BASE}${path}`, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
  }).catch((thrown: unknown) => {
    throw asApiError(thrown);
  });
  if (!response.ok) throw await problemOf(response);
  if (response.status === 204) return undefined as T;
  return (await response.json()) as T;
}

async function problemOf(response: Response): Promise<ApiError> {
  const problem = (await response.json().catch(() => ({}))) as Partial<Problem>;
  return new ApiError({
    code: problem.code ?? 'internal',
    status: response.status,
    detail: problem.detail ?? problem.title ?? `The server answered ${response.status}.`,
    what_to_do: problem.what_to_do ?? '',
  });
}

const session = (id: string) => `/sessions/${encodeURIComponent(id)}`;

export interface SessionFilter {
  phase?: string;
  q?: string;
}

export interface LogPage {
  entries: Entry[];
  last_seq: number;
}

export const api = {
  sessions(filter: SessionFilter, cursor: string | null, limit = 50): Promise<SessionPage> {
    const query = new URLSearchParams({ limit: String(limit) });
    if (filter.phase) query.set('phase', filter.phase);
    if (filter.q) query.set('q', filter.q);
    if (cursor) query.set('cursor', cursor);
    return call('GET', `/sessions?${query}`);
  },
  /** `key` makes a repeated call harmless: it gives the session that the first one made. */
  create: (spec: NewSession, key: string): Promise<SessionView> =>
    call('POST', '/sessions', spec, { 'idempotency-key': key }),
  session: (id: string): Promise<SessionView> => call('GET', session(id)),
  logBefore: (id: string, before: number, limit: number): Promise<LogPage> =>
    call('GET', `${session(id)}/log?before=${before}&limit=${limit}`),
  prompt: (id: string, text: string): Promise<{ prompt: string; position: number }> =>
    call('POST', `${session(id)}/prompts`, { text }),
  removePrompt: (id: string, prompt: string): Promise<void> =>
    call('DELETE', `${session(id)}/prompts/${encodeURIComponent(prompt)}`),
  stop: (id: string): Promise<SessionView> => call('POST', `${session(id)}/stop`),
  pause: (id: string): Promise<SessionView> => call('POST', `${session(id)}/pause`),
  resume: (id: string): Promise<SessionView> => call('POST', `${session(id)}/resume`),
  setBudget: (id: string, budget_micros: number): Promise<SessionView> =>
    call('POST', `${session(id)}/budget`, { budget_micros }),
  restore: (id: string, checkpoint: number): Promise<SessionView> =>
    call('POST', `${session(id)}/restore`, { checkpoint }),
  chooseModel: (id: string, model: string): Promise<SessionView> => call('POST', `${session(id)}/model`, { model }),
  /** `option` null cancels the request. */
  answerPermission: (id: string, request: Json, option: string | null): Promise<unknown> =>
    call('POST', `${session(id)}/permission`, { request, option }),
  terminals: (id: string): Promise<{ items: Terminal[] }> => call('GET', `${session(id)}/terminals`),
  openTerminal: (id: string, size: { rows: number; columns: number }): Promise<Terminal> =>
    call('POST', `${session(id)}/terminals`, size),
  closeTerminal: (id: string, terminal: string): Promise<void> =>
    call('DELETE', `${session(id)}/terminals/${encodeURIComponent(terminal)}`),
  ports: (id: string): Promise<{ items: Port[] }> => call('GET', `${session(id)}/ports`),
  /** Where a browser is led on to the preview of a port. */
  portAddress: (id: string, port: number): string => `${BASE}${session(id)}/ports/${port}/open`,
  diff: (id: string, turn: number | null): Promise<Diff> =>
    call('GET', `${session(id)}/diff${turn === null ? '' : `?turn=${turn}`}`),
  merge: (id: string): Promise<Merged> => call('POST', `${session(id)}/merge`),
  end: (id: string): Promise<SessionView> => call('POST', `${session(id)}/end`),
  agents: (): Promise<{ items: AgentInfo[] }> => call('GET', '/agents'),
  repositories: (): Promise<{ items: Repository[] }> => call('GET', '/repositories'),
  keys: (): Promise<{ items: Key[] }> => call('GET', '/keys'),
  setKey: (name: string, key: string): Promise<Key> => call('PUT', `/keys/${encodeURIComponent(name)}`, { key }),
  removeKey: (name: string): Promise<void> => call('DELETE', `/keys/${encodeURIComponent(name)}`),
  testKey: (name: string): Promise<KeyTest> => call('POST', `/keys/${encodeURIComponent(name)}/test`),
  models: (): Promise<{ items: UpstreamModels[] }> => call('GET', '/models'),
  status: (): Promise<Status> => call('GET', '/status'),
  /** `since` is a day, or so many days ago such as `30d`; without it the first of this month. */
  usage: (by: UsageBy, since: string | undefined): Promise<UsageReport> =>
    call('GET', `/usage?${new URLSearchParams({ by, ...(since ? { since } : {}) })}`),
};

/** The address of a WebSocket of the API on this page's own origin. */
export function socketAddress(path: string): string {
  const { protocol, host } = window.location;
  return `${protocol === 'https:' ? 'wss' : 'ws'}://${host}${BASE}${path}`;
}

/** A key for `create`. `crypto.randomUUID` exists in secure contexts only; a page over plain HTTP on a LAN is not one. */
export function newIdempotencyKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
