/**
 * The dev double: a real HTTP and WebSocket server that speaks Lamplight's API with sessions in memory. For working on
 * the page and for its tests where the real server is not wanted. It refuses what the real one refuses.
 *
 *   node dev/server.mjs [port]    serves dist/ when it is built; SPEED=4 plays stories four times as fast
 */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WebSocketServer } from 'ws';
import { Audit, GITHUB, repositories, Sandboxes } from './admin.mjs';
import { POLICY } from './guards.mjs';
import { HEADERS, TYPES } from './headers.mjs';
import { hookRoutes } from './hooks.mjs';
import { insideRoutes } from './inside.mjs';
import { keyring } from './keys.mjs';
import { PLACES } from './queue.mjs';
import { Refused } from './refused.mjs';
import { reviewRoutes } from './review.mjs';
import { Session } from './session.mjs';
import { usage, usageOf } from './usage.mjs';

const DIST = fileURLToPath(new URL('../dist/', import.meta.url));
const BODY_LIMIT = 1 << 20;
const HEARTBEAT_MS = 30_000;
const PERSON = { name: 'Ada', email: 'ada@example.com' };
const REPOSITORIES = ['/srv/code/stats', '/srv/code/website', '/srv/code/compiler'];

const PLAIN = { upstreams: ['openai', 'anthropic', 'local'], names_upstream: false };
/** Who asks: there is no sign-in. */
const ME = { id: null, name: 'Ada', email: 'ada@example.org', role: 'owner', scope: 'admin', signs_in: false };

/** Starts it; `port` 0 takes a free one. */
export async function start({ port = 0, speed = 1 } = {}) {
  const sessions = new Map();
  const byKey = new Map();
  const watchers = new Set();
  const began = Date.now();
  const audit = new Audit(PERSON);
  const sandboxes = new Sandboxes();

  function create(spec, key) {
    const written = JSON.stringify(spec);
    const known = key ? byKey.get(key) : undefined;
    if (known) {
      if (known.written !== written)
        throw new Refused(409, 'idempotency_key_reused', 'This key was used for another session.', 'Use a new key.');
      return known.session;
    }
    if (typeof spec.prompt !== 'string' || spec.prompt.trim() === '')
      throw new Refused(400, 'invalid_request', 'A session needs a prompt.', 'Say what should be done.');
    const origin = spec.fork ? find(spec.fork.session) : null;
    if (origin) spec = { ...spec, repository: origin.spec.repository, base: origin.spec.base };
    if (!String(spec.repository ?? '').startsWith('/'))
      throw new Refused(
        404,
        'repository_not_found',
        `There is no git repository at ${spec.repository}.`,
        'Give the absolute path of a repository on this machine.',
      );
    if (spec.agent === 'codex')
      throw new Refused(
        409,
        'agent_not_installed',
        'The agent codex is not installed.',
        'Run `lamplight agents install codex`.',
      );
    const session = new Session(spec, PERSON, speed);
    sessions.set(session.id, session);
    if (key) byKey.set(key, { written, session });
    let due = false;
    const tell = () => {
      due = false;
      const text = JSON.stringify(session.summary());
      for (const socket of watchers) socket.send(text);
    };
    session.on('change', () => {
      if (!due) setTimeout(tell, 100);
      due = true;
    });
    session.emit('change');
    return session;
  }

  const keys = keyring();

  const find = (id) => {
    const session = sessions.get(id);
    if (!session)
      throw new Refused(404, 'session_not_found', `There is no session ${id}.`, 'Look at the list of sessions.');
    return session;
  };

  /** What there is of one session. */
  const of = (path) => new RegExp(`^/sessions/(\\w+)/${path}$`);

  const routes = [
    ['GET', /^\/sessions$/, ({ query }) => list(sessions, query)],
    ['POST', /^\/sessions$/, ({ body, headers }) => [201, create(body, headers['idempotency-key']).view()]],
    ['POST', /^\/sessions\/ahead$/, () => [202, { state: 'ready' }]],
    ['GET', /^\/sessions\/(\w+)$/, ({ ids }) => find(ids[0]).view()],
    ['GET', of('usage'), ({ ids }) => usageOf(find(ids[0]))],
    ['POST', of('prompts'), ({ ids, body }) => [202, find(ids[0]).prompt(body.text)]],
    ['PUT', of('prompts/(\\w+)'), ({ ids, body }) => [204, find(ids[0]).editPrompt(ids[1], body.text)]],
    ['POST', of('archive'), ({ ids }) => after(find(ids[0]), (session) => session.archive(true))],
    ['POST', of('unarchive'), ({ ids }) => after(find(ids[0]), (session) => session.archive(false))],
    ['DELETE', of('prompts/(\\w+)'), ({ ids }) => [204, find(ids[0]).removePrompt(ids[1])]],
    [
      'POST',
      of('continue'),
      ({ ids, body }) => [202, after(find(ids[0]), (session) => session.guards.goOn(session, body.turn, body.text))],
    ],
    ['POST', of('release'), ({ ids }) => [202, after(find(ids[0]), (session) => sandboxes.release(session))]],
    ['POST', of('stop'), ({ ids }) => [202, after(find(ids[0]), (session) => session.stop())]],
    ['POST', of('budget'), ({ ids, body }) => after(find(ids[0]), (session) => session.setBudget(body.budget_micros))],
    [
      'POST',
      of('restore'),
      ({ ids, body }) => [202, after(find(ids[0]), (session) => session.restore(body.checkpoint))],
    ],
    ['POST', of('model'), ({ ids, body }) => after(find(ids[0]), (session) => session.chooseModel(body.model))],
    [
      'POST',
      of('permission'),
      ({ ids, body }) => after(find(ids[0]), (session) => session.asking.answer(body.request, body.option)),
    ],
    [
      'POST',
      of('question'),
      ({ ids, body: { request, action, content } }) =>
        after(find(ids[0]), (session) => session.asking.reply(request, action, content)),
    ],
    ['GET', of('diff'), ({ ids, query }) => find(ids[0]).diff(query.has('turn') ? Number(query.get('turn')) : null)],
    ...insideRoutes(find),
    ...reviewRoutes(find),
    ...hookRoutes(),
    ['POST', of('merge'), ({ ids }) => find(ids[0]).merge()],
    ['POST', of('end'), ({ ids }) => after(find(ids[0]), (session) => session.end())],
    ['GET', of('log'), ({ ids, query }) => page(find(ids[0]).log, query)],
    [
      'GET',
      /^\/agents$/,
      () => ({
        items: [
          { name: 'goose', title: 'goose', installed: true, version: '1.9.0', default: true, ...PLAIN },
          {
            name: 'opencode',
            title: 'OpenCode',
            installed: true,
            version: '0.15.2',
            default: false,
            ...PLAIN,
            names_upstream: true,
          },
          { name: 'codex', title: 'Codex', installed: false, version: null, default: false, ...PLAIN },
        ],
      }),
    ],
    ['GET', /^\/sign-in$/, () => ({ required: false, nobody_yet: false, oidc: null, github: false })],
    ['GET', /^\/me$/, () => ME],
    ['GET', /^\/guards$/, () => POLICY],
    ['GET', /^\/queue$/, () => ({ items: [], places: PLACES, servers: [], not_answering: [] })],
    ['GET', /^\/automations$/, () => ({ items: [] })],
    ['GET', /^\/keys$/, keys.list],
    ['PUT', /^\/keys\/(\w+)$/, ({ ids, body }) => keys.set(ids[0], body)],
    ['DELETE', /^\/keys\/(\w+)$/, ({ ids }) => [204, keys.remove(ids[0])]],
    ['POST', /^\/keys\/(\w+)\/test$/, ({ ids }) => keys.test(ids[0])],
    ['GET', /^\/models$/, keys.models],
    ['GET', /^\/repositories$/, () => repositories(REPOSITORIES, began)],
    [
      'GET',
      /^\/repositories\/offer$/,
      ({ query }) => ({ template: query.get('path') === REPOSITORIES[1] ? 'What is wrong:\nHow to see it:\n' : null }),
    ],
    ['GET', /^\/github$/, () => GITHUB],
    ['GET', /^\/sandboxes$/, () => sandboxes.list([...sessions.values()])],
    ['GET', /^\/audit$/, ({ query }) => audit.list(query)],
    ['GET', /^\/usage$/, ({ query }) => usage([...sessions.values()], query, PERSON, REPOSITORIES)],
    [
      'GET',
      /^\/status$/,
      () => ({
        version: '0.1.0',
        uptime_ms: Date.now() - began,
        sessions_awake: sessions.size,
        provider: 'local',
        default_agent: 'goose',
        models_configured: [],
        scripted_model: true,
        person: PERSON,
      }),
    ],
  ];

  const server = createServer(async (request, response) => {
    const url = new URL(request.url, 'http://localhost');
    try {
      if (!url.pathname.startsWith('/api/')) return await asset(url.pathname, response);
      const path = url.pathname.replace(/^\/api\/v1/, '');
      for (const [method, pattern, handle] of routes) {
        const match = pattern.exec(path);
        if (!match || method !== request.method) continue;
        const result = handle({
          ids: match.slice(1),
          query: url.searchParams,
          body: await bodyOf(request),
          headers: request.headers,
        });
        const [status, value] = Array.isArray(result) ? result : [200, result];
        audit.add(method, path, status, null);
        response.writeHead(status, { ...HEADERS, 'content-type': 'application/json' });
        response.end(value === undefined ? '' : JSON.stringify(value));
        return;
      }
      throw new Refused(404, 'not_found', `No ${request.method} ${path}.`, 'See the OpenAPI document.');
    } catch (thrown) {
      const known =
        thrown instanceof Refused
          ? thrown
          : new Refused(500, 'internal', String(thrown), 'Look at the terminal of the dev double.');
      audit.add(request.method, url.pathname.replace(/^\/api\/v1/, ''), known.status, known.code);
      response.writeHead(known.status, { ...HEADERS, 'content-type': 'application/problem+json' });
      response.end(
        JSON.stringify({
          type: 'about:blank',
          title: known.code,
          status: known.status,
          code: known.code,
          detail: known.message,
          what_to_do: known.whatToDo,
        }),
      );
    }
  });

  const sockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request, socket, head) => {
    const url = new URL(request.url, 'http://localhost');
    const match = /^\/api\/v1\/(?:sessions\/(\w+)\/)?events$/.exec(url.pathname);
    const session = match?.[1] ? sessions.get(match[1]) : null;
    if (!match || (match[1] && !session)) return socket.end('HTTP/1.1 404 Not Found\r\n\r\n');
    sockets.handleUpgrade(request, socket, head, (client) => {
      if (session) follow(session, client, Number(url.searchParams.get('resume') ?? 0));
      else {
        watchers.add(client);
        client.on('close', () => watchers.delete(client));
      }
    });
  });

  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    create: (spec) => create(spec),
    close: () => {
      for (const client of sockets.clients) client.terminate();
      server.closeAllConnections();
      server.close();
    },
  };
}

/** The view once something was done. */
function after(session, act) {
  act(session);
  return session.view();
}

/** Backlog, `live`, then as it comes; acknowledgements are checked, because a page that forgets them is a bug. */
function follow(session, client, resume) {
  let sent = resume;
  const send = (value) => client.send(JSON.stringify(value));
  const entry = (one) => {
    sent = one.seq;
    send(one);
  };
  for (const one of session.log.slice(resume)) entry(one);
  send({ control: 'live', last_seq: session.log.length });
  session.on('entry', entry);
  const heartbeat = setInterval(
    () => send({ control: 'heartbeat', at: Date.now(), last_seq: session.log.length }),
    HEARTBEAT_MS,
  );
  client.on('message', (data) => {
    const told = JSON.parse(String(data));
    if (!(Number.isInteger(told.ack) && told.ack <= sent) && !('resume' in told))
      client.close(1008, 'not an acknowledgement');
  });
  client.on('close', () => {
    session.off('entry', entry);
    clearInterval(heartbeat);
  });
}

function list(sessions, query) {
  const q = query.get('q')?.toLowerCase();
  const limit = Number(query.get('limit') ?? 50);
  const all = [...sessions.values()]
    .map((session) => session.summary())
    .filter((one) => ['phase', 'repository', 'person'].every((by) => !query.get(by) || one[by] === query.get(by)))
    .filter((one) => one.archived === (query.get('archived') === 'true'))
    .filter((one) => !q || [one.title, one.repository, one.branch].some((text) => text.toLowerCase().includes(q)))
    .filter((one) => !query.get('cursor') || one.id < query.get('cursor'))
    .sort((a, b) => (a.id < b.id ? 1 : -1));
  return { items: all.slice(0, limit), next_cursor: all.length > limit ? all[limit - 1].id : null };
}

function page(log, query) {
  const limit = Math.min(Number(query.get('limit') ?? 500), 2000);
  const before = query.get('before');
  const entries =
    before === null
      ? log.slice(Number(query.get('after') ?? 0)).slice(0, limit)
      : log.slice(0, Number(before) - 1).slice(-limit);
  return { entries, last_seq: log.length };
}

async function bodyOf(request) {
  let text = '';
  for await (const chunk of request) {
    text += chunk;
    if (text.length > BODY_LIMIT)
      throw new Refused(413, 'invalid_request', 'The request is too large.', 'Send at most 1 MiB.');
  }
  if (text === '') return {};
  try {
    return JSON.parse(text);
  } catch {
    throw new Refused(400, 'invalid_request', 'The request is not JSON.', 'Send JSON.');
  }
}

async function asset(path, response) {
  const file = normalize(join(DIST, path));
  const found =
    file.startsWith(DIST) && extname(file)
      ? await readFile(file).catch(() => null)
      : await readFile(join(DIST, 'index.html'));
  const type = TYPES[extname(file)] ?? TYPES['.html'];
  response.writeHead(found ? 200 : 404, { ...HEADERS, 'content-type': type });
  response.end(found ?? 'not found');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const double = await start({ port: Number(process.argv[2] ?? 7411), speed: Number(process.env.SPEED ?? 1) });
  process.stdout.write(`dev double on ${double.url}\n`);
}
