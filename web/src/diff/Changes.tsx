/** The drawer with what the branch changes: file tree and hunks, of the whole branch or of one turn, and comments on the lines. */

import { useQuery } from '@tanstack/react-query';
import { useCallback, useMemo } from 'react';
import { api, asApiError } from '../api/client';
import type { FileDiff, TurnCommit } from '../api/types';
import { useFacts, useStore } from '../session/view/context';
import { useDrawer } from '../session/view/drawers';
import { words } from '../text/english';
import { visible } from '../text/visible';
import { Button } from '../ui/button';
import { Panel, type PanelProps } from '../ui/Drawer';
import { ProblemNote } from '../ui/problem';
import { CommentsBar } from './Comments';
import { CommentContext, CommentStore, isAbout, type LineComment } from './comments';
import { Files } from './Files';
import { parsePatch } from './patch';

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
