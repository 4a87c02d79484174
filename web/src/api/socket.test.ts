import { once } from 'node:events';
import { expect, test } from 'vitest';
import WebSocket, { WebSocketServer } from 'ws';
import { ReconnectingSocket } from './socket';

test('a page that is left before its connection is open leaves it without a fault', async () => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const faults: Error[] = [];
  const states: string[] = [];
  const socket = new ReconnectingSocket({
    address: () => `ws://127.0.0.1:${port}`,
    onMessage: () => {},
    onState: ({ state }) => states.push(state),
    dial: (address) => {
      const dialled = new WebSocket(address);
      dialled.on('error', (fault) => faults.push(fault));
      return dialled as unknown as globalThis.WebSocket;
    },
  });

  const arrived = once(server, 'connection');
  socket.open();
  socket.close();
  const [peer] = (await arrived) as [WebSocket];
  await once(peer, 'close');

  expect(faults).toEqual([]);
  expect(states).toEqual(['connecting']);
  server.close();
});
