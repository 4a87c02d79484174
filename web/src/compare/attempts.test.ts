import { expect, test } from 'vitest';
import type { Attempt } from '../api/types';
import { attemptsOf } from '../create/Attempts';
import { isUnderWay, standingOf } from './attempts';

function attempt(session: object, taken: { session: string; by: string } | null = null): Attempt {
  const attempts = { number: 1, sessions: ['a', 'b'], taken };
  const whole = { id: 'a', phase: 'done', ended: false, checks: null, attempts, ...session };
  return { session: whole, changed: null, last_message: '' } as unknown as Attempt;
}

test.each([
  ['is done', attempt({}), false],
  ['works', attempt({ phase: 'executing' }), true],
  ['waits for a sandbox', attempt({ phase: 'queued' }), true],
  ['is checked', attempt({ checks: { state: 'running' } }), true],
  ['is left and has not ended', attempt({}, { session: 'b', by: 'Ada' }), true],
  ['is left and has ended', attempt({ ended: true }, { session: 'b', by: 'Ada' }), false],
])('one that %s is looked at again soon, or not', (_, one, soon) => {
  expect(isUnderWay(one)).toBe(soon);
});

test('one is taken, and the others are left', () => {
  const of = (taken: { session: string; by: string } | null) => standingOf(attempt({}, taken).session);
  expect([of(null), of({ session: 'a', by: 'Ada' }), of({ session: 'b', by: 'Ada' })]).toEqual([
    'open',
    'taken',
    'left',
  ]);
});

test('what attempts have of their own is asked for, and one alone is a session like any other', () => {
  const empty = { agent: '', model: '' };
  expect(attemptsOf([])).toEqual({});
  expect(attemptsOf([empty, { agent: 'codex', model: ' gpt-5 ' }])).toEqual({
    attempts: [
      { agent: null, model: null },
      { agent: 'codex', model: 'gpt-5' },
    ],
  });
});
