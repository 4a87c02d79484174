/** What keeps a session's sandbox in, as it is really enforced: a word in the header, and the whole list behind it. */
import { useState } from 'react';
import type { SessionView } from '../../api/types';
import { size } from '../../text/format';
import { visible } from '../../text/visible';
import { Dialog } from '../../ui/dialog';

type Sandbox = NonNullable<SessionView['sandbox']>;
type Wall = Sandbox['walls'][number];

export const TIER: Record<Sandbox['tier'], string> = {
  isolated: 'Isolated: every wall stands, and every limit is held by the kernel.',
  limited: 'Limited: the walls that count stand; what is missing or soft is below.',
  refused: 'Unsafe: a wall is missing that nothing should run without. It runs because somebody said so.',
};

export function Walls({ facts }: { facts: SessionView }) {
  const [open, setOpen] = useState(false);
  const { sandbox } = facts;
  if (!sandbox) return null;
  return (
    <>
      <button
        type="button"
        onClick={() => setOpen(true)}
        title="What keeps the sandbox in"
        className={`shrink-0 rounded px-1 py-0.5 hover:bg-hover ${sandbox.unsafe ? 'bg-bad-tint font-semibold text-bad' : 'text-soft'}`}
      >
        {sandbox.unsafe ? 'unsafe sandbox' : sandbox.tier}
      </button>
      {open ? (
        <Dialog title="The sandbox, as enforced" onClose={() => setOpen(false)}>
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
        <span>{wall.wall.replaceAll('_', ' ')}</span>
        {wall.by ? <span className="text-2xs text-faint">by {visible(wall.by)}</span> : null}
        <span className="grow text-right font-mono text-2xs tabular-nums text-soft">{limit(wall)}</span>
        <span className={`w-16 text-right text-2xs ${look}`}>{wall.strength}</span>
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
      return `${limit / 1000} processors`;
    case 'memory':
    case 'disk':
      return size(limit);
    default:
      return String(limit);
  }
}
