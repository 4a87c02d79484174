/** The list itself. Only what is near the window is on the page, so that ten thousand sessions are no more work than ten. */
import { useVirtualizer } from '@tanstack/react-virtual';
import { useCallback, useEffect, useLayoutEffect, useRef } from 'react';
import { words } from '../text/english';
import { visible } from '../text/visible';
import type { ListRow } from './rows';
import { SessionRow } from './SessionRow';

/** In px, until they are measured. */
const ROW_PX = 57;
const HEADING_PX = 36;
const OVERSCAN = 10;
/** Rows before the end of what is loaded at which more is asked for. */
const EARLY_ROWS = 40;

interface SessionsProps {
  rows: readonly ListRow[];
  now: number;
  /** The session that the keyboard is at. */
  active: string | null;
  picked: ReadonlySet<string>;
  pick: (id: string, picked: boolean) => void;
  hasMore: boolean;
  loadMore: () => void;
}

export function Sessions({ rows, now, active, picked, pick, hasMore, loadMore }: SessionsProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const virtualizer = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: (place) => (rows[place]?.kind === 'heading' ? HEADING_PX : ROW_PX),
    getItemKey: useCallback((place: number) => rows[place]?.key ?? place, [rows]),
    overscan: OVERSCAN,
    paddingEnd: 48,
    directDomUpdates: true,
    directDomUpdatesMode: 'position',
  });
  const shown = virtualizer.getVirtualItems();
  // Of the last group there may be more than is loaded.
  const open = hasMore ? rows.findLastIndex(({ kind }) => kind === 'heading') : -1;
  const last = shown.at(-1)?.index ?? 0;
  useEffect(() => {
    if (hasMore && last >= rows.length - EARLY_ROWS) loadMore();
  }, [hasMore, last, rows.length, loadMore]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: only when the keyboard moves
  useLayoutEffect(() => {
    const place = active === null ? -1 : rows.findIndex((row) => row.key === active);
    if (place !== -1) virtualizer.scrollToIndex(place, { align: 'auto' });
  }, [active]);
  return (
    <div ref={scroller} className="min-h-0 flex-1 overflow-y-auto [overflow-anchor:none]">
      <ul ref={virtualizer.containerRef} aria-label={words.list.label} className="relative mx-auto max-w-[68rem]">
        {shown.map(({ index, key }) => {
          const row = rows[index];
          if (!row) return null;
          return (
            <li
              key={key}
              ref={virtualizer.measureElement}
              data-index={index}
              className="absolute inset-x-0 px-1.5 sm:px-4"
              aria-setsize={hasMore ? -1 : rows.length}
              aria-posinset={index + 1}
            >
              {row.kind === 'heading' ? (
                <h2
                  className="flex items-baseline gap-2 px-2 pt-4 pb-1 text-2xs font-semibold text-soft"
                  title={visible(row.title)}
                >
                  {visible(row.label)}{' '}
                  <span className="font-normal text-faint tabular-nums">
                    {row.count}
                    {index === open ? '+' : ''}
                  </span>
                </h2>
              ) : (
                <SessionRow
                  session={row.session}
                  now={now}
                  active={row.key === active}
                  picked={picked.has(row.key)}
                  picking={picked.size > 0}
                  pick={pick}
                />
              )}
            </li>
          );
        })}
      </ul>
    </div>
  );
}
