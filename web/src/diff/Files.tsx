/** The files of a diff: as a tree to go by, and one under the other. */

import { type ReactNode, useMemo, useRef, useState } from 'react';
import type { FileDiff } from '../api/types';
import { words } from '../text/english';
import { visibleName } from '../text/visible';
import { Icon } from '../ui/icons';
import type { LineComment } from './comments';
import { Counts, File, Mark } from './File';
import { type TreeNode, treeOf } from './tree';

/** Files that are open at first: so many, and no more than with so many changed lines together. */
const OPEN_FILES = 20;
const OPEN_LINES = 1_000;
/** Larger changes begin with folded folders. */
const OPEN_TREE = 60;

export function Files({ files, commented }: { files: FileDiff[]; commented: readonly LineComment[] }) {
  const [open, setOpen] = useState(() => openAtFirst(files, commented));
  const list = useRef<HTMLDivElement>(null);
  const toggle = (place: number) => setOpen((now) => now.map((is, n) => (n === place ? !is : is)));
  const goTo = (place: number) => {
    setOpen((now) => now.map((is, n) => is || n === place));
    // Once it is open, so that there is something to scroll to.
    requestAnimationFrame(() => list.current?.children[place]?.scrollIntoView({ block: 'start' }));
  };
  const tree = useMemo(() => treeOf(files), [files]);
  return (
    <>
      <nav aria-label={words.changes.files} className="border-b border-line px-1.5 py-1.5">
        <p className="px-1.5 pb-1 text-2xs text-faint">{words.changes.changed(files.length)}</p>
        <Tree nodes={tree} openFolders={files.length <= OPEN_TREE} goTo={goTo} />
      </nav>
      <div ref={list}>
        {files.map((file, place) => (
          // A file that became another kind of thing is there twice.
          <File
            key={`${file.status}:${file.path}`}
            file={file}
            open={open[place] ?? false}
            toggle={() => toggle(place)}
          />
        ))}
      </div>
    </>
  );
}

export function openAtFirst(files: readonly FileDiff[], commented: readonly LineComment[]): boolean[] {
  let lines = 0;
  return files.map((file, place) => {
    lines += file.insertions + file.deletions;
    const small = place < OPEN_FILES && lines <= OPEN_LINES;
    return small || files.length === 1 || commented.some((comment) => comment.path === file.path);
  });
}

interface TreeProps {
  nodes: TreeNode<FileDiff>[];
  openFolders: boolean;
  goTo: (place: number) => void;
}

function Tree({ nodes, openFolders, goTo }: TreeProps): ReactNode {
  return (
    <ul>
      {nodes.map((node) =>
        node.kind === 'folder' ? (
          <li key={`/${node.path}`}>
            <details open={openFolders} className="group/folder">
              <summary className="flex items-center gap-1.5 rounded-md px-1.5 py-0.5 font-mono text-code text-soft select-none hover:bg-hover">
                <Icon name="chevron" className="size-3 text-faint transition-transform group-open/folder:rotate-90" />
                <bdi className="min-w-0 truncate">{visibleName(node.name)}</bdi>
              </summary>
              <div className="ml-2.5 border-l border-line pl-1.5">
                <Tree nodes={node.children} openFolders={openFolders} goTo={goTo} />
              </div>
            </details>
          </li>
        ) : (
          <li key={`${node.place}`}>
            <button
              type="button"
              onClick={() => goTo(node.place)}
              className="flex w-full items-baseline gap-2 rounded-md px-1.5 py-0.5 text-left font-mono text-code hover:bg-hover"
            >
              <Mark status={node.file.status} />
              <bdi className="min-w-0 truncate" title={visibleName(node.file.path)}>
                {visibleName(node.name)}
              </bdi>
              <span className="grow" />
              <Counts file={node.file} />
            </button>
          </li>
        ),
      )}
    </ul>
  );
}
