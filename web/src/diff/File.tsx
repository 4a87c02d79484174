/** One changed file: its name and numbers, and when it is opened what changed in it. */

import { useMemo } from 'react';
import type { FileDiff } from '../api/types';
import { words } from '../text/english';
import { visibleName } from '../text/visible';
import { Icon } from '../ui/icons';
import { DiffView } from './DiffView';
import { parsePatch } from './patch';

const MARKS = {
  added: { letter: 'A', look: 'text-good' },
  modified: { letter: 'M', look: 'text-lamp' },
  deleted: { letter: 'D', look: 'text-bad' },
  renamed: { letter: 'R', look: 'text-plan' },
} as const;

/** What git calls modes, in words. */
const MODES: Record<string, string | undefined> = words.changes.modes;

export function Mark({ status }: { status: FileDiff['status'] }) {
  return (
    <span
      className={`w-3 shrink-0 text-center text-2xs font-semibold ${MARKS[status].look}`}
      title={words.changes.statuses[status]}
    >
      {MARKS[status].letter}
      <span className="sr-only"> {words.changes.statuses[status]}</span>
    </span>
  );
}

function FileName({ file }: { file: FileDiff }) {
  const cut = file.path.lastIndexOf('/') + 1;
  return (
    <span className="flex min-w-0 items-baseline gap-2 font-mono text-code">
      <Mark status={file.status} />
      <bdi className="min-w-0 truncate" title={visibleName(file.path)}>
        {file.old_path ? (
          <span className="text-faint">
            {visibleName(file.old_path)} {'\u2192'}{' '}
          </span>
        ) : null}
        <span className="text-faint">{visibleName(file.path.slice(0, cut))}</span>
        {visibleName(file.path.slice(cut))}
      </bdi>
    </span>
  );
}

export function Counts({ file }: { file: FileDiff }) {
  return (
    <span className="shrink-0 font-mono text-2xs tabular-nums">
      <span className="text-good">+{file.insertions}</span>{' '}
      <span className="text-bad">{`\u2212${file.deletions}`}</span>
    </span>
  );
}

export function File({ file, open, toggle }: { file: FileDiff; open: boolean; toggle: () => void }) {
  const mode = modeChange(file);
  return (
    <section aria-label={visibleName(file.path)} className="border-b border-line">
      <button
        type="button"
        aria-expanded={open}
        onClick={toggle}
        className="sticky top-0 z-10 flex w-full items-center gap-2 border-b border-line bg-raised px-2 py-1.5 text-left hover:bg-hover"
      >
        <Icon name="chevron" className={`size-3 text-faint transition-transform ${open ? 'rotate-90' : ''}`} />
        <FileName file={file} />
        <span className="grow" />
        <Counts file={file} />
      </button>
      {mode ? <p className="border-b border-line bg-sunken px-4 py-0.5 text-2xs text-soft">{mode}</p> : null}
      {open ? <FileBody file={file} /> : null}
    </section>
  );
}

/** That a file became another kind of thing, or is not an ordinary one. */
export function modeChange({ old_mode, new_mode }: Pick<FileDiff, 'old_mode' | 'new_mode'>): string | null {
  const kind = (mode: string) => MODES[mode] ?? words.changes.mode(mode);
  if (old_mode && new_mode) return words.changes.wasAndIs(kind(old_mode), kind(new_mode));
  if (new_mode) return words.changes.is(kind(new_mode));
  if (old_mode) return words.changes.was(kind(old_mode));
  return null;
}

function FileBody({ file }: { file: FileDiff }) {
  const hunks = useMemo(() => parsePatch(file.patch), [file.patch]);
  if (file.binary) return <p className="px-4 py-2 text-[0.8125rem] text-faint">{words.changes.binary}</p>;
  if (hunks.length === 0) {
    const empty = file.status === 'renamed' ? words.changes.renamed : words.changes.noLines;
    return <p className="px-4 py-2 text-[0.8125rem] text-faint">{empty}</p>;
  }
  return <DiffView hunks={hunks} path={file.path} />;
}
