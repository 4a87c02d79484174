/** The sessions beside the one that is open, on wide windows. */

import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { useSessionFeed, useSessions } from '../api/queries';
import { words } from '../text/english';
import { baseName } from '../text/format';
import { visible } from '../text/visible';
import { buttonClass } from '../ui/button';
import { Icon, Lamp } from '../ui/icons';
import { PhaseDot, phaseWord } from '../ui/phase';

export function Sidebar({ current }: { current: string }): ReactNode {
  useSessionFeed();
  const sessions = useSessions({});
  const items = sessions.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <nav aria-label={words.list.label} className="flex w-64 shrink-0 flex-col border-r border-line bg-sunken">
      <div className="flex items-center gap-2 px-3 pt-2.5 pb-2">
        <Link
          to="/"
          className="flex items-center gap-2 rounded-md text-[0.9375rem] font-semibold"
          title={words.common.allSessionsKey}
        >
          <Lamp /> {words.common.product}
        </Link>
        <span className="grow" />
        <Link
          to="/new"
          className={buttonClass({ look: 'quiet', size: 'icon' })}
          aria-label={words.create.title}
          title={words.list.newTitle}
        >
          <Icon name="plus" />
        </Link>
      </div>
      <ul className="min-h-0 flex-1 overflow-y-auto px-2 pb-3">
        {items.map((session) => (
          <li key={session.id}>
            <Link
              to="/sessions/$id"
              params={{ id: session.id }}
              aria-current={session.id === current ? 'page' : undefined}
              className={`flex items-start gap-2.5 rounded-lg px-2 py-1.5 ${session.id === current ? 'bg-raised shadow-xs ring-1 ring-line' : 'hover:bg-hover'}`}
            >
              <PhaseDot phase={session.phase} className="mt-[0.4rem]" />
              <span className="min-w-0">
                <span className={`block truncate text-[0.8125rem] ${session.ended ? 'text-faint' : ''}`}>
                  {visible(session.title)}
                </span>
                <span className="block truncate text-2xs text-faint">
                  {phaseWord(session.phase)} · {visible(baseName(session.repository))}
                </span>
              </span>
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}
