/**
 * xterm.js as this page has it. What it shows comes from a sandbox and is not to be trusted: titles, the clipboard and the size of the
 * window are not its to change, and of links only those of the web are opened, by a click, without a way back to this page.
 */
import { FitAddon } from '@xterm/addon-fit';
import { Terminal } from '@xterm/xterm';
import '@xterm/xterm/css/xterm.css';
import type { Screen } from './connection';
import { beStrict } from './strict';
import { onThemeChange, pageTheme } from './theme';

/** Lines above the window that can be scrolled back to. */
const SCROLLBACK_LINES = 5_000;
/** As `--font-mono`; xterm.js measures it, so it is written here. */
const FONT = 'ui-monospace, "SF Mono", "Cascadia Mono", Menlo, "DejaVu Sans Mono", Consolas, monospace';
/** Text against its ground, as everywhere on this page. */
const CONTRAST = 4.5;

export interface Emulator {
  screen: Screen;
  size: () => { rows: number; columns: number };
  focus: () => void;
  close: () => void;
}

export interface EmulatorOptions {
  onKeys: (keys: string) => void;
  onSize: (rows: number, columns: number) => void;
  /** All other keys go inside, Tab too; this one leads a keyboard out again. */
  onLeave: () => void;
}

/** Whether a click may lead there. */
export function isWebLink(address: string): boolean {
  return URL.canParse(address) && ['http:', 'https:'].includes(new URL(address).protocol);
}

export function openEmulator(parent: HTMLElement, { onKeys, onSize, onLeave }: EmulatorOptions): Emulator {
  const relax = beStrict();
  const terminal = new Terminal({
    scrollback: SCROLLBACK_LINES,
    fontFamily: FONT,
    fontSize: 13,
    lineHeight: 1.15,
    minimumContrastRatio: CONTRAST,
    theme: pageTheme(parent),
    linkHandler: {
      allowNonHttpProtocols: false,
      activate: (_event, address) => {
        if (isWebLink(address)) window.open(address, '_blank', 'noopener,noreferrer');
      },
      // What a link is called and where it leads may be two things.
      hover: (_event, address) => {
        parent.title = address;
      },
      leave: () => {
        parent.title = '';
      },
    },
  });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  terminal.open(parent);
  terminal.textarea?.setAttribute('aria-label', 'Terminal');
  terminal.attachCustomKeyEventHandler((event) => {
    if (event.key !== 'Escape' || !event.shiftKey) return true;
    if (event.type === 'keydown') onLeave();
    return false;
  });
  terminal.onData(onKeys);
  terminal.onBinary(onKeys);
  terminal.onResize(({ rows, cols }) => onSize(rows, cols));
  const watch = new ResizeObserver(() => {
    if (parent.clientWidth > 0 && parent.clientHeight > 0) fit.fit();
  });
  watch.observe(parent);
  fit.fit();
  const forget = onThemeChange(() => {
    terminal.options.theme = pageTheme(parent);
  });
  return {
    screen: {
      write: (bytes, shown) => terminal.write(bytes, shown),
      reset: () => terminal.reset(),
    },
    size: () => ({ rows: terminal.rows, columns: terminal.cols }),
    focus: () => terminal.focus(),
    close: () => {
      watch.disconnect();
      forget();
      terminal.dispose();
      relax();
    },
  };
}
