import { afterEach, expect, test } from 'vitest';
import WebSocket from 'ws';
import { startCutter } from '../../dev/cutter.mjs';
import { start } from '../../dev/server.mjs';
import type { Entry } from '../api/events';
import { rebuild } from './reduce';
import { type SessionState, SessionStore } from './store';

/** Longest wait for anything in here. */
const DEADLINE_MS = 10_000;

const ending: (() => void)[] = [];
afterEach(() => {
  for (const end of ending.splice(0)) end();
});

async function double(speed: number) {
  const server = await start({ speed });
  const cutter = await startCutter(server.url);
  ending.push(() => {
    cutter.close();
    server.close();
  });
  return { server, cutter };
}

async function json(url: string) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(await response.text());
  return response.json();
}

function open(
  base: string,
  id: string,
  dial = (address: string) => new WebSocket(address) as unknown as globalThis.WebSocket,
) {
  const store = new SessionStore(id, {
    session: (session) => json(`${base}/api/v1/sessions/${session}`),
    logBefore: (session, before, limit) =>
      json(`${base}/api/v1/sessions/${session}/log?before=${before}&limit=${limit}`),
    address: (path) => `${base.replace('http', 'ws')}/api/v1${path}`,
    dial,
  });
  ending.push(() => store.close());
  void store.open();
  return store;
}

function until(store: SessionStore, what: string, holds: (state: SessionState) => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = () => {
      if (!holds(store.getState())) return;
      clearTimeout(timer);
      leave();
      resolve();
    };
    const leave = store.subscribe(look);
    const timer = setTimeout(() => reject(new Error(`never: ${what}`)), DEADLINE_MS);
    look();
  });
}

const over = (turn: number) => (state: SessionState) =>
  state.timeline.items.some((item) => item.kind === 'commit' && item.turn === turn) &&
  state.timeline.facts?.phase === 'done';

test('a connection cut again and again loses and doubles nothing', async () => {
  // Slow enough for a reconnection with the longest wait to find more of the story, several times.
  const { server, cutter } = await double(2);
  const session = server.create({ repository: '/r', prompt: 'the test fails' });
  const store = open(cutter.url, session.id);
  await until(store, 'caught up', (state) => state.caughtUp);
  let cuts = 0;
  const last = () => store.getState().timeline.last;
  for (let seen = last(); !over(1)(store.getState()); seen = last()) {
    cutter.cut();
    cuts += 1;
    await until(store, 'more entries', (state) => state.timeline.last > seen || over(1)(state));
  }
  expect(cuts).toBeGreaterThan(3);
  const fresh = rebuild(session.view(), session.log);
  expect(store.getState().timeline.items).toEqual(fresh.items);
  expect(store.getState().timeline.facts).toEqual(fresh.facts);
}, 30_000);

test('while the server is away the page says when it tries again, and it comes back by itself', async () => {
  const { server, cutter } = await double(20);
  const session = server.create({ repository: '/r', prompt: 'slow' });
  const store = open(cutter.url, session.id);
  await until(store, 'connected', (state) => state.connection.state === 'connected');
  cutter.refusing = true;
  cutter.cut();
  await until(
    store,
    'a third attempt',
    ({ connection }) => connection.state === 'reconnecting' && connection.attempt >= 3,
  );
  const { connection } = store.getState();
  expect(connection.state === 'reconnecting' && connection.retryAt).toBeGreaterThan(Date.now());
  session.prompt('meanwhile');
  cutter.refusing = false;
  await until(store, 'connected again', (state) => state.connection.state === 'connected');
  await until(store, 'what happened meanwhile', (state) => state.timeline.facts?.queued[0]?.text === 'meanwhile');
});

test('a gap is not shown: the page asks again from where it was', async () => {
  const { server, cutter } = await double(20);
  const session = server.create({ repository: '/r', prompt: 'the test fails' });
  let dropped = 0;
  const lossy = (address: string) => {
    const socket = new WebSocket(address);
    const emit = socket.emit.bind(socket);
    // One entry in the middle of each of the first two connections never arrives.
    socket.emit = (name: string | symbol, ...rest: unknown[]) => {
      const entry = name === 'message' ? (JSON.parse(String(rest[0])) as Entry) : null;
      if (entry && dropped < 2 && entry.seq === 20 + 10 * dropped) {
        dropped += 1;
        return true;
      }
      return emit(name, ...rest);
    };
    return socket as unknown as globalThis.WebSocket;
  };
  const store = open(cutter.url, session.id, lossy);
  await until(store, 'the end', over(1));
  expect(dropped).toBe(2);
  expect(store.getState().timeline.items).toEqual(rebuild(session.view(), session.log).items);
});

test('a long log opens at its end, and earlier entries come when asked for', async () => {
  const { server, cutter } = await double(1_000);
  const session = server.create({ repository: '/r', prompt: 'long' });
  await new Promise<void>((resolve) =>
    session.on('entry', ({ event }: Entry) => event.type === 'work_committed' && resolve()),
  );
  const store = open(cutter.url, session.id);
  await until(store, 'caught up', (state) => state.caughtUp);
  expect(store.getState().timeline.items.length).toBeLessThan(600);
  while (store.getState().older === 'more') await store.loadOlder();
  expect(session.log.length).toBeGreaterThan(5_000);
  expect(store.getState().timeline.items).toEqual(rebuild(null, session.log).items);
});

test('a session that is not there is an error with what to do', async () => {
  const { cutter } = await double(1);
  const store = open(cutter.url, 'NOPE');
  await until(store, 'an error', (state) => state.loadError !== null);
  expect(store.getState().loadError?.whatToDo).not.toBe('');
});
