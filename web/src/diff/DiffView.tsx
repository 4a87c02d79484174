/** Hunks as a table that reads well aloud, too: every row begins with what happened to the line. */

import { Fragment, memo, useMemo, useState } from 'react';
import { languageOf, spans, useHighlight } from '../text/Code';
import { words } from '../text/english';
import { visible } from '../text/visible';
import { Button } from '../ui/button';
import { CommentBox } from './Comments';
import { type CommentStore, isAbout, placeOf, useCommentsOf } from './comments';
import { compareTexts, type Hunk, type Row } from './patch';

/** Rows shown at first, and more with each step. */
const FIRST_ROWS = 400;
const MORE_ROWS = 1_000;
/** Longer lines (minified files) are cut; nobody reads them here. */
const LINE_LIMIT = 2_000;

const LOOK = {
  context: { row: '', mark: '', word: '' },
  added: { row: 'bg-good-tint', mark: '+', word: words.changes.addedLine },
  removed: { row: 'bg-bad-tint', mark: '\u2212', word: words.changes.removedLine },
} as const;

export const DiffView = memo(function DiffView({ hunks, path }: { hunks: Hunk[]; path: string }) {
  const [most, setMost] = useState(FIRST_ROWS);
  const { store, comments } = useCommentsOf(path);
  const language = languageOf(path);
  const total = hunks.reduce((sum, hunk) => sum + hunk.rows.length, 0);
  let left = most;
  return (
    <section
      className="@container overflow-x-auto font-mono text-code"
      aria-label={words.changes.ofFile(visible(path))}
      tabIndex={0}
    >
      <table className="w-full border-collapse">
        <tbody>
          {hunks.map((hunk) => {
            const rows = hunk.rows.slice(0, left);
            left -= rows.length;
            if (rows.length === 0) return null;
            return [
              <tr key={`h${hunk.oldStart}.${hunk.newStart}`} className="bg-sunken text-faint">
                <td colSpan={4} className="px-2 py-0.5 text-2xs select-none">
                  {words.changes.line(hunk.newStart)} {visible(hunk.heading)}
                </td>
              </tr>,
              ...rows.map((row) => (
                <Fragment key={`${row.old}.${row.new}`}>
                  <Line row={row} language={language} path={path} store={store} />
                  {store
                    ? comments
                        .filter((comment) => isAbout(comment, row))
                        .map((comment) => (
                          <tr key={comment.id}>
                            <td colSpan={4} className="border-y border-line bg-sunken p-0">
                              <CommentBox comment={comment} store={store} />
                            </td>
                          </tr>
                        ))
                    : null}
                </Fragment>
              )),
            ];
          })}
        </tbody>
      </table>
      {total > most ? (
        <p className="border-t border-line p-2 font-sans">
          <Button look="quiet" size="small" onClick={() => setMost(most + MORE_ROWS)}>
            {words.changes.more(Math.min(MORE_ROWS, total - most), total)}
          </Button>
        </p>
      ) : null}
    </section>
  );
});

interface LineProps {
  row: Row;
  language: string | null;
  path: string;
  /** Where comments are kept; null where none can be made. */
  store: CommentStore | null;
}

const Line = memo(function Line({ row, language, path, store }: LineProps) {
  const highlight = useHighlight(language);
  const text = visible(row.text.length > LINE_LIMIT ? `${row.text.slice(0, LINE_LIMIT)}\u2026` : row.text);
  const tree = highlight?.(text);
  return (
    <tr className={`group/line ${LOOK[row.kind].row}`}>
      <LineNumber n={row.old} />
      <LineNumber n={row.new} />
      <td className="relative w-4 text-center text-soft select-none">
        <span aria-hidden="true">{LOOK[row.kind].mark}</span>
        <span className="sr-only">{LOOK[row.kind].word} </span>
        {store ? (
          <button
            type="button"
            onClick={() => store.begin(path, row)}
            aria-label={words.comments.on(placeOf(row).line, row.new === null)}
            title={words.comments.begin}
            className="absolute inset-y-0 -left-1 w-5 rounded bg-lamp-fill leading-none text-on-lamp opacity-0 group-hover/line:opacity-100 focus-visible:opacity-100 pointer-coarse:opacity-45"
          >
            +
          </button>
        ) : null}
      </td>
      <td className="pr-3 whitespace-pre">{tree ? spans(tree) : text}</td>
    </tr>
  );
});

function LineNumber({ n }: { n: number | null }) {
  return <td className="w-9 min-w-9 px-1 text-right text-2xs text-faint tabular-nums select-none">{n}</td>;
}

/** A change that a tool call tells as two texts. */
export function TextChange({ path, before, after }: { path: string; before: string | null; after: string }) {
  const hunks = useMemo(() => compareTexts(before, after), [before, after]);
  return (
    <div className="overflow-hidden rounded-lg border border-line bg-raised">
      <p className="border-b border-line bg-sunken px-3 py-1 font-mono text-2xs text-soft">
        {visible(path)}
        {before === null ? ` ${words.changes.newFile}` : ''}
      </p>
      {hunks.length > 0 ? (
        <DiffView hunks={hunks} path={path} />
      ) : (
        <p className="px-3 py-1.5 text-faint">{words.changes.noChange}</p>
      )}
    </div>
  );
}
