/** Output of a tool: terminal colours, bounded at first, the rest on demand. */

import { memo, useState } from 'react';
import { Button } from '../ui/button';
import { parseAnsi, type Run } from './ansi';
import { CopyButton } from './Code';
import { words } from './english';
import { count } from './format';

/** Shown at first; output beyond is one click away. */
const FIRST_LINES = 60;
const FIRST_CHARACTERS = 12_000;
/** Shown at most; a browser with more than this in one block is no longer a pleasure. */
const MOST_CHARACTERS = 1_000_000;

const COLORS = [
  'text-faint',
  'text-bad',
  'text-good',
  'text-lamp',
  'text-calm',
  'text-plan',
  'text-calm',
  'text-ink',
  'text-faint',
  'text-bad',
  'text-good',
  'text-lamp',
  'text-calm',
  'text-plan',
  'text-calm',
  'text-ink',
] as const;

function look({ color, bold, dim, italic, underline }: Run): string {
  return [
    color === null ? '' : COLORS[color],
    bold ? 'font-semibold' : '',
    dim ? 'opacity-70' : '',
    italic ? 'italic' : '',
    underline ? 'underline' : '',
  ].join(' ');
}

export const Output = memo(function Output({ text, label }: { text: string; label: string }) {
  const [all, setAll] = useState(false);
  const first = firstPart(text);
  const shown = all ? text.slice(0, MOST_CHARACTERS) : first;
  return (
    <section aria-label={label} className="group/code relative rounded-lg border border-line bg-sunken">
      <pre
        className="max-h-[30rem] overflow-auto px-3 py-2 font-mono text-code break-words whitespace-pre-wrap"
        tabIndex={0}
      >
        {parseAnsi(shown).map((run, place) => (
          <span key={place} className={look(run)}>
            {run.text}
          </span>
        ))}
      </pre>
      <CopyButton
        text={text}
        label={words.details.copy(label)}
        className="absolute top-1 right-1 bg-sunken opacity-0 group-focus-within/code:opacity-100 group-hover/code:opacity-100"
      />
      {shown.length < text.length ? (
        <p className="flex items-center gap-2 border-t border-line px-3 py-1 text-2xs text-faint">
          {words.code.characters(count(shown.length), count(text.length))}
          {all ? (
            ` ${words.code.copyWhole}`
          ) : (
            <Button look="quiet" size="small" onClick={() => setAll(true)}>
              {words.code.rest}
            </Button>
          )}
        </p>
      ) : null}
    </section>
  );
});

function firstPart(text: string): string {
  let end = -1;
  for (let line = 0; line < FIRST_LINES; line += 1) {
    end = text.indexOf('\n', end + 1);
    if (end === -1) return text.slice(0, FIRST_CHARACTERS);
  }
  return text.slice(0, Math.min(end, FIRST_CHARACTERS));
}
