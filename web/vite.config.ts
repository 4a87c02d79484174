import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import tailwindcss from '@tailwindcss/vite';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

// The server refuses other origins than its own address, so the Host header stays what the browser sent.
// `npm run dev` sets this to the dev double; point it at a real `lamplight serve` to work against that.
const server = process.env.DEV_SERVER ?? 'http://127.0.0.1:7411';

/** Each text beside itself as it is sent: the server has no work with it. */
const compressed = {
  name: 'compressed',
  apply: 'build' as const,
  writeBundle: ({ dir = 'dist' }: { dir?: string | undefined }) => {
    for (const name of readdirSync(dir, { recursive: true, encoding: 'utf8' })) {
      if (!/\.(js|css|html|svg)$/.test(name)) continue;
      const plain = readFileSync(join(dir, name));
      writeFileSync(join(dir, `${name}.br`), brotliCompressSync(plain));
      writeFileSync(join(dir, `${name}.gz`), gzipSync(plain, { level: 9 }));
    }
  },
};

/**
 * Few files: each comes with some 700 bytes of headers, compresses by itself, and waits for one of six connections. What every
 * page begins with is one. What lazy parts share is one for each set of parts that share it; small ones join the next.
 */
const codeSplitting = {
  groups: [
    { name: 'start', tags: ['$initial' as const], priority: 1 },
    { name: 'shared', minShareCount: 2, entriesAware: true, entriesAwareMergeThreshold: 5_000 },
  ],
};

/** A shared file would be called by all that share it. */
const chunkFileNames = ({ name }: { name: string }) =>
  `assets/${name.startsWith('shared~') ? 'shared' : '[name]'}-[hash].js`;

export default defineConfig({
  plugins: [react(), tailwindcss(), compressed],
  build: {
    target: 'es2022',
    // Keeps light-dark() as it is written: every browser since spring 2024 has it.
    cssTarget: ['chrome123', 'firefox121', 'safari17.5'],
    // Inlined assets would be data: addresses, which the Content-Security-Policy refuses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: { output: { codeSplitting, chunkFileNames } },
  },
  server: {
    host: '127.0.0.1',
    port: 5173,
    proxy: { '/api': { target: server, ws: true, changeOrigin: false } },
  },
  test: { include: ['src/**/*.test.{ts,tsx}', 'dev/**/*.test.ts'], environment: 'node' },
});
