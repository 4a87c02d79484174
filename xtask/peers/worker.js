// A session's log as a Durable Object: append, then send to everybody who follows. Measured beside Lamplight.
import { DurableObject } from 'cloudflare:workers';

export class Log extends DurableObject {
  constructor(state, env) {
    super(state, env);
    state.storage.sql.exec('CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT)');
  }

  async fetch(request) {
    if (request.headers.get('upgrade') === 'websocket') {
      const { 0: client, 1: server } = new WebSocketPair();
      this.ctx.acceptWebSocket(server);
      return new Response(null, { status: 101, webSocket: client });
    }
    const body = await request.text();
    const insert = 'INSERT INTO events (body) VALUES (?) RETURNING seq';
    const { seq } = this.ctx.storage.sql.exec(insert, body).one();
    const entry = JSON.stringify({ seq, body });
    for (const reader of this.ctx.getWebSockets()) reader.send(entry);
    return Response.json({ seq });
  }
}

export default {
  fetch(request, env) {
    if (new URL(request.url).pathname === '/') return new Response('ready');
    return env.LOG.get(env.LOG.idFromName('session')).fetch(request);
  },
};
