import { expect, test } from 'vitest';
import type { SessionUsageItem } from '../api/types';
import { byModel, byTurn, kindsOf } from './sums';

const item = (turn: number, model: string, micros: number, is_partial = false): SessionUsageItem => ({
  turn,
  model,
  requests: 2,
  tokens: { input: 10, output: 5, cached: 1, cache_written: 0, reasoning: 0 },
  cost: { micros, is_partial },
});

test('what was used is added up by model and by turn', () => {
  const items = [item(1, 'small', 100), item(1, 'large', 5_000), item(2, 'small', 300, true)];
  const short = (sums: ReturnType<typeof byTurn>) =>
    sums.map(({ name, requests, tokens, cost }) => [name, requests, tokens.input, cost.micros, cost.is_partial]);
  expect(short(byModel(items))).toEqual([
    ['large', 2, 10, 5_000, false],
    ['small', 4, 20, 400, true],
  ]);
  expect(short(byTurn(items))).toEqual([
    ['1', 4, 20, 5_100, false],
    ['2', 2, 10, 300, true],
  ]);
  expect(byModel([])).toEqual([]);
});

test('what was written to a cache and what was reasoning is in a table where there was any', () => {
  const row = item(1, 'small', 100);
  expect(kindsOf([row])).toEqual(['input', 'cached', 'output']);
  const more = { ...row, tokens: { ...row.tokens, cache_written: 4, reasoning: 2 } };
  expect(kindsOf([row, more])).toEqual(['input', 'cached', 'cache_written', 'output', 'reasoning']);
});
