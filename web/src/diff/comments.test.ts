import { expect, test } from 'vitest';
import { CommentStore, isAbout, MOST_COMMENTS, promptOf } from './comments';
import type { Row } from './patch';

class Memory implements Pick<Storage, 'getItem' | 'setItem' | 'removeItem'> {
  kept = new Map<string, string>();
  getItem = (key: string) => this.kept.get(key) ?? null;
  setItem = (key: string, value: string) => void this.kept.set(key, value);
  removeItem = (key: string) => void this.kept.delete(key);
}

const added: Row = { kind: 'added', old: null, new: 12, text: 'let x = 1;' };
const removed: Row = { kind: 'removed', old: 3, new: null, text: 'let y = 2;' };
const storage = () => new Memory() as unknown as Storage;

test('what was written, and what is being written, outlives a reload', () => {
  const kept = storage();
  const store = new CommentStore('s', kept);
  store.begin('a.rs', added);
  store.change(1, { text: 'Rename x.', open: false });
  store.begin('b.rs', removed);
  store.change(2, { text: 'Why' });
  const again = new CommentStore('s', kept);
  expect(again.all()).toEqual(store.all());
  expect(again.of('b.rs')[0]).toMatchObject({ text: 'Why', open: true, side: 'old', line: 3 });
  expect(new CommentStore('another', kept).all()).toEqual([]);
  again.clear();
  expect(new CommentStore('s', kept).all()).toEqual([]);
});

test('a file whose comments stay the same is not drawn again', () => {
  const store = new CommentStore('s', storage());
  store.begin('a.rs', added);
  const before = store.of('a.rs');
  store.begin('b.rs', removed);
  store.change(2, { text: 'x' });
  expect(store.of('a.rs')).toBe(before);
  expect(store.of('none')).toBe(store.of('nothing'));
});

test('a comment belongs to its line and not to another with that number', () => {
  const store = new CommentStore('s', storage());
  store.begin('a.rs', added);
  const comment = store.of('a.rs')[0];
  if (!comment) throw new Error('it was begun');
  expect(isAbout(comment, added)).toBe(true);
  expect(isAbout(comment, { ...added, text: 'another' })).toBe(false);
  expect(isAbout(comment, { ...removed, old: 12 })).toBe(false);
});

test('all of them become one prompt', () => {
  const store = new CommentStore('s', storage());
  expect(promptOf(store.all())).toBe('');
  store.begin('src/a.rs', added);
  store.change(1, { text: ' Rename x. ' });
  expect(promptOf(store.all())).toBe('A comment on your changes:\n\nsrc/a.rs, line 12:\n> let x = 1;\nRename x.');
  store.begin('b\nevil', removed);
  store.change(2, { text: 'Why?' });
  store.begin('empty', added);
  expect(promptOf(store.all())).toBe(
    '2 comments on your changes:\n\nsrc/a.rs, line 12:\n> let x = 1;\nRename x.\n\n"b\\nevil", line 3 of what was there before:\n> let y = 2;\nWhy?',
  );
});

test('there is a bound', () => {
  const store = new CommentStore('s', storage());
  for (let n = 0; n < MOST_COMMENTS; n += 1) expect(store.begin('a', added)).toBe(true);
  expect(store.begin('a', added)).toBe(false);
});
