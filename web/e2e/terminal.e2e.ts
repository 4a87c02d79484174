/** Shells and previews, in real sandboxes of a server of the tests' own. */
import type { Frame, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startCutter } from '../dev/cutter.mjs';
import { touchesNothing } from './attempts';
import { complaintsOf, openStage, type Stage, shot } from './browser';
import { HAS_SERVER, OwnServer } from './server';

let server: OwnServer;
let stage: Stage;
let cutter: Awaited<ReturnType<typeof startCutter>>;

const drawer = (page: Page) => page.getByRole('region', { name: 'Terminal', exact: true });
const rows = (page: Page) => drawer(page).locator('.xterm-rows');

/** A session that has done its first turn, with a shell open beside it. */
async function sit(page: Page, url: string): Promise<string> {
  const id = await server.create('!say done');
  await server.done(id, 1);
  await page.goto(`${url}/sessions/${id}`);
  await page.locator('[data-connection=connected]').waitFor();
  await page.keyboard.press('t');
  await ready(page);
  return id;
}

async function ready(page: Page): Promise<void> {
  await drawer(page).locator('[data-terminal=connected]').waitFor();
  await expect.poll(() => rows(page).innerText()).toMatch(/[$#>]/);
}

async function type(page: Page, command: string): Promise<void> {
  await drawer(page).locator('textarea').focus();
  await page.keyboard.insertText(command);
  await page.keyboard.press('Enter');
}

const shows = (page: Page, text: string) =>
  expect.poll(() => rows(page).innerText(), { timeout: 10_000 }).toContain(text);

describe.runIf(HAS_SERVER)('in a sandbox', () => {
  beforeAll(async () => {
    server = await OwnServer.start();
    cutter = await startCutter(server.url);
    stage = await openStage([server.url, cutter.url]);
  });
  afterAll(async () => {
    await stage?.close();
    cutter?.close();
    await server?.close();
  });

  test('a shell in the sandbox, across a reload, a cut and hostile output', async () => {
    const page = await stage.page();
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write'], { origin: cutter.url });
    await sit(page, cutter.url);
    await type(page, 'echo first $((6 * 7)); pwd');
    await shows(page, 'first 42');
    await shows(page, '/workspace');
    await page.getByText(/opened a terminal/).waitFor();
    await shot(page, 'terminal');

    const width = () => drawer(page).evaluate((panel) => panel.clientWidth);
    const before = await width();
    await page.getByRole('separator', { name: 'Width of the drawer' }).focus();
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('ArrowLeft');
    await expect.poll(width).toBe(before + 64);

    await page.reload();
    await ready(page);
    await shows(page, 'first 42');
    await expect.poll(() => width()).toBe(before + 64);

    cutter.refusing = true;
    cutter.cut();
    await drawer(page).getByText('The connection was lost').waitFor();
    await shot(page, 'terminal-cut');
    cutter.refusing = false;
    await drawer(page).locator('[data-terminal=connected]').waitFor({ timeout: 15_000 });
    await type(page, 'echo again $((7 * 7))');
    await shows(page, 'again 49');

    // What a program prints changes nothing but the screen.
    const title = await page.title();
    await page.evaluate(() => navigator.clipboard.writeText('mine'));
    await type(
      page,
      "printf '\\033]0;TAKEN\\007\\033]52;c;VEFLRU4=\\007\\033]8;;javascript:document.title=1\\007link\\033]8;;\\007'",
    );
    await type(page, "printf '\\033[38;2;200;30;40mcoloured\\033[0m\\033[21t\\n'; echo done $((8 * 8))");
    await shows(page, 'done 64');
    expect(await page.title()).toBe(title);
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe('mine');
    const coloured = rows(page).locator('span', { hasText: /^coloured$/ });
    expect(await coloured.evaluate((span) => getComputedStyle(span).color)).not.toBe(
      await rows(page).evaluate((all) => getComputedStyle(all).color),
    );
    await rows(page).getByText('link', { exact: true }).last().click({ force: true });
    expect(await page.title()).toBe(title);

    await drawer(page).locator('textarea').focus();
    await page.keyboard.press('Shift+Escape');
    await expect.poll(() => page.evaluate(() => document.activeElement?.textContent)).toBe('Shell 1');

    await page.getByRole('button', { name: 'Open another terminal' }).click();
    await page.getByRole('button', { name: 'Shell 2', exact: true }).waitFor();
    await ready(page);
    await type(page, 'exit 3');
    await drawer(page).getByText('The shell ended with exit code 3.').waitFor();
    await shot(page, 'terminal-ended');
    await page.getByRole('button', { name: 'Close shell 2' }).click();
    await shows(page, 'done 64');
    expect(complaintsOf(page, { cut: true })).toEqual([]);
  });

  test('a paused sandbox freezes its shells, and typing wakes it', async () => {
    const page = await stage.page({ width: 390, height: 844, dark: true });
    const id = await sit(page, server.url);
    await type(page, 'cd /tmp; echo before $((1 + 1))');
    await shows(page, 'before 2');
    const paused = await page.request.post(`${server.url}/api/v1/sessions/${id}/pause`);
    expect(paused.ok()).toBe(true);
    await drawer(page).getByText('The sandbox is paused').waitFor();
    await shot(page, 'terminal-paused-phone');
    await type(page, 'echo after $((2 + 2)) $PWD');
    await shows(page, 'after 4 /tmp');
    await drawer(page).getByText('The sandbox is paused').waitFor({ state: 'detached' });
    expect(complaintsOf(page)).toEqual([]);
  });

  test('what listens is shown, and can touch nothing of this page', async () => {
    const page = await stage.page();
    await sit(page, server.url);
    await type(page, 'mkdir /tmp/site; echo "<h1>Served from inside</h1>" > /tmp/site/index.html');
    await type(page, 'python3 -m http.server --directory /tmp/site --bind 127.0.0.1 8000 &');
    await page.getByRole('group', { name: 'Drawers' }).getByRole('button', { name: 'Ports' }).click();
    const ports = page.getByRole('region', { name: 'Ports', exact: true });
    await ports.getByRole('button', { name: 'Show port 8000 here' }).click({ timeout: 15_000 });
    const shown = page.frameLocator('iframe[title="Port 8000"]').getByRole('heading', { name: 'Served from inside' });
    await shown.waitFor({ timeout: 15_000 });
    await shot(page, 'ports');

    const preview = page.frames().find((frame) => frame.url().includes('//p8000-')) as Frame;
    expect(new URL(preview.url()).hostname).toMatch(/^p8000-[0-9a-z]{26}\.localhost$/);
    await touchesNothing(preview, server.url);
    expect(new URL(page.url()).pathname).toMatch(/^\/sessions\//);

    // Our page in a frame of the preview stays empty.
    const framed = await preview.evaluate(async (ours) => {
      const frame = document.createElement('iframe');
      frame.src = ours;
      document.body.append(frame);
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      return String(frame.contentDocument);
    }, server.url);
    const inner = page.frames().filter((frame) => frame.parentFrame() === preview);
    expect(framed).toBe('null');
    for (const frame of inner)
      expect(await frame.evaluate(() => document.body.innerText).catch(() => '')).not.toContain('Lamplight');

    // In a tab of its own it is the same, and knows nobody who opened it.
    const [tab] = await Promise.all([
      page.context().waitForEvent('page'),
      ports.getByRole('link', { name: 'Open port 8000 in a tab' }).click(),
    ]);
    await tab.getByRole('heading', { name: 'Served from inside' }).waitFor();
    expect(await tab.evaluate(() => window.opener)).toBe(null);
  });
});
