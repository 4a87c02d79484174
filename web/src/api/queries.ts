/** What the page asks for more than once, and the live feed that keeps the list of sessions true between asking. */
import { type InfiniteData, QueryClient, queryOptions, useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { ApiError, api, type SessionFilter, socketAddress } from './client';
import { type ConnectionState, ReconnectingSocket } from './socket';
import type { SessionPage, SessionSummary, UsageBy } from './types';

/** Only what may go away by itself is tried again. */
const QUERY_RETRIES = 2;
/** Sums that somebody looks at are asked for again. */
const USAGE_MS = 60_000;
/** Those who wait move as others end, which no session's log tells. */
const QUEUE_MS = 3_000;
/** The server keeps them longer; asking it is cheap, but not when a page opens its form again and again. */
const MODELS_STALE_MS = 60_000;
/** A session that the list does not have yet makes it ask again, at most this often. */
const RELIST_MS = 300;

export function newQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 5_000,
        retry: (failures, error) =>
          failures < QUERY_RETRIES && error instanceof ApiError && (error.status === 0 || error.status >= 500),
      },
    },
  });
}

export const agentsQuery = queryOptions({ queryKey: ['agents'], queryFn: api.agents });
export const repositoriesQuery = queryOptions({ queryKey: ['repositories'], queryFn: api.repositories });
export const offerQuery = (path: string) => queryOptions({ queryKey: ['offer', path], queryFn: () => api.offer(path) });
export const keysQuery = queryOptions({ queryKey: ['keys'], queryFn: api.keys });
export const modelsQuery = queryOptions({ queryKey: ['models'], queryFn: api.models, staleTime: MODELS_STALE_MS });
export const waysQuery = queryOptions({ queryKey: ['ways'], queryFn: api.ways });
export const meQuery = queryOptions({ queryKey: ['me'], queryFn: api.me });
export const tokensQuery = queryOptions({ queryKey: ['tokens'], queryFn: api.tokens });
export const peopleQuery = queryOptions({ queryKey: ['people'], queryFn: api.people });
export const tokensOfQuery = (person: string) =>
  queryOptions({ queryKey: ['tokens', person], queryFn: () => api.tokensOf(person) });
export const guardsQuery = queryOptions({ queryKey: ['guards'], queryFn: api.guards });
export const queueQuery = queryOptions({ queryKey: ['queue'], queryFn: api.queue, refetchInterval: QUEUE_MS });
export const statusQuery = queryOptions({ queryKey: ['status'], queryFn: api.status });

export const usageQuery = (by: UsageBy, since: string | undefined) =>
  queryOptions({
    queryKey: ['usage', by, since],
    queryFn: () => api.usage(by, since),
    refetchInterval: USAGE_MS,
    placeholderData: (previous) => previous,
  });

export function useSessions(filter: SessionFilter) {
  return useInfiniteQuery({
    queryKey: ['sessions', filter],
    queryFn: ({ pageParam }) => api.sessions(filter, pageParam),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    placeholderData: (previous) => previous,
  });
}

type Pages = InfiniteData<SessionPage, string | null>;

/** Whether a list with this filter should hold this session; a text filter is the server's to judge. */
function mayHold(filter: SessionFilter, summary: SessionSummary): boolean {
  return (
    (!filter.phase || filter.phase === summary.phase) &&
    (!filter.repository || filter.repository === summary.repository) &&
    (!filter.person || filter.person === summary.person) &&
    (!filter.dead || summary.dead) &&
    (filter.archived ?? false) === summary.archived
  );
}

/** Puts a changed session into one list. Null when only the server can say whether it belongs there. */
export function patchPages(pages: Pages, filter: SessionFilter, summary: SessionSummary): Pages | null {
  const at = pages.pages.findIndex((page) => page.items.some((item) => item.id === summary.id));
  if (at !== -1)
    return { ...pages, pages: pages.pages.map((page, n) => (n === at ? patched(page, filter, summary) : page)) };
  if (!mayHold(filter, summary)) return pages;
  return filter.q ? null : inserted(pages, summary);
}

function patched(page: SessionPage, filter: SessionFilter, summary: SessionSummary): SessionPage {
  const items = page.items.flatMap((item) => {
    // News that was overtaken on its way changes nothing.
    if (item.id !== summary.id || summary.last_seq < item.last_seq) return [item];
    return mayHold(filter, summary) ? [summary] : [];
  });
  return { ...page, items };
}

/** Lists are in the order of ids, the newest first. What is older than all that is loaded is loaded when its turn comes. */
function inserted(pages: Pages, summary: SessionSummary): Pages {
  const holds = (page: SessionPage) => page.next_cursor === null || summary.id > page.next_cursor;
  const at = pages.pages.findIndex(holds);
  return {
    ...pages,
    pages: pages.pages.map((page, n) => {
      if (n !== at) return page;
      const before = page.items.filter((item) => item.id > summary.id);
      return { ...page, items: [...before, summary, ...page.items.slice(before.length)] };
    }),
  };
}

/** Keeps every list of sessions live, as long as the caller is shown. */
export function useSessionFeed(): ConnectionState {
  const client = useQueryClient();
  const [connection, setConnection] = useState<ConnectionState>({ state: 'connecting' });
  useEffect(() => {
    let relist: ReturnType<typeof setTimeout> | undefined;
    let lost = false;
    const relistSoon = () => {
      relist ??= setTimeout(() => {
        relist = undefined;
        void client.invalidateQueries({ queryKey: ['sessions'] });
      }, RELIST_MS);
    };
    const socket = new ReconnectingSocket({
      address: () => socketAddress('/events'),
      onState: (state) => {
        setConnection(state);
        // What changed while nobody listened is not sent again.
        if (state.state === 'connected' && lost) relistSoon();
        if (state.state !== 'connected' && state.state !== 'connecting') lost = true;
      },
      onMessage: (data) => {
        const summary = JSON.parse(data) as SessionSummary | { control: string };
        if (!('control' in summary) && applySummary(client, summary)) relistSoon();
      },
    });
    socket.open();
    return () => {
      clearTimeout(relist);
      socket.close();
    };
  }, [client]);
  return connection;
}

/** True when some list has to be asked for again. */
function applySummary(client: QueryClient, summary: SessionSummary): boolean {
  let relist = false;
  for (const query of client.getQueryCache().findAll({ queryKey: ['sessions'] })) {
    const pages = query.state.data as Pages | undefined;
    if (!pages) continue;
    const patched = patchPages(pages, (query.queryKey[1] ?? {}) as SessionFilter, summary);
    if (patched === null) relist = true;
    else client.setQueryData(query.queryKey, patched);
  }
  return relist;
}
