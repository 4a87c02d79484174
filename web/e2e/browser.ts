/**
 * A headless Chromium and a server for the tests. The environment chooses:
 *   BASE_URL    a running server; without it the dev double is started (which needs `npm run build` before)
 *   REPOSITORY  a git repository that sessions may work in, with BASE_URL
 *   AGENT       the agent to choose, with BASE_URL
 *   PROMPT_FIX, PROMPT_SLOW   what to ask for that changes files (a % in it is another word each time), and for something that goes on until it is stopped
 *   CHROMIUM    the browser; /usr/bin/chromium without it
 *   SHOTS       where screenshots go; test-results/ without it
 */
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import axe from 'axe-core';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { expect } from 'vitest';
import { startCutter } from '../dev/cutter.mjs';
import { start } from '../dev/server.mjs';
import type { Item } from '../src/session/items';
import type { SessionStore } from '../src/session/store';

const SHOTS = process.env.SHOTS ?? fileURLToPath(new URL('../test-results/', import.meta.url));

/** What is asked of the agent, in words that the agent at hand understands. */
export const PROMPTS = {
  fix:
    process.env.PROMPT_FIX?.replaceAll('%', Date.now().toString(36)) ??
    'The test of median fails on CI since yesterday. Find out why and fix it.',
  slow: process.env.PROMPT_SLOW ?? 'Make a slow release build.',
};
export const REPOSITORY = process.env.REPOSITORY ?? '/srv/code/stats';
/** Only the double has stories for permission, loops and hostile content. */
export const ON_DOUBLE = !process.env.LAMPLIGHT_URL;

export interface Stage {
  /** The server's own address, and the one through a forwarder that tests can cut. */
  url: string;
  cutter: Awaited<ReturnType<typeof startCutter>>;
  /** A page whose console must stay silent; `look` is its window. */
  page: (look?: Look) => Promise<Page>;
  close: () => Promise<void>;
}

interface Look {
  width?: number;
  height?: number;
  dark?: boolean;
}

/** `more` are servers that its pages may talk to as well. */
export async function openStage(more: string[] = []): Promise<Stage> {
  mkdirSync(SHOTS, { recursive: true });
  const double = ON_DOUBLE ? await start({ speed: 3 }) : null;
  const url = double?.url ?? process.env.LAMPLIGHT_URL ?? '';
  const cutter = await startCutter(url);
  const browser: Browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  const contexts: BrowserContext[] = [];
  return {
    url,
    cutter,
    async page({ width = 1440, height = 900, dark = false } = {}) {
      const context = await browser.newContext({ viewport: { width, height }, colorScheme: dark ? 'dark' : 'light' });
      contexts.push(context);
      const page = await context.newPage();
      watch(page, [url, cutter.url, ...more]);
      return page;
    },
    async close() {
      await browser.close();
      cutter.close();
      double?.close();
    },
  };
}

const complaints = new WeakMap<Page, string[]>();

/** Collects what must not happen: errors in the console, thrown errors, requests to elsewhere. */
function watch(page: Page, origins: string[]): void {
  const heard: string[] = [];
  complaints.set(page, heard);
  page.on('pageerror', (error) => heard.push(`thrown: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') heard.push(`console: ${message.text()}`);
  });
  page.on('request', (request) => {
    const url = request.url().replace(/^ws/, 'http');
    if (!origins.some((origin) => url.startsWith(origin))) heard.push(`request to ${url}`);
  });
}

/** What the page complained about so far. A connection that a test cut itself is the browser's to report. */
export function complaintsOf(page: Page, { cut = false } = {}): string[] {
  const own = /ERR_CONNECTION|ERR_EMPTY_RESPONSE|ERR_INTERNET_DISCONNECTED|ERR_SOCKET|WebSocket connection to/;
  return (complaints.get(page) ?? []).filter((line) => !cut || !own.test(line));
}

export async function shot(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: `${SHOTS}/${name}.png`, animations: 'disabled' });
}

/** Starts a session through the form. */
export async function createSession(
  page: Page,
  url: string,
  prompt: string,
  more: { permissions?: string } = {},
): Promise<string> {
  await page.goto(`${url}/new`);
  await page.getByLabel('Task').fill(prompt);
  await page.getByLabel('Repository', { exact: false }).first().fill(REPOSITORY);
  if (process.env.AGENT) await page.getByLabel('Agent').selectOption(process.env.AGENT);
  if (more.permissions) {
    await page.getByText('More', { exact: true }).click();
    await page.getByLabel('Permission requests').selectOption(more.permissions);
  }
  await page.getByRole('button', { name: 'Start session' }).click();
  await page.waitForURL(/\/sessions\//);
  return page.url().split('/').at(-1) ?? '';
}

/** The timeline as text, item for item, whether it is near enough to be on the page or not. */
export function timelineText(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const { items } = (window as unknown as Shown).lamplight.getState().timeline;
    return items.map((item) => `${item.key} ${item.kind} ${JSON.stringify(item)}`);
  });
}

/** All that the page shows of a session, but for how far back it was loaded. */
export function shown(page: Page): Promise<{ items: Item[]; facts: unknown; first: number; last: number }> {
  return page.evaluate(() => {
    const { items, facts, first, last } = (window as unknown as Shown).lamplight.getState().timeline;
    return { items: [...items], facts, first, last };
  });
}

/** What the page leaves for tests: its store. */
interface Shown {
  lamplight: Pick<SessionStore, 'getState' | 'loadBackTo'>;
}

/** Fetches the log from its beginning, as scrolling up does. */
export async function loadAll(page: Page): Promise<void> {
  await page.evaluate(() => (window as unknown as Shown).lamplight.loadBackTo(1));
}

/** What axe finds on the page as it is. */
export async function faults(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const found = await page.evaluate(() => (window as unknown as { axe: typeof axe }).axe.run());
  return found.violations.flatMap((fault) =>
    fault.nodes.map((node) => `${fault.id} (${fault.impact}): ${node.html.slice(0, 160)} ${node.failureSummary ?? ''}`),
  );
}

/** That it finds nothing, in light and in dark; with screenshots of both. The page is light again afterwards. */
export async function accessible(page: Page, name: string): Promise<void> {
  for (const colorScheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme });
    await shot(page, `${name}-${colorScheme}`);
    expect(await faults(page), `${name} ${colorScheme}`).toEqual([]);
  }
}
