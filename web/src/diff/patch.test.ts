import { describe, expect, test } from 'vitest';
import { compareTexts, parsePatch, type Row } from './patch';

function drawn(rows: Row[]): string[] {
  const marks = { context: ' ', added: '+', removed: '-' };
  return rows.map((row) => `${row.old ?? '.'} ${row.new ?? '.'} ${marks[row.kind]}${row.text}`);
}

test('a patch of two hunks, with lines that look like headers', () => {
  const hunks = parsePatch(`diff --git a/x b/x
--- a/x
+++ b/x
@@ -1,3 +1,3 @@ fn top()
 one
--- two
+++ TWO
 three
@@ -9 +9,2 @@
-nine
+@@ -1 +1 @@
+ten
\\ No newline at end of file
`);
  expect(hunks.map(({ heading, rows }) => [heading, drawn(rows)])).toEqual([
    ['fn top()', ['1 1  one', '2 . --- two', '. 2 +++ TWO', '3 3  three']],
    ['', ['9 . -nine', '. 9 +@@ -1 +1 @@', '. 10 +ten']],
  ]);
});

describe('the difference of two texts', () => {
  test.each([
    ['a\nb\nc\n', 'a\nB\nc\n', ['1 1  a', '2 . -b', '. 2 +B', '3 3  c']],
    ['a\nb\n', 'a\nb\nc\n', ['1 1  a', '2 2  b', '. 3 +c']],
    ['a\nb\n', 'b\n', ['1 . -a', '2 1  b']],
    [null, 'new\n', ['. 1 +new']],
    ['gone\n', '', ['1 . -gone']],
    ['x\na\nb\ny\n', 'a\nz\nb\n', ['1 . -x', '2 1  a', '. 2 +z', '3 3  b', '4 . -y']],
  ])('%j to %j', (before, after, rows) => {
    expect(compareTexts(before, after).flatMap((hunk) => drawn(hunk.rows))).toEqual(rows);
  });

  test('the same is no hunk', () => {
    expect(compareTexts('a\n', 'a\n')).toEqual([]);
  });

  test('far changes are hunks of their own, near ones share one', () => {
    const lines = Array.from({ length: 40 }, (_, n) => `line ${n}`);
    const change = (...places: number[]) => lines.map((line, n) => (places.includes(n) ? `${line}!` : line)).join('\n');
    expect(compareTexts(lines.join('\n'), change(2, 30)).map((hunk) => hunk.newStart)).toEqual([1, 28]);
    expect(compareTexts(lines.join('\n'), change(10, 15)).map((hunk) => hunk.rows.length)).toEqual([14]);
  });

  test('a patch of any two random texts leads from one to the other', () => {
    let seed = 7;
    const random = (n: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed % n;
    };
    for (let round = 0; round < 200; round += 1) {
      const text = () => Array.from({ length: random(12) }, () => 'abc'[random(3)]).join('\n');
      const [before, after] = [text(), text()];
      const rows = compareTexts(before, after).flatMap((hunk) => hunk.rows);
      const b = before === '' ? [] : before.split('\n');
      const a = after === '' ? [] : after.split('\n');
      for (const row of rows) {
        if (row.old !== null) expect(row.text).toBe(b[row.old - 1]);
        if (row.new !== null) expect(row.text).toBe(a[row.new - 1]);
      }
      const removed = rows.filter((row) => row.kind === 'removed').length;
      const added = rows.filter((row) => row.kind === 'added').length;
      expect(b.length - removed).toBe(a.length - added);
    }
  });

  test('texts too large to compare are replaced, at once', () => {
    const many = (word: string) => Array.from({ length: 3_000 }, (_, n) => `${word} ${n}`).join('\n');
    expect(compareTexts(many('a'), many('b')).flatMap((hunk) => hunk.rows)).toHaveLength(6_000);
  });
});
