/**
 * Whatever happens between the page and the server, what the page shows is in the end what a fresh load of everything shows:
 * compared as the reducer has it, item for item. Against a real server, which is killed in between.
 */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startCutter } from '../dev/cutter.mjs';
import { complaintsOf, loadAll, openStage, type Stage, shot, shown } from './browser';
import { HAS_SERVER, OwnServer, until } from './server';

/** Cuts in one turn. */
const CUTS = 6;
/** Tool calls while the page is offline; each is two entries. */
const CALLS = 600;

describe.runIf(HAS_SERVER)('the same as a fresh load', () => {
  let server: OwnServer;
  let stage: Stage;
  let cutter: Awaited<ReturnType<typeof startCutter>>;
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

  const fresh = async (id: string) => {
    const page = await stage.page();
    await page.goto(`${server.url}/sessions/${id}`);
    await page.locator('[data-kind=kept]').last().waitFor();
    return page;
  };

  /** Each page, once it has all of the log, against one that has only just come. */
  async function expectSame(id: string, ...pages: Page[]): Promise<void> {
    const other = await fresh(id);
    const { last_seq: last } = (await server.get(`/sessions/${id}`)) as { last_seq: number };
    for (const page of [other, ...pages]) {
      await until('the page has all', async () => (await shown(page)).last === last);
      await loadAll(page);
    }
    const wanted = await shown(other);
    expect(wanted.first).toBe(1);
    expect(new Set(wanted.items.map(({ key }) => key)).size).toBe(wanted.items.length);
    for (const page of pages) {
      // The phase is asked for once more after the last entry.
      await expect.poll(async () => (await shown(page)).facts).toEqual(wanted.facts);
      expect(await shown(page)).toEqual(wanted);
      await expect.poll(() => onPage(page)).toEqual(await onPage(other));
    }
    await other.close();
  }

  test('connections cut, the server killed, a thousand entries missed, two tabs', async () => {
    const id = await server.create('!think Let me see\n!stream 300 10\n!call 3 shell list');
    const page = await stage.page();
    await page.goto(`${cutter.url}/sessions/${id}`);
    for (let cut = 0; cut < CUTS; cut += 1) {
      const { last } = await shownSoon(page);
      cutter.cut();
      await until('more entries', async () => (await shown(page)).last > last || (await over(1)));
    }
    await server.done(id, 1);
    await expectSame(id, page);

    // The agent goes on while there is no server.
    await server.post(`/sessions/${id}/prompts`, { text: '!say Again\n!stream 400 10\n!say That was all' });
    await until('the turn runs', async () =>
      (await shown(page)).items.some((item) => item.kind === 'message' && item.turn === 2),
    );
    await server.kill();
    await page.locator('[data-connection=reconnecting]').waitFor();
    await shot(page, 'server-killed');
    await server.serve();
    await server.done(id, 2);
    await expectSame(id, page);

    await page.context().setOffline(true);
    cutter.refusing = true;
    cutter.cut();
    await page.locator('[data-connection=offline]').waitFor();
    const before = (await shown(page)).last;
    await server.post(`/sessions/${id}/prompts`, { text: `!call ${CALLS} shell look\n!say Done` });
    await server.done(id, 3);
    cutter.refusing = false;
    await page.context().setOffline(false);
    await until('the page has more', async () => (await shown(page)).last > before);
    await expectSame(id, page);
    expect((await shown(page)).last - before).toBeGreaterThan(1_000);

    // One that has been here all the time, one that comes in the middle of a turn.
    await server.post(`/sessions/${id}/prompts`, { text: '!stream 200 10\n!call 5 shell both' });
    await until('the turn runs', async () =>
      (await shown(page)).items.some((item) => item.kind === 'message' && item.turn === 4),
    );
    const second = await stage.page();
    await second.goto(`${cutter.url}/sessions/${id}`);
    await second.locator('[data-connection=connected]').waitFor();
    cutter.cut();
    await server.done(id, 4);
    await expectSame(id, page, second);
    for (const one of [page, second]) expect(complaintsOf(one, { cut: true })).toEqual([]);

    async function over(turn: number): Promise<boolean> {
      const view = (await server.get(`/sessions/${id}`)) as { phase: string; turn: number };
      return view.turn >= turn && view.phase === 'done';
    }
  });

  test('a queued prompt is changed and taken back, and the agent gets what it said last', async () => {
    const id = await server.create('!say begun\n!hang');
    const page = await stage.page();
    await page.goto(`${server.url}/sessions/${id}`);
    await page.locator('[data-kind=message]').waitFor();
    const box = page.getByLabel('Follow-up', { exact: true });
    for (const text of ['!say first', '!say second']) {
      await box.fill(text);
      await box.press('Enter');
      await page.getByRole('region', { name: 'Queued prompts' }).getByText(text).waitFor();
    }
    await page.getByRole('button', { name: 'Edit queued prompt: !say first' }).click();
    const editor = page.getByLabel('Text of the queued prompt');
    await editor.fill('!say changed');
    await shot(page, 'queue-edit');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('region', { name: 'Queued prompts' }).getByText('!say changed').waitFor();
    await page.getByRole('button', { name: 'Remove queued prompt: !say second' }).click();
    await page.getByText('!say second').waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.locator('[data-kind=message]').getByText('changed').waitFor();
    await server.done(id, 2);
    await expectSame(id, page);
    expect(complaintsOf(page)).toEqual([]);
  });
});

/** Once the page has something. */
async function shownSoon(page: Page) {
  await page.locator('[data-kind]').first().waitFor();
  return shown(page);
}

/** What is really drawn, without what is under the pointer or depends on the clock. */
function onPage(page: Page): Promise<string[]> {
  return page
    .locator('[data-kind]')
    .evaluateAll((items) => items.map((item) => `${item.id} ${item.getAttribute('data-kind')} ${item.textContent}`));
}
