import { defineConfig } from 'vitest/config';

/** Tests in a real browser: `npm run e2e`. See browser.ts for what the environment chooses. */
export default defineConfig({
  cacheDir: '../node_modules/.vite',
  test: {
    root: import.meta.dirname,
    include: ['**/*.e2e.ts'],
    // Vite takes the name BASE_URL for itself inside of tests.
    env: { LAMPLIGHT_URL: process.env.BASE_URL ?? '' },
    testTimeout: 90_000,
    hookTimeout: 60_000,
    // The default of a second is shorter than a busy machine sometimes takes.
    expect: { poll: { timeout: 20_000 } },
    // As with the other tests of real processes: once more, and what passes only then is a fault to be found.
    retry: 1,
    // Two browsers at a time: the machines that run this are small, and each waits for more than half of its time.
    maxWorkers: 2,
  },
});
