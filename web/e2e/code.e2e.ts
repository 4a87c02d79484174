/**
 * VS Code beside a session: with a small server of the tests in its place, which is started as code-server is, and with the real one
 * where CODE_TOOLS names a tools directory that it is installed in.
 */
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { arch, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Frame, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { touchesNothing } from './attempts';
import { complaintsOf, openStage, type Stage, shot } from './browser';
import { HAS_SERVER, OwnServer } from './server';

const { CODE_TOOLS } = process.env;
const PROGRAM = fileURLToPath(new URL('../../crates/server/tests/code-server.py', import.meta.url));
/** Longest wait for VS Code, on a machine that has other things to do. */
const CODE_MS = 60_000;

let server: OwnServer;
let stage: Stage;
let tools: string;

/** A tools directory as `lamplight tools install` leaves it, with other programs in it. */
function smallTools(): string {
  const directory = mkdtempSync(join(tmpdir(), 'lamplight-tools-'));
  // Sandboxes see it, as their own user.
  chmodSync(directory, 0o755);
  const at = (path: string) => {
    const whole = join(directory, path);
    mkdirSync(dirname(whole), { recursive: true });
    return whole;
  };
  const node = `node/node_modules/node-linux-${arch()}`;
  writeFileSync(at(`${node}/package.json`), '{"version": "24.0.0"}');
  writeFileSync(at(`${node}/bin/node`), '#!/bin/sh\nexec python3 "$@"\n');
  chmodSync(at(`${node}/bin/node`), 0o755);
  const code = 'code-server/node_modules/code-server';
  writeFileSync(at(`${code}/package.json`), '{"version": "4.0.0"}');
  copyFileSync(PROGRAM, at(`${code}/out/node/entry.js`));
  return directory;
}

const drawer = (page: Page) => page.getByRole('region', { name: 'VS Code', exact: true });
const frame = (page: Page) => page.frameLocator('iframe[title="VS Code"]');
const inside = (page: Page) => page.frames().find((one) => one.url().includes('//p7414-')) as Frame;

async function openSession(page: Page, more: object = {}): Promise<string> {
  const id = await server.create('!say done', more);
  await server.done(id, 1);
  await page.goto(`${server.url}/sessions/${id}`);
  await page.locator('[data-connection=connected]').waitFor();
  return id;
}

/** The next turn takes what was done by hand into its commit, and the changes show it. */
async function isCommitted(page: Page, id: string): Promise<void> {
  await server.post(`/sessions/${id}/prompts`, { text: '!say more' });
  await server.done(id, 2);
  await page.getByRole('group', { name: 'Drawers' }).getByRole('button', { name: 'Changes' }).click();
  await page.getByRole('region', { name: 'Changes', exact: true }).getByText('by hand').first().waitFor();
}

async function begin(directory: string): Promise<void> {
  tools = directory;
  server = await OwnServer.start(tools);
  stage = await openStage([server.url]);
}

async function finish(): Promise<void> {
  await stage?.close();
  await server?.close();
}

describe.runIf(HAS_SERVER)('with a small server in its place', () => {
  beforeAll(() => begin(smallTools()));
  afterAll(async () => {
    await finish();
    rmSync(tools, { recursive: true, force: true });
  });

  test('a file is edited beside the session, and nothing of the page is reached from there', async () => {
    const page = await stage.page();
    const id = await openSession(page);
    await page.keyboard.press('e');
    const text = frame(page).getByLabel('File');
    await expect.poll(() => text.inputValue(), { timeout: CODE_MS }).toBe('A repository.\n');
    await text.fill('A repository, by hand.\n');
    await frame(page).getByRole('button', { name: 'Save' }).click();
    await frame(page).getByText('Saved').waitFor();
    await shot(page, 'code-small');
    expect(complaintsOf(page).filter((line) => !line.includes('//p7414-'))).toEqual([]);
    await touchesNothing(inside(page), server.url);
    expect(new URL(page.url()).pathname).toBe(`/sessions/${id}`);
    await page.getByText('Ada opened VS Code').waitFor();
    await isCommitted(page, id);
  });

  test('it pauses with the sandbox, ends with a turn that is stopped, and is opened again', async () => {
    const page = await stage.page({ width: 390, height: 844, dark: true });
    const id = await openSession(page);
    await page.getByRole('group', { name: 'Drawers' }).getByRole('button', { name: 'VS Code' }).click();
    await frame(page).getByRole('heading', { name: 'Editor of tests' }).waitFor({ timeout: CODE_MS });
    await server.post(`/sessions/${id}/pause`);
    await drawer(page).getByText('VS Code stands still with it').waitFor();
    await shot(page, 'code-paused-phone');
    await drawer(page).getByRole('button', { name: 'Resume' }).click();
    await drawer(page).getByText('VS Code stands still with it').waitFor({ state: 'detached' });

    await server.post(`/sessions/${id}/prompts`, { text: '!run sleep 600' });
    await expect.poll(async () => ((await server.get(`/sessions/${id}`)) as { phase: string }).phase).toBe('executing');
    await server.post(`/sessions/${id}/stop`);
    await drawer(page).getByText('VS Code has ended').waitFor({ timeout: CODE_MS });
    await drawer(page).getByRole('button', { name: 'Open it again' }).click();
    await frame(page).getByRole('heading', { name: 'Editor of tests' }).waitFor({ timeout: CODE_MS });
  });

  test('where something went wrong it is one press away, as a terminal is', async () => {
    const page = await stage.page();
    const id = await server.create('!call 5 shell true', { limits: { steps: 2 } });
    await page.goto(`${server.url}/sessions/${id}`);
    const card = page.getByRole('region', { name: 'Stopped at the step limit' });
    await card.getByRole('button', { name: 'Open terminal' }).click();
    await page.getByRole('region', { name: 'Terminal', exact: true }).waitFor();
    await card.getByRole('button', { name: 'Open VS Code' }).click();
    await frame(page).getByRole('heading', { name: 'Editor of tests' }).waitFor({ timeout: CODE_MS });
    await shot(page, 'code-from-error');
  });
});

// Where it is not installed there is nothing to try, and nothing is left out.
if (HAS_SERVER && CODE_TOOLS !== undefined)
  describe('with code-server', () => {
    beforeAll(() => begin(CODE_TOOLS ?? ''));
    afterAll(finish);

    test('a file is opened, changed and saved, without a word to anybody outside', async () => {
      const page = await stage.page();
      const elsewhere: string[] = [];
      page.on('request', (request) => {
        const { protocol, hostname } = new URL(request.url());
        const own = hostname === '127.0.0.1' || hostname.endsWith('.localhost') || !/^(http|ws)/.test(protocol);
        if (!own) elsewhere.push(request.url());
      });
      const id = await openSession(page, { network: { policy: 'none' } });
      await page.keyboard.press('e');
      await frame(page).getByRole('treeitem', { name: 'readme.txt' }).click({ timeout: CODE_MS });
      await frame(page).locator('.view-lines').first().click({ timeout: CODE_MS });
      await page.keyboard.press('Control+End');
      await page.keyboard.type('Written by hand.');
      await page.keyboard.press('Control+s');
      const content = `${server.url}/api/v1/sessions/${id}/files/content?path=readme.txt`;
      await expect.poll(() => fetch(content).then((answer) => answer.text())).toContain('Written by hand.');
      await shot(page, 'code');

      await page.keyboard.press('Control+Backquote');
      const shell = frame(page).locator('.xterm-helper-textarea').first();
      await shell.waitFor({ state: 'attached', timeout: CODE_MS });
      const copied = `${server.url}/api/v1/sessions/${id}/files/content?path=copied.txt`;
      // Nothing on the page says when its shell listens.
      const copies = async () => {
        await shell.focus();
        await page.keyboard.type('cp readme.txt copied.txt\n');
        await page.waitForTimeout(1_000);
        return (await fetch(copied)).status;
      };
      await expect.poll(copies, { timeout: CODE_MS }).toBe(200);
      await shot(page, 'code-terminal');
      expect(elsewhere).toEqual([]);
      await touchesNothing(inside(page), server.url);
      await isCommitted(page, id);
    });
  });
