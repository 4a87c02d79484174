import { expect, test } from 'vitest';
import { costs } from './costs';

test('what has no known price is not told as free', () => {
  expect(costs({ micros: 0, is_partial: false })).toBe('$0.00');
  expect(costs({ micros: 0, is_partial: true })).toBe('unknown');
  expect(costs({ micros: 1_200_000, is_partial: true })).toBe('over $1.20');
});
