import { expect, test } from 'vitest';
import { patchPages } from './queries';
import { BACKOFF_FIRST_MS, BACKOFF_LAST_MS, backoffMs } from './socket';
import type { SessionSummary } from './types';

const session = (id: string, last_seq: number, phase: SessionSummary['phase'] = 'executing', archived = false) =>
  ({ id, last_seq, phase, archived, repository: '/r', person: 'Ada' }) as SessionSummary;
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

test('a session that is archived leaves the list and joins that of the archived ones', () => {
  const archived = session('b', 6, 'done', true);
  expect(patchPages(pages(session('b', 5)), {}, archived)?.pages[0]?.items).toEqual([]);
  expect(patchPages(pages(), { archived: true }, archived)?.pages[0]?.items).toEqual([archived]);
});

test('a session that the list did not have gets its place, if the list can have it', () => {
  const c = session('c', 1);
  expect(patchPages(pages(session('d', 1), session('b', 1)), {}, c)?.pages[0]?.items.map(({ id }) => id)).toEqual([
    'd',
    'c',
    'b',
  ]);
  expect(patchPages(pages(), { phase: 'failed' }, c)).toEqual(pages());
  expect(patchPages(pages(), { repository: '/other' }, c)).toEqual(pages());
  expect(patchPages(pages(), { person: 'Grace' }, c)).toEqual(pages());
  expect(patchPages(pages(), { q: 'words' }, c)).toBe(null);
});

test('of many pages, it is put into the one that its place is in, and not at all before that one is loaded', () => {
  const two = {
    pages: [
      { items: [session('f', 1), session('e', 1)], next_cursor: 'e' },
      { items: [session('c', 1), session('b', 1)], next_cursor: 'b' },
    ],
    pageParams: [null, 'e'],
  };
  const ids = (added: string) =>
    patchPages(two, {}, session(added, 1))?.pages.map((page) => page.items.map(({ id }) => id).join(''));
  expect(ids('g')).toEqual(['gfe', 'cb']);
  expect(ids('d')).toEqual(['fe', 'dcb']);
  expect(ids('a')).toEqual(['fe', 'cb']);
});

test('waits between dials double, have a bound, and are spread', () => {
  expect([1, 2, 3, 4, 5, 6, 7, 50].map((attempt) => backoffMs(attempt, 1))).toEqual([
    250, 500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000,
  ]);
  expect(backoffMs(1, 0)).toBe(BACKOFF_FIRST_MS / 2);
  expect(backoffMs(99, 0)).toBe(BACKOFF_LAST_MS / 2);
});
