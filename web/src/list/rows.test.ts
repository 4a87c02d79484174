import { expect, test } from 'vitest';
import type { SessionSummary } from '../api/types';
import { type Grouping, grouped } from './rows';

const NOW = new Date(2026, 10, 26, 12).getTime();
const DAY = 86_400_000;

const session = (id: string, phase: SessionSummary['phase'], repository: string, daysAgo: number) =>
  ({ id, phase, repository, created_at: new Date(NOW - daysAgo * DAY).toISOString() }) as SessionSummary;

const SESSIONS = [
  session('e', 'done', '/r/one', 0),
  session('d', 'executing', '/r/two', 0),
  session('c', 'waiting_for_you', '/r/one', 1),
  session('b', 'done', '/r/two', 3),
  session('a', 'failed', '/r/one', 300),
];

function shown(by: Grouping): string[] {
  return grouped(SESSIONS, by, NOW).map((row) => (row.kind === 'heading' ? `${row.label} ${row.count}` : row.key));
}

test('sessions stand under their day', () => {
  const weekday = new Date(NOW - 3 * DAY).toLocaleDateString(undefined, { weekday: 'long' });
  const month = new Date(NOW - 300 * DAY).toLocaleDateString(undefined, { month: 'long', year: 'numeric' });
  expect(shown('day')).toEqual(['Today 2', 'e', 'd', 'Yesterday 1', 'c', `${weekday} 1`, 'b', `${month} 1`, 'a']);
});

test('by phase, what waits for somebody is first and what is over last', () => {
  expect(shown('phase')).toEqual(['Waiting for you 1', 'c', 'Failed 1', 'a', 'Executing 1', 'd', 'Done 2', 'e', 'b']);
});

test('by repository, that of the newest session is first', () => {
  expect(shown('repository')).toEqual(['one 3', 'e', 'c', 'a', 'two 2', 'd', 'b']);
});

test('without groups there are no headings', () => {
  expect(shown('none')).toEqual(['e', 'd', 'c', 'b', 'a']);
});
