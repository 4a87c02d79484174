/** What keeps a session's sandbox in, as it is really enforced: a word in the header, and the whole list behind it. */

import { useState } from 'react';
import type { SessionView } from '../../api/types';
import { words } from '../../text/english';
import { size } from '../../text/format';
import { visible } from '../../text/visible';
import { Dialog } from '../../ui/dialog';

type Sandbox = NonNullable<SessionView['sandbox']>;
type Wall = Sandbox['walls'][number];

export const TIER: Record<Sandbox['tier'], string> = words.walls.tiers;

export function Walls({ facts }: { facts: SessionView }) {
  const [open, setOpen] = useState(false);
  const { sandbox } = facts;
  if (!sandbox) return null;
  return (
    <>
      <button
        type="button"
        onClick={() => setOpen(true)}
        title={words.walls.open}
        className={`shrink-0 rounded px-1 py-0.5 hover:bg-hover ${sandbox.unsafe ? 'bg-bad-tint font-semibold text-bad' : 'text-soft'}`}
      >
        {sandbox.unsafe ? words.walls.unsafe : words.walls.words[sandbox.tier]}
      </button>
      {open ? (
        <Dialog title={words.walls.title} onClose={() => setOpen(false)}>
          <p className="text-soft">{TIER[sandbox.tier]}</p>
          <ul className="mt-3 grid gap-1.5 text-[0.8125rem]">
            {sandbox.walls.map((wall) => (
              <li key={wall.wall}>
                <WallLine wall={wall} />
              </li>
            ))}
          </ul>
        </Dialog>
      ) : null}
    </>
  );
}

export function WallLine({ wall }: { wall: Wall }) {
  const look = wall.strength === 'enforced' ? 'text-good' : wall.strength === 'soft' ? 'text-warn' : 'text-bad';
  return (
    <>
      <span className="flex items-baseline gap-2">
        <span>{words.walls.names[wall.wall]}</span>
        {wall.by ? <span className="text-2xs text-faint">{words.walls.by(visible(wall.by))}</span> : null}
        <span className="grow text-right font-mono text-2xs tabular-nums text-soft">{limit(wall)}</span>
        <span className={`w-16 text-right text-2xs ${look}`}>{words.walls.strengths[wall.strength]}</span>
      </span>
      {wall.why ? <span className="block text-2xs text-faint">{visible(wall.why)}</span> : null}
    </>
  );
}

/** How much may be used, in the unit of the limit. */
function limit({ wall, limit }: Wall): string {
  if (limit === null) return '';
  switch (wall) {
    case 'cpu':
      return words.walls.processors(limit / 1000);
    case 'memory':
    case 'disk':
      return size(limit);
    default:
      return String(limit);
  }
}
