/** A TCP forwarder that tests put before a server, to cut its connections and to keep it away. */
import { connect, createServer } from 'node:net';

/** Forwards to `target` (a URL). `cut` ends what is open now; while `refusing`, new connections are closed at once. */
export async function startCutter(target) {
  const { hostname, port } = new URL(target);
  const open = new Set();
  const cutter = { url: '', refusing: false, cut, close };
  const server = createServer((near) => {
    if (cutter.refusing) return near.destroy();
    const far = connect(Number(port), hostname);
    const pair = { near, far };
    open.add(pair);
    const end = () => {
      near.destroy();
      far.destroy();
      open.delete(pair);
    };
    for (const side of [near, far]) side.on('error', end).on('close', end);
    near.pipe(far);
    far.pipe(near);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  cutter.url = `http://127.0.0.1:${server.address().port}`;

  function cut() {
    for (const { near, far } of [...open]) {
      near.destroy();
      far.destroy();
    }
  }
  function close() {
    cut();
    server.close();
  }
  return cutter;
}
