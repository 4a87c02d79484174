import { expect, test } from 'vitest';
import { AS_CONFIGURED, boundsOf } from './Bounds';

test('what nobody chose is left to the configuration', () => {
  expect(boundsOf(AS_CONFIGURED)).toEqual({});
  expect(boundsOf({ ...AS_CONFIGURED, budget: 'much', hosts: 'example.org' })).toEqual({});
});

test('what was chosen is asked for, in the words of the API', () => {
  expect(boundsOf({ policy: 'none', hosts: 'x', budget: '2,50' })).toEqual({
    network: { policy: 'none' },
    limits: { budget_micros: 2_500_000 },
  });
  expect(boundsOf({ policy: 'allowlist', hosts: ' a.example, *.example.org\nb.example ', budget: '' })).toEqual({
    network: { policy: 'allowlist', hosts: ['a.example', '*.example.org', 'b.example'] },
  });
});
