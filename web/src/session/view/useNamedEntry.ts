/** The entry that the page's address names: gone to, marked, and changed by whoever presses the time of another one. */
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useCallback, useEffect, useRef, useState } from 'react';
import { placeOf } from '../find';
import type { Item } from '../items';
import { useSession, useStore } from './context';

/** How often it is gone to at the most, and how long apart. */
const LOOKS = 20;
const BETWEEN_MS = 50;

export interface NamedEntry {
  /** The key of the item that it is in. */
  marked: string | undefined;
  /** An entry that could not be loaded. */
  lost: number | null;
  /** Puts another one into the address. */
  link: (seq: number) => void;
}

/** `leave` is told before it is gone to, `show` which of `items` is. */
export function useNamedEntry(items: readonly Item[], leave: () => void, show: (place: number) => void): NamedEntry {
  const store = useStore();
  const all = useSession((state) => state.timeline.items);
  const { at } = useSearch({ from: '/sessions/$id' });
  const navigate = useNavigate({ from: '/sessions/$id' });
  const [lost, setLost] = useState<number | null>(null);
  const pressed = useRef<number | null>(null);
  const latest = useRef({ items, leave, show });
  useEffect(() => {
    latest.current = { items, leave, show };
  });
  useEffect(() => {
    if (at === undefined) return;
    // Whoever presses the time of an item is there already.
    if (pressed.current === at) return;
    let wanted = true;
    let timer: ReturnType<typeof setTimeout> | undefined;
    latest.current.leave();
    void store.loadBackTo(at).then((isThere) => {
      if (!wanted) return;
      setLost(isThere ? null : at);
      // Once what was fetched is on the page, and again while the list still finds out how high everything is.
      let looks = 0;
      const go = () => {
        const { items, show } = latest.current;
        const place = placeOf(items, at);
        const row = document.getElementById(items[place]?.key ?? '');
        if (!wanted || (row && looks > 0)) return;
        show(place);
        looks += 1;
        if (looks < LOOKS) timer = setTimeout(() => requestAnimationFrame(go), BETWEEN_MS);
      };
      requestAnimationFrame(go);
    });
    return () => {
      wanted = false;
      clearTimeout(timer);
    };
  }, [at, store]);
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
