import { expect, test } from 'vitest';
import { waitOf } from './place';

test('a wait is told in the unit that people think of it in', () => {
  const wait = (seconds: number) => waitOf({ estimated_wait_seconds: seconds });
  expect([0, 45, 61, 3600, 7199].map(wait)).toEqual([
    'its turn has come',
    'within a minute',
    'about 2 min',
    'about 60 min',
    'about 2 h',
  ]);
  expect(wait(59_980)).toBe('about 17 h');
});
