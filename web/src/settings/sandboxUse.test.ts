import { expect, test } from 'vitest';
import type { Sandbox } from '../api/types';
import { processors, seen } from './sandboxUse';

const list = (...items: Sandbox[]) => ({ items, not_answering: [] });
const using = (cpu_ms: number | null, generation = 1) => ({ session: 's', generation, cpu_ms }) as Sandbox;

test('processors are what was used between two looks', () => {
  const first = seen(list(using(1_000)), undefined, 10_000);
  expect(processors(first, using(1_000))).toBe(null);
  const second = seen(list(using(4_000)), first, 12_000);
  expect(processors(second, using(4_000))).toBe(1.5);
  // A later sandbox of the session has used nothing of that.
  expect(processors(seen(list(using(100, 2)), second, 14_000), using(100, 2))).toBe(null);
  expect(processors(second, using(null))).toBe(null);
});
