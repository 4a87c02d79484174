/** Files by folder, as a tree; folders with nothing but one folder in them are one line together with that. */

export interface FolderNode<T> {
  kind: 'folder';
  /** Its own part of the path, or several joined. */
  name: string;
  path: string;
  children: TreeNode<T>[];
}

export interface FileNode<T> {
  kind: 'file';
  name: string;
  file: T;
  /** Where it was among the files. */
  place: number;
}

export type TreeNode<T> = FolderNode<T> | FileNode<T>;

export function treeOf<T extends { path: string }>(files: readonly T[]): TreeNode<T>[] {
  const root: FolderNode<T> = { kind: 'folder', name: '', path: '', children: [] };
  const folders = new Map<string, FolderNode<T>>([['', root]]);
  const folderAt = (path: string): FolderNode<T> => {
    const known = folders.get(path);
    if (known) return known;
    const cut = path.lastIndexOf('/');
    const folder: FolderNode<T> = { kind: 'folder', name: path.slice(cut + 1), path, children: [] };
    folders.set(path, folder);
    folderAt(path.slice(0, Math.max(cut, 0))).children.push(folder);
    return folder;
  };
  files.forEach((file, place) => {
    const cut = file.path.lastIndexOf('/');
    const folder = folderAt(cut < 0 ? '' : file.path.slice(0, cut));
    folder.children.push({ kind: 'file', name: file.path.slice(cut + 1), file, place });
  });
  return root.children.map(joined);
}

function joined<T>(node: TreeNode<T>): TreeNode<T> {
  if (node.kind === 'file') return node;
  let { name, path, children } = node;
  let only = children[0];
  while (children.length === 1 && only?.kind === 'folder') {
    name = `${name}/${only.name}`;
    ({ path, children } = only);
    only = children[0];
  }
  return { kind: 'folder', name, path, children: children.map(joined) };
}
