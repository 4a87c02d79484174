import { expect, test } from 'vitest';
import { fittingWidth } from './Drawer';

test('a drawer leaves room beside it, and is never too narrow', () => {
  expect(fittingWidth(600, 1440)).toBe(600);
  expect(fittingWidth(2_000, 1440)).toBe(1080);
  expect(fittingWidth(10, 1440)).toBe(320);
  expect(fittingWidth(600, 500)).toBe(320);
});
