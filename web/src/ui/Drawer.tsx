/**
 * What opens at the right of a page: one panel, as wide as a person drew it. On narrow windows it takes the whole width.
 * It knows nothing of what is in it; which drawers a session has is in session/view/drawers.tsx.
 */

import {
  type CSSProperties,
  type KeyboardEvent,
  type PointerEvent,
  type ReactNode,
  Suspense,
  useRef,
  useState,
} from 'react';
import { words } from '../text/english';
import { Button } from './button';
import { readStorage, writeStorage } from './hooks';
import { Icon } from './icons';

/** What every panel of a drawer is given. */
export interface PanelProps {
  close: () => void;
}

const WIDTH_KEY = 'lamplight.drawer.width';
/** In pixels; narrower than this is of no use. */
const NARROWEST = 320;
/** Pixels that are left to what is beside the drawer. */
const LEFT_BESIDE = 360;
/** Pixels by one press of an arrow key. */
const STEP = 32;

/** A width that fits: what was wished for, within what the window has. */
export function fittingWidth(wished: number, windowWidth: number): number {
  return Math.round(Math.max(NARROWEST, Math.min(wished, windowWidth - LEFT_BESIDE)));
}

function rememberedWidth(): number {
  const stored = Number(readStorage(localStorage, WIDTH_KEY));
  return fittingWidth(stored > 0 ? stored : window.innerWidth * 0.44, window.innerWidth);
}

export function Drawer({ children }: { children: ReactNode }) {
  const [width, setWidth] = useState(rememberedWidth);
  const from = useRef<{ x: number; width: number } | null>(null);
  const draw = (wished: number, done: boolean) => {
    const next = fittingWidth(wished, window.innerWidth);
    setWidth(next);
    if (done) writeStorage(localStorage, WIDTH_KEY, String(next));
  };
  const onPointerDown = (event: PointerEvent<HTMLElement>) => {
    event.preventDefault();
    event.currentTarget.setPointerCapture(event.pointerId);
    from.current = { x: event.clientX, width };
  };
  const onPointerMove = (event: PointerEvent<HTMLElement>, done: boolean) => {
    if (from.current) draw(from.current.width + from.current.x - event.clientX, done);
    if (done) from.current = null;
  };
  const onKeyDown = (event: KeyboardEvent<HTMLElement>) => {
    const step = { ArrowLeft: STEP, ArrowRight: -STEP }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    draw(width + step, true);
  };
  return (
    <aside
      className="relative w-full shrink-0 border-line bg-raised lg:w-(--drawer) lg:border-l"
      style={{ '--drawer': `${width}px` } as CSSProperties}
    >
      {/* biome-ignore lint/a11y/useSemanticElements: a rule cannot be drawn with the pointer. */}
      <div
        role="separator"
        aria-orientation="vertical"
        aria-label={words.drawer.width}
        aria-valuenow={width}
        aria-valuemin={NARROWEST}
        tabIndex={0}
        onPointerDown={onPointerDown}
        onPointerMove={(event) => onPointerMove(event, false)}
        onPointerUp={(event) => onPointerMove(event, true)}
        onPointerCancel={() => {
          from.current = null;
        }}
        onKeyDown={onKeyDown}
        className="absolute inset-y-0 -left-1 z-20 hidden w-2 cursor-col-resize touch-none hover:bg-lamp-fill/25 lg:block"
      />
      <Suspense fallback={null}>{children}</Suspense>
    </aside>
  );
}

/** A panel: its name and what belongs beside it, the button that closes it, and below whatever it shows. */
export function Panel({
  title,
  shortcut,
  beside,
  close,
  children,
}: {
  title: string;
  /** The key that opens and closes it. */
  shortcut: string;
  beside?: ReactNode;
  close: () => void;
  children: ReactNode;
}) {
  return (
    <section aria-label={title} className="flex h-full min-w-0 flex-col bg-raised">
      <div className="flex items-center gap-2 border-b border-line px-3 py-2">
        <h2 className="font-semibold">{title}</h2>
        <div className="flex min-w-0 grow items-center gap-2">{beside}</div>
        <Button
          look="quiet"
          size="icon"
          aria-label={words.drawer.close(title)}
          title={words.drawer.closeKey(shortcut)}
          onClick={close}
        >
          <Icon name="cross" />
        </Button>
      </div>
      {children}
    </section>
  );
}
