/** What the double says of itself to whoever answers for a server. */
import { Refused } from './refused.mjs';

/** What the configuration says of the first repositories. */
const CONFIGURED = [
  {
    agent: 'opencode',
    permissions: 'ask',
    network: { policy: 'allowlist', hosts: ['docs.example.com', '*.example.org'] },
    image: null,
    budget_micros: 2_500_000,
    budget_month_micros: 50_000_000,
    steps: null,
  },
];

export function repositories(paths, usedAt) {
  const last_used_at = new Date(usedAt).toISOString();
  return { items: paths.map((path, n) => ({ path, last_used_at, configured: CONFIGURED[n] ?? null })) };
}

/** How it is connected to GitHub. */
export const GITHUB = {
  connection: 'app',
  host: 'github.com',
  webhooks: true,
  poll_seconds: 300,
  repositories: ['acme/stats'],
  as_person: true,
  findings: [
    { is_well: true, detail: 'the App lamplight-stats on github.com', what_to_do: null },
    {
      is_well: false,
      detail: '2 of the last 30 webhook deliveries did not arrive; 502 at 12:00',
      what_to_do: 'see that the address of the webhook leads to /github/webhooks of this server',
    },
  ],
  limits: { limit: 5000, remaining: 4711, resets_at: '2026-01-31T12:00:00Z' },
};

const PARTS = [
  [/^\/sessions\/\w+\/(\w+)$/, (name) => `${name}_session`],
  [/^\/keys\/\w+\/test$/, () => 'test_key'],
];

/** Every session that has not ended has a sandbox, until that is stopped. */
export class Sandboxes {
  #released = new Set();

  release(session) {
    if (session.turn) throw new Refused(409, 'turn_running', 'A turn is running.', 'Wait for its end, or stop it.');
    if (this.#released.has(session.id)) throw new Refused(409, 'no_sandbox', 'There is no sandbox.', 'Nothing.');
    this.#released.add(session.id);
  }

  list(sessions) {
    const running = sessions.filter(({ id, ready, ended }) => ready && !ended && !this.#released.has(id));
    return { items: running.map((session, n) => use(session.view(), n)), not_answering: [] };
  }
}

function use(view, n) {
  const age_ms = Date.now() - Date.parse(view.created_at);
  return {
    session: view.id,
    generation: 1,
    server: null,
    title: view.title,
    lent: null,
    repository: view.repository,
    person: view.person.name,
    phase: view.phase,
    state: 'running',
    age_ms,
    memory_bytes: Math.min(300 + 900 * n, 3900) * 2 ** 20,
    memory_limit_bytes: 4 * 2 ** 30,
    processes: 7,
    processes_limit: 512,
    cpu_ms: Math.round(age_ms / 4),
    cpu_limit_thousandths: n % 2 === 0 ? 2000 : null,
    disk_bytes: 52 * 2 ** 20,
    disk_limit_bytes: 20 * 2 ** 30,
  };
}

export class Audit {
  #entries = [];
  #person;

  constructor(person) {
    this.#person = person;
  }

  add(method, path, status, code) {
    if (method === 'GET') return;
    this.#entries.unshift({
      id: this.#entries.length + 1,
      at: new Date().toISOString(),
      person: this.#person.name,
      action: actionOf(method, path),
      subject: path.split('/')[2] ?? null,
      detail: null,
      address: '127.0.0.1',
      outcome: status < 400 ? 'done' : status < 500 ? 'refused' : 'failed',
      code,
    });
  }

  list(query) {
    const limit = Number(query.get('limit') ?? 100);
    const before = Number(query.get('cursor') ?? Number.POSITIVE_INFINITY);
    const found = this.#entries
      .filter(({ id }) => id < before)
      .filter((entry) =>
        ['person', 'action', 'subject', 'outcome'].every((by) => !query.get(by) || entry[by] === query.get(by)),
      );
    return { items: found.slice(0, limit), next_cursor: found.length > limit ? found[limit - 1].id : null };
  }
}

function actionOf(method, path) {
  for (const [pattern, name] of PARTS) {
    const match = pattern.exec(path);
    if (match) return name(match[1]);
  }
  return `${{ POST: 'create', PUT: 'set', DELETE: 'remove' }[method]}_${path.split('/')[1].replace(/s$/, '')}`;
}
