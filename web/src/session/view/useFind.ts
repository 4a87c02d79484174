/** Finding words in the log: which items have them, which one is looked at, and where on the page they are. */
import { type RefObject, useDeferredValue, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react';
import { mentions, pattern } from '../find';
import type { Item } from '../items';

export interface Find {
  query: string;
  setQuery: (query: string) => void;
  /** Places in the list of items, in order. */
  matches: readonly number[];
  /** Which of them is looked at, from 0; -1 when there is none. */
  current: number;
  step: (by: 1 | -1) => void;
}

/** `show` is called with each match that is to be looked at, and stays the same from drawing to drawing. */
export function useFind(items: readonly Item[], show: (item: Item) => void): Find {
  const [query, setQuery] = useState('');
  const wanted = useDeferredValue(query);
  const [key, setKey] = useState<string | null>(null);

  // What an item says does not change, so it is read once for each query.
  const known = useMemo(() => ({ wanted: pattern(wanted), has: new WeakMap<Item, boolean>() }), [wanted]);
  const matches = useMemo(() => {
    if (!known.wanted) return [];
    const places: number[] = [];
    items.forEach((item, place) => {
      let has = known.has.get(item);
      if (has === undefined) {
        has = known.wanted !== null && mentions(item, known.wanted);
        known.has.set(item, has);
      }
      if (has) places.push(place);
    });
    return places;
  }, [items, known]);

  const at = matches.findIndex((place) => items[place]?.key === key);
  const current = at === -1 ? matches.length - 1 : at;
  // A new query is shown at its last match: that is where reading goes on from.
  const last = items[matches.at(-1) ?? -1];
  const shownFor = useRef('');
  useEffect(() => {
    if (wanted === '') shownFor.current = '';
    if (wanted === '' || last === undefined || shownFor.current === wanted) return;
    shownFor.current = wanted;
    setKey(last.key);
    show(last);
  }, [wanted, last, show]);

  const step = (by: 1 | -1) => {
    const item = items[matches[(current + by + matches.length) % matches.length] ?? -1];
    if (!item) return;
    setKey(item.key);
    show(item);
  };
  return { query, setQuery, matches, current, step };
}

/** Name of the highlight; its look is in styles.css. */
const FOUND = 'found';
/** More than this on a screen would be a page of nothing but marks. */
const MOST_MARKS = 500;

/** Marks the words where they are on the page, without touching what is there. */
export function useMarks(root: RefObject<HTMLElement | null>, query: string): void {
  useLayoutEffect(() => {
    const wanted = pattern(query, 'gi');
    // Browsers of before 2025 may not have it; the items are marked all the same.
    if (typeof Highlight === 'undefined') return;
    if (!wanted || !root.current) {
      CSS.highlights.delete(FOUND);
      return;
    }
    const ranges: Range[] = [];
    const texts = document.createTreeWalker(root.current, NodeFilter.SHOW_TEXT);
    for (let node = texts.nextNode(); node && ranges.length < MOST_MARKS; node = texts.nextNode()) {
      for (const match of (node.nodeValue ?? '').matchAll(wanted)) {
        const range = new Range();
        range.setStart(node, match.index);
        range.setEnd(node, match.index + match[0].length);
        ranges.push(range);
      }
    }
    CSS.highlights.set(FOUND, new Highlight(...ranges));
  });
  useEffect(() => () => void CSS.highlights?.delete(FOUND), []);
}
