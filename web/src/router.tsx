/** The pages and their addresses. */
import { createRootRoute, createRoute, createRouter, Link, Outlet } from '@tanstack/react-router';
import { PHASES, type Phase, USAGE_BY, type UsageBy } from './api/types';
import { type ForkSearch, NewPage } from './create/NewPage';
import { type ListFilter, ListPage } from './list/ListPage';
import { readSessionSearch } from './session/view/drawers';
import { SessionPage } from './session/view/SessionPage';
import { SettingsPage } from './settings/SettingsPage';
import { Shortcuts } from './ui/Shortcuts';
import { type UsageFilter, UsagePage } from './usage/UsagePage';

const root = createRootRoute({
  component: () => (
    <>
      <Outlet />
      <Shortcuts />
    </>
  ),
  notFoundComponent: () => (
    <main className="mx-auto mt-24 max-w-md px-4 text-center">
      <h1 className="text-lg font-semibold">There is nothing at this address</h1>
      <Link to="/" className="text-lamp underline underline-offset-4">
        All sessions
      </Link>
    </main>
  ),
});

const list = createRoute({
  getParentRoute: () => root,
  path: '/',
  validateSearch: (search: Record<string, unknown>): ListFilter => ({
    ...(PHASES.includes(search.phase as Phase) ? { phase: search.phase as Phase } : {}),
    ...(typeof search.q === 'string' && search.q !== '' ? { q: search.q } : {}),
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

const usage = createRoute({
  getParentRoute: () => root,
  path: '/usage',
  validateSearch: (search: Record<string, unknown>): UsageFilter => ({
    ...(USAGE_BY.includes(search.by as UsageBy) ? { by: search.by as UsageBy } : {}),
    ...(typeof search.since === 'string' && search.since !== '' ? { since: search.since } : {}),
  }),
  component: UsagePage,
});

const settings = createRoute({ getParentRoute: () => root, path: '/settings', component: SettingsPage });

export const router = createRouter({ routeTree: root.addChildren([list, create, session, settings, usage]) });

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
