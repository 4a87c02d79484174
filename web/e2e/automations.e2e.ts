/** Sessions that begin by themselves, against a real server. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { accessible, complaintsOf, openStage, type Stage, shot } from './browser';
import { HAS_SERVER, OwnServer } from './server';

describe.runIf(HAS_SERVER)('automations', () => {
  let server: OwnServer;
  let stage: Stage;
  beforeAll(async () => {
    server = await OwnServer.start();
    stage = await openStage([server.url]);
  });
  afterAll(async () => {
    await stage?.close();
    await server?.close();
  });

  test('one is made, refused where it cannot be, run, paused and removed', async () => {
    const page = await stage.page();
    await page.goto(`${server.url}/settings/automations`);
    await page.getByText('Nothing begins by itself yet.').waitFor();
    await page.getByRole('button', { name: 'New automation' }).click();
    await page.getByLabel('Name', { exact: true }).fill('Nightly');
    await page.getByLabel('Repository').fill(server.repository);
    await page.getByLabel('What is to be done each time').fill('!say Done.');
    await page.getByLabel('Cron expression').fill('0 0 30 2 *');
    await page.getByLabel('Time zone').fill('Europe/Berlin');
    await accessible(page, 'automation');
    await page.getByRole('button', { name: 'Add', exact: true }).click();
    await page.getByText('no moment is ever as').waitFor();
    await page.getByLabel('Cron expression').fill('0 3 * * *');
    await page.getByRole('button', { name: 'Add', exact: true }).click();
    await page.getByText('0 3 * * * by the clocks of Europe/Berlin').waitFor();
    await page.getByRole('button', { name: 'Run now: Nightly' }).click();
    const runs = page.getByRole('list', { name: 'Runs: Nightly' });
    await runs.getByText('done').waitFor();
    await shot(page, 'automations');
    await page.getByRole('button', { name: 'Pause: Nightly' }).click();
    await page.getByText('paused it').waitFor();
    await page.getByRole('button', { name: 'Resume: Nightly' }).click();
    await page.getByRole('button', { name: 'Pause: Nightly' }).waitFor();
    await runs.getByRole('link', { name: 'session' }).click();
    await page.getByRole('heading', { name: 'Nightly' }).waitFor();
    await page.goto(`${server.url}/settings/automations`);
    await page.getByRole('button', { name: 'Remove: Nightly' }).click();
    await page.getByText('Nothing begins by itself yet.').waitFor();
    // The refusal above is one that the browser logs.
    expect(complaintsOf(page).filter((complaint) => !complaint.includes('400'))).toEqual([]);
  });
});
