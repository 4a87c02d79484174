/** The open session's store, for everything on its page. */
import { createContext, useContext, useSyncExternalStore } from 'react';
import type { SessionState, SessionStore } from '../store';

export const SessionContext = createContext<SessionStore | null>(null);

export function useStore(): SessionStore {
  const store = useContext(SessionContext);
  if (!store) throw new Error('outside of a session page');
  return store;
}

/** The part of the state that `select` gives; renders again only when that part is another. */
export function useSession<T>(select: (state: SessionState) => T): T {
  const store = useStore();
  return useSyncExternalStore(store.subscribe, () => select(store.getState()));
}

export function useFacts() {
  return useSession((state) => state.timeline.facts);
}
