/** Unified diffs (as `git diff` writes them) as rows to show, and the same rows from two texts. */

export interface Row {
  kind: 'context' | 'added' | 'removed';
  /** Line numbers on either side; null where the line is not there. */
  old: number | null;
  new: number | null;
  text: string;
}

export interface Hunk {
  /** What git says about where it is, such as the function's name. */
  heading: string;
  oldStart: number;
  newStart: number;
  rows: Row[];
}

const HUNK = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@ ?(.*)$/;

/** The hunks of one file's patch. Whatever stands before the first hunk (names, modes) is skipped. */
export function parsePatch(patch: string): Hunk[] {
  const hunks: Hunk[] = [];
  let hunk: Hunk | null = null;
  let oldLine = 0;
  let newLine = 0;
  let oldLeft = 0;
  let newLeft = 0;
  for (const line of patch.split('\n')) {
    const start = oldLeft > 0 || newLeft > 0 ? null : HUNK.exec(line);
    if (start) {
      oldLine = Number(start[1]);
      newLine = Number(start[3]);
      oldLeft = Number(start[2] ?? 1);
      newLeft = Number(start[4] ?? 1);
      hunk = { heading: start[5] ?? '', oldStart: oldLine, newStart: newLine, rows: [] };
      hunks.push(hunk);
      continue;
    }
    // The counts of the header, not the first character, say where a hunk ends: a removed line may begin with "-- ".
    if (!hunk || (oldLeft <= 0 && newLeft <= 0)) continue;
    const text = line.slice(1);
    if (line.startsWith('+')) {
      hunk.rows.push({ kind: 'added', old: null, new: newLine++, text });
      newLeft -= 1;
    } else if (line.startsWith('-')) {
      hunk.rows.push({ kind: 'removed', old: oldLine++, new: null, text });
      oldLeft -= 1;
    } else if (line.startsWith(' ') || line === '') {
      hunk.rows.push({ kind: 'context', old: oldLine++, new: newLine++, text });
      oldLeft -= 1;
      newLeft -= 1;
    }
  }
  return hunks;
}

/** Unchanged lines shown around each change. */
const CONTEXT_LINES = 3;
/** Beyond this many line pairs the middle is shown as replaced as a whole instead of compared. */
const COMPARE_LIMIT = 1_000_000;

/** The hunks between two texts; `before` null is a new file. */
export function compareTexts(before: string | null, after: string): Hunk[] {
  const a = before === null || before === '' ? [] : before.replace(/\n$/, '').split('\n');
  const b = after === '' ? [] : after.replace(/\n$/, '').split('\n');
  return group(rowsBetween(a, b));
}

function rowsBetween(a: string[], b: string[]): Row[] {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end += 1;
  const rows: Row[] = [];
  const context = (i: number, j: number) => rows.push({ kind: 'context', old: i + 1, new: j + 1, text: a[i] ?? '' });
  for (let i = 0; i < start; i += 1) context(i, i);
  const keep = commonLines(a.slice(start, a.length - end), b.slice(start, b.length - end));
  let i = start;
  let j = start;
  for (const [x, y] of [...keep, [a.length - end - start, b.length - end - start] as const]) {
    for (; i < start + x; i += 1) rows.push({ kind: 'removed', old: i + 1, new: null, text: a[i] ?? '' });
    for (; j < start + y; j += 1) rows.push({ kind: 'added', old: null, new: j + 1, text: b[j] ?? '' });
    if (i < a.length - end && j < b.length - end) context(i++, j++);
  }
  for (; i < a.length; i += 1, j += 1) context(i, j);
  return rows;
}

/** Places of a longest common subsequence, in order. */
function commonLines(a: string[], b: string[]): (readonly [number, number])[] {
  if (a.length === 0 || b.length === 0 || a.length * b.length > COMPARE_LIMIT) return [];
  const width = b.length + 1;
  const lengths = new Uint32Array((a.length + 1) * width);
  const at = (i: number, j: number) => lengths[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      lengths[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const pairs: (readonly [number, number])[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    if (a[i] === b[j]) pairs.push([i++, j++]);
    else if (at(i + 1, j) >= at(i, j + 1)) i += 1;
    else j += 1;
  }
  return pairs;
}

function group(rows: Row[]): Hunk[] {
  const hunks: Hunk[] = [];
  let shownTo = 0;
  rows.forEach((row, place) => {
    if (row.kind === 'context') return;
    const from = Math.max(shownTo, place - CONTEXT_LINES);
    const to = Math.min(rows.length, place + CONTEXT_LINES + 1);
    let hunk = hunks.at(-1);
    if (!hunk || from > shownTo) {
      const first = rows[from];
      hunk = { heading: '', oldStart: first?.old ?? 1, newStart: first?.new ?? 1, rows: [] };
      hunks.push(hunk);
    }
    hunk.rows.push(...rows.slice(Math.max(from, shownTo), to));
    shownTo = Math.max(shownTo, to);
  });
  return hunks;
}
