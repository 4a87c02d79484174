/** The drawer with what the branch changes: file list and hunks, of the whole branch or of one turn. */
import { useQuery } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import { api, asApiError } from '../api/client';
import type { FileDiff, TurnCommit } from '../api/types';
import { useFacts, useStore } from '../session/view/context';
import { useDrawer } from '../session/view/drawers';
import { plural } from '../text/format';
import { visible } from '../text/visible';
import { Button } from '../ui/button';
import { Panel, type PanelProps } from '../ui/Drawer';
import { Icon } from '../ui/icons';
import { ProblemNote } from '../ui/problem';
import { DiffView } from './DiffView';
import { parsePatch } from './patch';

/** Files open at first; in larger changes one begins with the list. */
const OPEN_FILES = 20;

export function Changes({ close }: PanelProps) {
  const store = useStore();
  const facts = useFacts();
  const commits = facts?.commits ?? [];
  const drawer = useDrawer();
  const turn = drawer.turn ?? null;
  const files = useRef<HTMLDivElement>(null);
  const diff = useQuery({
    // A new commit is a new diff.
    queryKey: ['diff', store.id, turn, commits.at(-1)?.id ?? null],
    queryFn: () => api.diff(store.id, turn),
    placeholderData: (previous) => previous,
  });
  const shown = diff.data?.files ?? [];
  const goTo = (place: number) => files.current?.children[place]?.scrollIntoView({ block: 'start' });
  return (
    <Panel
      title="Changes"
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
      <div className="min-h-0 flex-1 overflow-y-auto overscroll-contain">
        {diff.error ? (
          <ProblemNote error={asApiError(diff.error)} className="m-3">
            <Button size="small" onClick={() => void diff.refetch()}>
              Try again
            </Button>
          </ProblemNote>
        ) : null}
        {diff.isSuccess && shown.length === 0 ? (
          <p className="p-6 text-center text-faint">Nothing is changed so far.</p>
        ) : null}
        {shown.length > 0 ? (
          <nav aria-label="Changed files" className="border-b border-line px-1.5 py-1.5">
            <p className="px-1.5 pb-1 text-2xs text-faint">{plural(shown.length, 'file')} changed</p>
            <ul>
              {shown.map((file, place) => (
                <li key={file.path}>
                  <button
                    type="button"
                    onClick={() => goTo(place)}
                    className="flex w-full items-center gap-2 rounded-md px-1.5 py-0.5 text-left hover:bg-hover"
                  >
                    <FileName file={file} />
                    <span className="grow" />
                    <Counts file={file} />
                  </button>
                </li>
              ))}
            </ul>
          </nav>
        ) : null}
        <div ref={files}>
          {shown.map((file, place) => (
            <File key={`${turn}:${file.path}`} file={file} openAtFirst={place < OPEN_FILES} />
          ))}
        </div>
        {diff.data?.truncated ? (
          <p className="p-3 text-2xs text-faint">
            The change is larger than what is shown here. The whole:{' '}
            <code className="font-mono">
              git diff {visible(facts?.base ?? '')}...{visible(facts?.branch ?? '')}
            </code>
          </p>
        ) : null}
      </div>
    </Panel>
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
      aria-label="Changes of"
      value={turn ?? ''}
      onChange={(event) => chooseTurn(event.target.value === '' ? null : Number(event.target.value))}
      className="h-7 rounded-md border border-line-strong bg-raised px-1.5 text-[0.8125rem]"
    >
      <option value="">Whole branch</option>
      {commits.map((commit) => (
        <option key={commit.id} value={commit.turn}>
          Turn {commit.turn}
        </option>
      ))}
    </select>
  );
}

const MARKS = {
  added: { letter: 'A', look: 'text-good' },
  modified: { letter: 'M', look: 'text-lamp' },
  deleted: { letter: 'D', look: 'text-bad' },
  renamed: { letter: 'R', look: 'text-plan' },
} as const;

function FileName({ file }: { file: FileDiff }) {
  const cut = file.path.lastIndexOf('/') + 1;
  return (
    <span className="flex min-w-0 items-baseline gap-2 font-mono text-code">
      <span
        className={`w-3 shrink-0 text-center text-2xs font-semibold ${MARKS[file.status].look}`}
        title={file.status}
      >
        {MARKS[file.status].letter}
        <span className="sr-only"> {file.status}</span>
      </span>
      <bdi className="min-w-0 truncate" title={visible(file.path)}>
        {file.old_path ? (
          <span className="text-faint">
            {visible(file.old_path)} {'\u2192'}{' '}
          </span>
        ) : null}
        <span className="text-faint">{visible(file.path.slice(0, cut))}</span>
        {visible(file.path.slice(cut))}
      </bdi>
    </span>
  );
}

function Counts({ file }: { file: FileDiff }) {
  return (
    <span className="shrink-0 font-mono text-2xs tabular-nums">
      <span className="text-good">+{file.insertions}</span>{' '}
      <span className="text-bad">{`\u2212${file.deletions}`}</span>
    </span>
  );
}

function File({ file, openAtFirst }: { file: FileDiff; openAtFirst: boolean }) {
  const [open, setOpen] = useState(openAtFirst);
  return (
    <section aria-label={visible(file.path)} className="border-b border-line">
      <button
        type="button"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
        className="sticky top-0 z-10 flex w-full items-center gap-2 border-b border-line bg-raised px-2 py-1.5 text-left hover:bg-hover"
      >
        <Icon name="chevron" className={`size-3 text-faint transition-transform ${open ? 'rotate-90' : ''}`} />
        <FileName file={file} />
        <span className="grow" />
        <Counts file={file} />
      </button>
      {open ? <FileBody file={file} /> : null}
    </section>
  );
}

function FileBody({ file }: { file: FileDiff }) {
  if (file.binary) return <p className="px-4 py-2 text-[0.8125rem] text-faint">A binary file.</p>;
  const hunks = parsePatch(file.patch);
  if (hunks.length === 0) {
    return (
      <p className="px-4 py-2 text-[0.8125rem] text-faint">
        {file.status === 'renamed' ? 'Renamed, content unchanged.' : 'No lines to show.'}
      </p>
    );
  }
  return <DiffView hunks={hunks} path={file.path} />;
}
