import tailwindcss from '@tailwindcss/vite';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

// The server refuses other origins than its own address, so the Host header stays what the browser sent.
// `npm run dev` sets this to the dev double; point it at a real `lamplight serve` to work against that.
const server = process.env.LAMPLIGHT_SERVER ?? 'http://127.0.0.1:7411';

export default defineConfig({
  plugins: [react(), tailwindcss()],
  build: {
    target: 'es2022',
    // Keeps light-dark() as it is written: every browser since spring 2024 has it.
    cssTarget: ['chrome123', 'firefox121', 'safari17.5'],
    // Inlined assets would be data: addresses, which the Content-Security-Policy refuses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    host: '127.0.0.1',
    port: 5173,
    proxy: { '/api': { target: server, ws: true, changeOrigin: false } },
  },
  test: { include: ['src/**/*.test.{ts,tsx}', 'dev/**/*.test.ts'], environment: 'node' },
});
