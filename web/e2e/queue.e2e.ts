/** Sessions that wait for a sandbox, against a real server that has room for one. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { accessible, complaintsOf, openStage, type Stage, shot } from './browser';
import { HAS_SERVER, OwnServer } from './server';

describe.runIf(HAS_SERVER)('the queue', () => {
  let server: OwnServer;
  let stage: Stage;
  beforeAll(async () => {
    server = await OwnServer.start(undefined, 1);
    stage = await openStage([server.url]);
  });
  afterAll(async () => {
    await stage?.close();
    await server?.close();
  });

  test('who waits sees its place, and is put before others or taken back', async () => {
    await server.create('!hang', { title: 'Hold the place' });
    const first = await server.create('!say first', { title: 'Paint the fence' });
    await server.create('!say second', { title: 'Mend the roof' });
    const page = await stage.page();
    await page.goto(`${server.url}/sessions/${first}`);
    await page.getByText('1. in the queue, about 5 min').waitFor();
    await page.getByText('the only sandbox is in use').waitFor();
    await shot(page, 'queued');

    await page.goto(`${server.url}/settings/queue`);
    const rows = page.getByRole('list', { name: 'Sessions that wait for a sandbox' }).getByRole('listitem');
    const titles = () => rows.getByRole('link').allInnerTexts();
    await expect.poll(titles).toEqual(['Paint the fence', 'Mend the roof']);
    await page.getByText('Taken: 1 of 1 sandbox.').waitFor();
    await accessible(page, 'queue');
    await page.getByRole('button', { name: 'Before others: Mend the roof' }).click();
    await expect.poll(titles).toEqual(['Mend the roof', 'Paint the fence']);
    await rows.first().getByText('priority +1').waitFor();
    await page.getByRole('button', { name: 'Take back what was asked of: Mend the roof' }).click();
    await expect.poll(titles).toEqual(['Paint the fence']);
    await page.goto(`${server.url}/sessions/${first}`);
    await page.getByText('1. in the queue, about').waitFor();
    expect(complaintsOf(page)).toEqual([]);
  });
});
