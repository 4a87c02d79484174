/** The log as people read it. It follows the newest entry until someone scrolls up, and fetches older ones on the way. */
import { Fragment, useCallback, useEffect, useLayoutEffect, useRef, useState } from 'react';
import { Button } from '../../ui/button';
import { Icon } from '../../ui/icons';
import type { Item } from '../items';
import { useSession, useStore } from './context';
import { type Actions, ItemView } from './Items';

/** How near to the end counts as being there. */
const NEAR_END_PX = 60;
/** How early older entries are fetched. */
const EARLY_PX = '600px';

/** Items that stand close together, so that a run of them reads as one. */
function isQuiet(item: Item | undefined): boolean {
  return item !== undefined && ['tool', 'thought', 'note', 'log', 'setup', 'kept'].includes(item.kind);
}

export function Timeline({ actions }: { actions: Actions }) {
  const store = useStore();
  const items = useSession((state) => state.timeline.items);
  const first = useSession((state) => state.timeline.first);
  const older = useSession((state) => state.older);
  const scroller = useRef<HTMLElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const top = useRef<HTMLDivElement>(null);
  const following = useRef(true);
  const [away, setAway] = useState(false);

  const toEnd = useCallback(() => {
    const box = scroller.current;
    if (!box) return;
    following.current = true;
    setAway(false);
    box.scrollTop = box.scrollHeight;
  }, []);

  // Whatever makes the content or the window grow: an entry, an opened fold, a font, a keyboard on a phone.
  useLayoutEffect(() => {
    const box = scroller.current;
    const inner = content.current;
    if (!box || !inner) return;
    const keep = () => {
      if (following.current) box.scrollTop = box.scrollHeight;
    };
    keep();
    const observer = new ResizeObserver(keep);
    observer.observe(inner);
    observer.observe(box);
    return () => observer.disconnect();
  }, []);

  // Only a person's own scrolling ends or resumes following; growth in between must not.
  const onScroll = () => {
    const box = scroller.current;
    if (!box) return;
    const near = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_END_PX;
    if (near) following.current = true;
    setAway(!near && !following.current);
  };
  const onMove = () => {
    const box = scroller.current;
    if (!box) return;
    const near = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_END_PX;
    following.current = near;
    setAway(!near);
  };

  // Older entries go in above without moving what is being read.
  const before = useRef({ first: 0, height: 0, top: 0 });
  useLayoutEffect(() => {
    const box = scroller.current;
    if (!box) return;
    const was = before.current;
    if (was.first > 0 && first < was.first && !following.current) {
      box.scrollTop = was.top + (box.scrollHeight - was.height);
    }
  }, [first]);
  useEffect(() => {
    const box = scroller.current;
    const sentinel = top.current;
    if (!box || !sentinel || older !== 'more') return;
    const observer = new IntersectionObserver(
      ([seen]) => {
        if (!seen?.isIntersecting) return;
        before.current = { first, height: box.scrollHeight, top: box.scrollTop };
        void store.loadOlder();
      },
      { root: box, rootMargin: `${EARLY_PX} 0px 0px 0px` },
    );
    observer.observe(sentinel);
    return () => observer.disconnect();
  }, [older, first, store]);

  return (
    <div className="relative min-h-0 flex-1">
      <section
        ref={scroller}
        onScroll={onScroll}
        onWheel={onMove}
        onTouchMove={onMove}
        onKeyUp={onMove}
        onPointerUp={onMove}
        aria-label="Timeline"
        className="h-full overflow-x-hidden overflow-y-auto overscroll-contain"
        tabIndex={0}
      >
        <div ref={content} className="mx-auto max-w-[52rem] px-3 pt-4 pb-8 sm:px-6">
          <div ref={top} />
          {older === 'loading' ? <p className="py-2 text-center text-2xs text-faint">Loading earlier entries</p> : null}
          {older === 'failed' ? (
            <p className="py-2 text-center text-2xs text-faint">
              Earlier entries could not be loaded.{' '}
              <Button look="quiet" size="small" onClick={() => void store.loadOlder()}>
                Try again
              </Button>
            </p>
          ) : null}
          {items.map((item, place) => {
            const tight = isQuiet(item) && isQuiet(items[place - 1]);
            return (
              <Fragment key={item.key}>
                <div
                  id={item.key}
                  data-kind={item.kind}
                  className={`far-sleeps ${place === 0 ? '' : tight ? 'pt-px' : 'pt-3'}`}
                >
                  <ItemView item={item} actions={actions} />
                </div>
              </Fragment>
            );
          })}
        </div>
      </section>
      {away ? (
        <Button
          className="absolute bottom-3 left-1/2 -translate-x-1/2 rounded-full shadow-md shadow-black/10"
          size="small"
          onClick={toEnd}
        >
          <Icon name="down" className="size-3.5" /> Jump to latest
        </Button>
      ) : null}
    </div>
  );
}
