/** The page's colours, for a terminal. */
import type { ITheme } from '@xterm/xterm';

/** Each of the terminal's colours, in the page's. */
const COLOURS: [keyof ITheme, string][] = [
  ['background', 'var(--raised)'],
  ['foreground', 'var(--ink)'],
  ['cursor', 'var(--lamp-fill)'],
  ['cursorAccent', 'var(--raised)'],
  ['scrollbarSliderBackground', 'var(--line)'],
  ['scrollbarSliderHoverBackground', 'var(--line-strong)'],
  ['scrollbarSliderActiveBackground', 'var(--line-strong)'],
  ['black', 'var(--line-strong)'],
  ['brightBlack', 'var(--faint)'],
  ['white', 'var(--soft)'],
  ['brightWhite', 'var(--ink)'],
  ['red', 'var(--bad)'],
  ['brightRed', 'var(--dot-bad)'],
  ['green', 'var(--good)'],
  ['brightGreen', 'var(--dot-good)'],
  ['yellow', 'var(--lamp)'],
  ['brightYellow', 'var(--dot-lamp)'],
  ['blue', 'var(--calm)'],
  ['brightBlue', 'var(--calm)'],
  ['cyan', 'light-dark(#1f6f6c, #7cc0bd)'],
  ['brightCyan', 'light-dark(#1f6f6c, #9ad7d3)'],
  ['selectionBackground', 'color-mix(in srgb, var(--lamp-fill) 32%, transparent)'],
  ['magenta', 'var(--plan)'],
  ['brightMagenta', 'var(--plan)'],
];

/** As they are now; `light-dark()` is resolved by asking an element. */
export function pageTheme(within: HTMLElement): ITheme {
  const probe = document.createElement('span');
  within.append(probe);
  const colour = (value: string) => {
    probe.style.color = value;
    return getComputedStyle(probe).color;
  };
  const theme: ITheme = Object.fromEntries(COLOURS.map(([part, value]) => [part, colour(value)]));
  probe.remove();
  return theme;
}

/** Calls back whenever the page's colours may be others. */
export function onThemeChange(changed: () => void): () => void {
  const system = window.matchMedia('(prefers-color-scheme: dark)');
  const chosen = new MutationObserver(changed);
  system.addEventListener('change', changed);
  chosen.observe(document.documentElement, { attributeFilter: ['data-theme'] });
  return () => {
    system.removeEventListener('change', changed);
    chosen.disconnect();
  };
}
