import { expect, test } from 'vitest';
import { amount } from './amounts';

test('a guard is told in what it counts', () => {
  expect(amount('steps', 1)).toBe('1 tool call');
  expect(amount('identical_calls', 3)).toBe('3 identical calls in a row');
  expect(amount('session_wall_clock', 7_200_000)).toBe('2:00:00');
  expect(amount('session_tokens', 2_000_000)).toBe('2M tokens');
  expect(amount('cost', 500_000)).toBe('$0.50');
});
