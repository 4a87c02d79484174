/** The pages and their addresses. Each page is loaded when it is first gone to. */

import { createRootRoute, createRoute, createRouter, Link, lazyRouteComponent, Outlet } from '@tanstack/react-router';
import { PHASES, type Phase, USAGE_BY, type UsageBy } from './api/types';
import type { ForkSearch } from './create/NewPage';
import { type ListFilter, narrow } from './list/filter';
import { GROUPINGS, type Grouping } from './list/rows';
import { readSessionSearch } from './session/view/drawers';
import { words } from './text/english';
import { Palette } from './ui/Palette';
import { Shortcuts } from './ui/Shortcuts';
import type { UsageFilter } from './usage/UsagePage';

const ComparePage = lazyRouteComponent(() => import('./compare/ComparePage'), 'ComparePage');
const ListPage = lazyRouteComponent(() => import('./list/ListPage'), 'ListPage');
const NewPage = lazyRouteComponent(() => import('./create/NewPage'), 'NewPage');
const SessionPage = lazyRouteComponent(() => import('./session/view/SessionPage'), 'SessionPage');
const SettingsPage = lazyRouteComponent(() => import('./settings/SettingsPage'), 'SettingsPage');
const SignInPage = lazyRouteComponent(() => import('./sign-in/SignInPage'), 'SignInPage');
const UsagePage = lazyRouteComponent(() => import('./usage/UsagePage'), 'UsagePage');

const root = createRootRoute({
  component: () => (
    <>
      <Outlet />
      <Shortcuts />
      <Palette />
    </>
  ),
  notFoundComponent: () => (
    <main className="mx-auto mt-24 max-w-md px-4 text-center">
      <h1 className="text-lg font-semibold">{words.common.nothingHere}</h1>
      <Link to="/" className="text-lamp underline underline-offset-4">
        {words.common.allSessions}
      </Link>
    </main>
  ),
});

const list = createRoute({
  getParentRoute: () => root,
  path: '/',
  validateSearch: (search: Record<string, unknown>): ListFilter =>
    narrow({
      ...(PHASES.includes(search.phase as Phase) ? { phase: search.phase as Phase } : {}),
      ...(typeof search.q === 'string' ? { q: search.q } : {}),
      ...(typeof search.repository === 'string' ? { repository: search.repository } : {}),
      mine: search.mine === true,
      archived: search.archived === true,
      dead: search.dead === true,
      ...(GROUPINGS.includes(search.group as Grouping) ? { group: search.group as Grouping } : {}),
    }),
  component: ListPage,
});

const create = createRoute({
  getParentRoute: () => root,
  path: '/new',
  validateSearch: (search: Record<string, unknown>): ForkSearch =>
    typeof search.fork === 'string' && typeof search.checkpoint === 'number'
      ? { fork: search.fork, checkpoint: search.checkpoint }
      : {},
  component: function Create() {
    return <NewPage from={create.useSearch()} />;
  },
});

const session = createRoute({
  getParentRoute: () => root,
  path: '/sessions/$id',
  validateSearch: readSessionSearch,
  component: function Session() {
    return <SessionPage id={session.useParams().id} />;
  },
});

const compare = createRoute({
  getParentRoute: () => root,
  path: '/compare/$id',
  component: function Compare() {
    return <ComparePage id={compare.useParams().id} />;
  },
});

const usage = createRoute({
  getParentRoute: () => root,
  path: '/usage',
  validateSearch: (search: Record<string, unknown>): UsageFilter => ({
    ...(USAGE_BY.includes(search.by as UsageBy) ? { by: search.by as UsageBy } : {}),
    ...(typeof search.since === 'string' && search.since !== '' ? { since: search.since } : {}),
  }),
  component: UsagePage,
});

const signIn = createRoute({ getParentRoute: () => root, path: '/sign-in', component: SignInPage });

const settings = createRoute({
  getParentRoute: () => root,
  path: '/settings',
  component: () => <SettingsPage id={undefined} />,
});

const settingsSection = createRoute({
  getParentRoute: () => root,
  path: '/settings/$section',
  // What is in the address beside the section is the section's own.
  validateSearch: (search: Record<string, unknown>): Record<string, unknown> => search,
  component: function SettingsSection() {
    return <SettingsPage id={settingsSection.useParams().section} />;
  },
});

export const router = createRouter({
  routeTree: root.addChildren([compare, list, create, session, settings, settingsSection, signIn, usage]),
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
