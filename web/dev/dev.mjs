/** `npm run dev`: the dev double and Vite before it. DEV_SERVER=http://127.0.0.1:7410 uses a real server instead. */
import { createServer } from 'vite';
import { start } from './server.mjs';

if (!process.env.DEV_SERVER) {
  const double = await start({ speed: Number(process.env.SPEED ?? 1) });
  process.env.DEV_SERVER = double.url;
}
const vite = await createServer();
await vite.listen();
vite.printUrls();
