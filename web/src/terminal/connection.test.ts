import { once } from 'node:events';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import WebSocket, { WebSocketServer } from 'ws';
import { type Ending, TerminalConnection } from './connection';

/** A server that says what it is told to, and remembers what it hears. */
let server: WebSocketServer;
let peers: WebSocket[];
let asked: string[];
let heard: string[];

beforeEach(async () => {
  [peers, asked, heard] = [[], [], []];
  server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  server.on('connection', (peer, request) => {
    peers.push(peer);
    asked.push(request.url ?? '');
    peer.on('message', (data, binary) => heard.push(`${binary ? 'keys' : 'word'} ${data}`));
  });
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  vi.stubGlobal('window', {
    location: { protocol: 'http:', host: `127.0.0.1:${port}` },
    addEventListener: () => {},
    removeEventListener: () => {},
    document: { addEventListener: () => {}, removeEventListener: () => {} },
  });
});

afterEach(() => {
  for (const peer of peers) peer.terminate();
  server.close();
  vi.unstubAllGlobals();
});

function sit() {
  const shown: string[] = [];
  const pending: (() => void)[] = [];
  const endings: Ending[] = [];
  const connection = new TerminalConnection({
    session: 'S',
    terminal: 'T',
    screen: {
      write: (bytes, done) => {
        shown.push(Buffer.from(bytes).toString());
        pending.push(done);
      },
      reset: () => shown.push('<reset>'),
    },
    onState: () => {},
    onEnding: (ending) => endings.push(ending),
    dial: (address) => new WebSocket(address) as unknown as globalThis.WebSocket,
  });
  const settle = () => {
    for (const done of pending.splice(0)) done();
  };
  return { connection, shown, endings, settle };
}

function output(offset: number, text: string | Uint8Array): Buffer {
  const head = Buffer.alloc(8);
  head.writeBigUInt64BE(BigInt(offset));
  return Buffer.concat([head, Buffer.from(text)]);
}

test('what was there before is shown, and its questions are not answered', async () => {
  const { connection, shown, settle } = sit();
  connection.resize(30, 90);
  connection.open();
  await vi.waitFor(() => expect(heard).toEqual(['word {"rows":30,"columns":90}']));
  expect(asked).toEqual(['/api/v1/sessions/S/terminals/T/stream?from=0']);
  peers[0]?.send('{"control":"attached","end":6}');
  peers[0]?.send(output(0, 'past\x1b[c'.slice(0, 6)));
  await vi.waitFor(() => expect(shown).toEqual(['past\x1b[']));
  expect(connection.type('\x1b[?1;2c')).toBe(false);
  settle();
  expect(connection.type('ls\r')).toBe(true);
  await vi.waitFor(() => expect(heard).toEqual(['word {"rows":30,"columns":90}', 'keys ls\r']));
  connection.close();
});

test('after a cut it goes on where it stopped, and says so when something is missing', async () => {
  const { connection, shown, settle } = sit();
  connection.resize(24, 80);
  connection.open();
  await vi.waitFor(() => expect(peers).toHaveLength(1));
  peers[0]?.send('{"control":"attached","end":0}');
  peers[0]?.send(output(100, 'newest'));
  await vi.waitFor(() => expect(shown).toEqual(['newest']));
  settle();
  peers[0]?.terminate();
  await vi.waitFor(() => expect(asked[1]).toBe('/api/v1/sessions/S/terminals/T/stream?from=106'));
  await vi.waitFor(() => expect(heard).toEqual(['word {"rows":24,"columns":80}', 'word {"rows":24,"columns":80}']));
  peers[1]?.send(output(106, 'more'));
  peers[1]?.send(output(5_000, 'later'));
  await vi.waitFor(() => expect(shown).toEqual(['newest', 'more', '<reset>', 'later']));
  connection.close();
});

test('a flood is acknowledged as it is shown', async () => {
  const { connection, shown, settle } = sit();
  connection.open();
  await vi.waitFor(() => expect(peers).toHaveLength(1));
  peers[0]?.send(output(0, new Uint8Array(60_000)));
  peers[0]?.send(output(60_000, new Uint8Array(60_000)));
  await vi.waitFor(() => expect(shown).toHaveLength(2));
  expect(heard).toEqual([]);
  settle();
  await vi.waitFor(() => expect(heard).toEqual(['word {"ack":120000}']));
  connection.close();
});

test('an end is told and not dialled again', async () => {
  for (const [word, ending] of [
    ['{"control":"exited","exit_code":3}', { kind: 'exited', exitCode: 3, signal: null }],
    ['{"control":"exited","signal":9}', { kind: 'exited', exitCode: null, signal: 9 }],
    [
      '{"control":"refused","code":"terminal_not_found","detail":"gone","what_to_do":"Open another one."}',
      { kind: 'refused', code: 'terminal_not_found', detail: 'gone', whatToDo: 'Open another one.' },
    ],
  ] as const) {
    const { connection, endings } = sit();
    const before = peers.length;
    connection.open();
    await vi.waitFor(() => expect(peers).toHaveLength(before + 1));
    const peer = peers.at(-1);
    peer?.send(word);
    if (peer) await once(peer, 'close');
    expect(endings).toEqual([ending]);
    expect(peers).toHaveLength(before + 1);
  }
});
