/**
 * The drawers of a session's page, and which one is open: that is in the address (`?drawer=changes`), so that a reload and a
 * shared link show the same.
 *
 * A new one is a row of DRAWERS. Its panel is loaded when it is first opened.
 */

import { useNavigate, useSearch } from '@tanstack/react-router';
import { type ComponentType, type LazyExoticComponent, lazy, useCallback, useMemo } from 'react';
import { words } from '../../text/english';
import type { PanelProps } from '../../ui/Drawer';
import type { IconName } from '../../ui/icons';

interface DrawerKind {
  /** As it is in the address. */
  id: string;
  title: string;
  icon: IconName;
  /** The key that opens and closes it. */
  shortcut: string;
  /** What it shows, for the title of its button. */
  shows: string;
  panel: LazyExoticComponent<ComponentType<PanelProps>>;
  /** Opened from elsewhere: it has no button among those of the drawers. */
  hasNoButton?: boolean;
}

export const DRAWERS: DrawerKind[] = [
  {
    id: 'changes',
    title: words.changes.title,
    icon: 'diff',
    shortcut: 'd',
    shows: words.changes.shows,
    panel: lazy(() => import('../../diff/Changes').then((module) => ({ default: module.Changes }))),
  },
  {
    id: 'terminal',
    title: words.terminal.title,
    icon: 'execute',
    shortcut: 't',
    shows: words.terminal.shows,
    panel: lazy(() => import('../../terminal/TerminalPanel').then((module) => ({ default: module.TerminalPanel }))),
  },
  {
    id: 'code',
    title: words.editor.title,
    icon: 'code',
    shortcut: 'e',
    shows: words.editor.shows,
    panel: lazy(() => import('../../code/CodePanel').then((module) => ({ default: module.CodePanel }))),
  },
  {
    id: 'ports',
    title: words.ports.title,
    icon: 'fetch',
    shortcut: 'p',
    shows: words.ports.shows,
    panel: lazy(() => import('../../ports/PortsPanel').then((module) => ({ default: module.PortsPanel }))),
  },
  {
    id: 'review',
    title: words.review.drawer,
    icon: 'branch',
    shortcut: 'g',
    shows: words.review.shows,
    panel: lazy(() => import('../../review/ReviewPanel').then((module) => ({ default: module.ReviewPanel }))),
    hasNoButton: true,
  },
  {
    id: 'files',
    title: words.files.title,
    icon: 'folder',
    shortcut: 'f',
    shows: words.files.shows,
    panel: lazy(() => import('../../files/Files').then((module) => ({ default: module.Files }))),
  },
  {
    id: 'artifacts',
    title: words.artifacts.title,
    icon: 'box',
    shortcut: 'a',
    shows: words.artifacts.shows,
    panel: lazy(() => import('../../artifacts/Artifacts').then((module) => ({ default: module.Artifacts }))),
  },
  {
    id: 'cost',
    title: words.cost.title,
    icon: 'coins',
    shortcut: 'c',
    shows: words.cost.shows,
    panel: lazy(() => import('../../details/Cost').then((module) => ({ default: module.Cost }))),
  },
  {
    id: 'details',
    title: words.details.title,
    icon: 'info',
    shortcut: 'y',
    shows: words.details.shows,
    panel: lazy(() => import('../../details/Details').then((module) => ({ default: module.Details }))),
  },
];

/** What of a session's page is in its address. */
export interface SessionSearch {
  drawer?: string;
  /** Of which turn the changes are shown; those of the whole branch without it. */
  turn?: number;
  /** An entry of the log, which is gone to and marked. */
  at?: number;
}

export function readSessionSearch(search: Record<string, unknown>): SessionSearch {
  return {
    ...(DRAWERS.some((kind) => kind.id === search.drawer) ? { drawer: search.drawer as string } : {}),
    ...(typeof search.turn === 'number' ? { turn: search.turn } : {}),
    ...(Number.isInteger(search.at) && Number(search.at) > 0 ? { at: Number(search.at) } : {}),
  };
}

export interface OpenDrawer extends SessionSearch {
  open: (drawer: string, turn?: number) => void;
  toggle: (drawer: string) => void;
  close: () => void;
}

/** Which drawer is open, and how to open another. */
export function useDrawer(): OpenDrawer {
  const { drawer, turn } = useSearch({ from: '/sessions/$id' });
  const navigate = useNavigate();
  const go = useCallback(
    (search: SessionSearch) =>
      void navigate({
        from: '/sessions/$id',
        to: '.',
        search: ({ at }) => ({ ...(at === undefined ? {} : { at }), ...search }),
        replace: true,
      }),
    [navigate],
  );
  return useMemo(() => {
    const open = (next: string, of?: number) => go({ drawer: next, ...(of === undefined ? {} : { turn: of }) });
    const close = () => go({});
    const toggle = (next: string) => (next === drawer ? close() : open(next));
    return { ...(drawer ? { drawer } : {}), ...(turn === undefined ? {} : { turn }), open, toggle, close };
  }, [drawer, turn, go]);
}
