/** The entry that the page's address names: gone to, marked, and changed by whoever presses the time of another one. */
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useCallback, useEffect, useRef, useState } from 'react';
import { placeOf } from '../find';
import type { Item } from '../items';
import { useSession, useStore } from './context';

export interface NamedEntry {
  /** The key of the item that it is in. */
  marked: string | undefined;
  /** An entry that could not be loaded. */
  lost: number | null;
  /** Puts another one into the address. */
  link: (seq: number) => void;
}

/** `leave` is told before it is gone to, `show` once it is loaded. Both stay the same from drawing to drawing. */
export function useNamedEntry(leave: () => void, show: (item: Item) => void): NamedEntry {
  const store = useStore();
  const all = useSession((state) => state.timeline.items);
  const { at } = useSearch({ from: '/sessions/$id' });
  const navigate = useNavigate({ from: '/sessions/$id' });
  const [lost, setLost] = useState<number | null>(null);
  const pressed = useRef<number | null>(null);
  useEffect(() => {
    if (at === undefined) return;
    // Whoever presses the time of an item is there already.
    if (pressed.current === at) return;
    let wanted = true;
    leave();
    void store.loadBackTo(at).then((isThere) => {
      if (!wanted) return;
      setLost(isThere ? null : at);
      const { items } = store.getState().timeline;
      const item = items[placeOf(items, at)];
      if (item) show(item);
    });
    return () => {
      wanted = false;
    };
  }, [at, store, leave, show]);
  const target = at === undefined ? undefined : all[placeOf(all, at)];
  const link = useCallback(
    (seq: number) => {
      pressed.current = seq;
      void navigate({ search: (now) => ({ ...now, at: seq }), replace: true, resetScroll: false });
    },
    [navigate],
  );
  return { marked: target && target.seq <= (at ?? 0) ? target.key : undefined, lost, link };
}
