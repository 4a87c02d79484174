import { expect, test } from 'vitest';
import { isLost, join, parent, partsOf } from './paths';

test('paths are taken apart and put together', () => {
  expect(join('/workspace', 'a b')).toBe('/workspace/a b');
  expect(join('/', 'etc')).toBe('/etc');
  expect(['/workspace/a/b', '/workspace', '/', '/a/'].map(parent)).toEqual(['/workspace/a', '/', '/', '/']);
  expect(partsOf('/workspace/<b>').map((part) => part.path)).toEqual(['/', '/workspace', '/workspace/<b>']);
  expect(partsOf('/')).toEqual([{ name: '/', path: '/' }]);
  expect([isLost('a\ufffdb'), isLost('ok')]).toEqual([true, false]);
});
