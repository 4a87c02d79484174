import { expect, test } from 'vitest';
import { type TreeNode, treeOf } from './tree';

function drawn(nodes: TreeNode<{ path: string }>[], depth = 0): string[] {
  return nodes.flatMap((node) => [
    `${' '.repeat(depth)}${node.name}${node.kind === 'folder' ? '/' : ` ${node.place}`}`,
    ...(node.kind === 'folder' ? drawn(node.children, depth + 1) : []),
  ]);
}

test('files stand in their folders, and chains of folders on one line', () => {
  const paths = ['README.md', 'src/deep/er/a.rs', 'src/deep/er/b.rs', 'src/lib.rs', 'x/y/z/only.txt'];
  expect(drawn(treeOf(paths.map((path) => ({ path }))))).toEqual([
    'README.md 0',
    'src/',
    ' deep/er/',
    '  a.rs 1',
    '  b.rs 2',
    ' lib.rs 3',
    'x/y/z/',
    ' only.txt 4',
  ]);
});

test('hostile names are names', () => {
  const paths = ['__proto__/x', 'constructor', '/', 'a//b', ''];
  const places = JSON.stringify(treeOf(paths.map((path) => ({ path })))).match(/"place":\d/g);
  expect(places?.length).toBe(paths.length);
});
