import { expect, test } from 'vitest';
import { patchPages } from './queries';
import { BACKOFF_FIRST_MS, BACKOFF_LAST_MS, backoffMs } from './socket';
import type { SessionSummary } from './types';

const session = (id: string, last_seq: number, phase: SessionSummary['phase'] = 'executing') =>
  ({ id, last_seq, phase }) as SessionSummary;
const pages = (...items: SessionSummary[]) => ({ pages: [{ items, next_cursor: null }], pageParams: [null] });

test('news of a session replaces it where it is', () => {
  const patched = patchPages(pages(session('a', 5), session('b', 5)), {}, session('b', 6, 'done'));
  expect(patched?.pages[0]?.items).toEqual([session('a', 5), session('b', 6, 'done')]);
});

test('old news changes nothing', () => {
  const patched = patchPages(pages(session('a', 5)), {}, session('a', 4, 'done'));
  expect(patched?.pages[0]?.items).toEqual([session('a', 5)]);
});

test('a session leaves a list whose phase it no longer has', () => {
  const patched = patchPages(pages(session('a', 5)), { phase: 'executing' }, session('a', 6, 'done'));
  expect(patched?.pages[0]?.items).toEqual([]);
});

test('an unknown session makes the list ask again, but not a list that it cannot be in', () => {
  expect(patchPages(pages(), {}, session('a', 1))).toBe(null);
  expect(patchPages(pages(), { phase: 'failed' }, session('a', 1))).toEqual(pages());
});

test('waits between dials double, have a bound, and are spread', () => {
  expect([1, 2, 3, 4, 5, 6, 7, 50].map((attempt) => backoffMs(attempt, 1))).toEqual([
    250, 500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000,
  ]);
  expect(backoffMs(1, 0)).toBe(BACKOFF_FIRST_MS / 2);
  expect(backoffMs(99, 0)).toBe(BACKOFF_LAST_MS / 2);
});
