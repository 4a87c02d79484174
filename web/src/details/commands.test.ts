import { expect, test } from 'vitest';
import { quoted } from './commands';

test.each([
  ['lamplight/fix-1', 'lamplight/fix-1'],
  ['/home/ada/my repo', "'/home/ada/my repo'"],
  ["it's; $(reboot) `x`", "'it'\\''s; $(reboot) `x`'"],
  ['-rf', "'-rf'"],
  ['', "''"],
  ['a\nb', "'a\nb'"],
])('%j is one word of a shell', (word, written) => {
  expect(quoted(word)).toBe(written);
});
