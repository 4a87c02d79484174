/** The drawer with what the branch changes: file tree and hunks, of the whole branch or of one turn, and comments on the lines. */

import { useQuery } from '@tanstack/react-query';
import { type ReactNode, useCallback, useMemo, useRef, useState } from 'react';
import { api, asApiError } from '../api/client';
import type { FileDiff, TurnCommit } from '../api/types';
import { useFacts, useStore } from '../session/view/context';
import { useDrawer } from '../session/view/drawers';
import { words } from '../text/english';
import { visible, visibleName } from '../text/visible';
import { Button } from '../ui/button';
import { Panel, type PanelProps } from '../ui/Drawer';
import { Icon } from '../ui/icons';
import { ProblemNote } from '../ui/problem';
import { CommentsBar } from './Comments';
import { CommentContext, CommentStore, isAbout, type LineComment } from './comments';
import { Counts, File, Mark } from './File';
import { parsePatch } from './patch';
import { type TreeNode, treeOf } from './tree';

/** Files that are open at first: so many, and no more than with so many changed lines together. */
const OPEN_FILES = 20;
const OPEN_LINES = 1_000;
/** Larger changes begin with folded folders. */
const OPEN_TREE = 60;

export function Changes({ close }: PanelProps) {
  const store = useStore();
  const facts = useFacts();
  const commits = facts?.commits ?? [];
  const drawer = useDrawer();
  const turn = drawer.turn ?? null;
  const comments = useMemo(() => new CommentStore(store.id), [store.id]);
  const diff = useQuery({
    // A new commit is a new diff.
    queryKey: ['diff', store.id, turn, commits.at(-1)?.id ?? null],
    queryFn: () => api.diff(store.id, turn),
    placeholderData: (previous) => previous,
  });
  const shown = diff.data?.files;
  return (
    <Panel
      title={words.changes.title}
      shortcut="d"
      beside={
        <TurnChoice
          commits={commits}
          turn={turn}
          chooseTurn={(chosen) => drawer.open('changes', chosen ?? undefined)}
        />
      }
      close={close}
    >
      <CommentContext.Provider value={facts?.ended ? null : comments}>
        <div className="min-h-0 flex-1 overflow-y-auto overscroll-contain">
          {diff.error ? (
            <ProblemNote error={asApiError(diff.error)} className="m-3">
              <Button size="small" onClick={() => void diff.refetch()}>
                {words.common.tryAgain}
              </Button>
            </ProblemNote>
          ) : null}
          {shown?.length === 0 ? <p className="p-6 text-center text-faint">{words.changes.nothing}</p> : null}
          {shown && shown.length > 0 ? <Files key={`${turn}`} files={shown} commented={comments.all()} /> : null}
          {diff.data?.truncated ? (
            <p className="p-3 text-2xs text-faint">
              {words.changes.truncated}{' '}
              <code className="font-mono">
                git diff {visible(facts?.base ?? '')}...{visible(facts?.branch ?? '')}
              </code>
            </p>
          ) : null}
        </div>
        <Bar comments={comments} files={shown} />
      </CommentContext.Provider>
    </Panel>
  );
}

/** The bar knows which comments are about a line that there is in this diff. */
function Bar({ comments, files }: { comments: CommentStore; files: FileDiff[] | undefined }) {
  const rows = useMemo(
    () =>
      new Map(
        (files ?? []).map((file) => [file.path, () => parsePatch(file.patch).flatMap((hunk) => hunk.rows)] as const),
      ),
    [files],
  );
  const shown = useCallback(
    (comment: LineComment) =>
      rows
        .get(comment.path)?.()
        .some((row) => isAbout(comment, row)) ?? false,
    [rows],
  );
  return <CommentsBar store={comments} shown={shown} />;
}

function Files({ files, commented }: { files: FileDiff[]; commented: readonly LineComment[] }) {
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

function TurnChoice({
  commits,
  turn,
  chooseTurn,
}: {
  commits: TurnCommit[];
  turn: number | null;
  chooseTurn: (turn: number | null) => void;
}) {
  return (
    <select
      aria-label={words.changes.of}
      value={turn ?? ''}
      onChange={(event) => chooseTurn(event.target.value === '' ? null : Number(event.target.value))}
      className="h-7 rounded-md border border-line-strong bg-raised px-1.5 text-[0.8125rem]"
    >
      <option value="">{words.changes.whole}</option>
      {commits.map((commit) => (
        <option key={commit.id} value={commit.turn}>
          {words.log.turn(commit.turn)}
        </option>
      ))}
    </select>
  );
}
