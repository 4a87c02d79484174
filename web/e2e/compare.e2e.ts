/** Attempts at one task side by side, against a real server, of which one is taken. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { accessible, complaintsOf, openStage, type Stage, shot } from './browser';
import { HAS_SERVER, OwnServer } from './server';

const TASK = '!write src/deep/er/a.txt one\n!write notes.md Notes of what was found.\n!say The list is sorted now.';

describe.runIf(HAS_SERVER)('attempts at one task', () => {
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

  test('are begun in the form, stand side by side, and one of them is taken', async () => {
    const page = await stage.page();
    await page.goto(`${server.url}/new`);
    await page.getByLabel('Task').fill(TASK);
    await page.getByLabel('Repository', { exact: false }).first().fill(server.repository);
    await page.getByText('More', { exact: true }).click();
    await page.getByLabel('Attempts', { exact: false }).selectOption('3');
    await page.getByLabel('Model of attempt 2').fill('large');
    await shot(page, 'attempts-form');
    await page.getByRole('button', { name: 'Start session' }).click();
    await page.waitForURL(/\/compare\//);

    const cards = page.getByRole('list', { name: 'Attempts' }).getByRole('listitem');
    await expect.poll(() => cards.count()).toBe(3);
    // They come to their ends while somebody looks.
    for (const number of [1, 2, 3]) {
      const card = page.getByRole('listitem', { name: `Attempt ${number}`, exact: true });
      await card.getByText('Done').waitFor();
      await card.getByText('The list is sorted now.').waitFor();
      await card.getByText('2 files').waitFor();
    }
    await page.getByRole('listitem', { name: 'Attempt 2' }).getByText('large').waitFor();
    await page.getByRole('button', { name: 'Changes of attempt 2, below' }).click();
    const changes = page.getByRole('region', { name: 'Changes of attempt 2' });
    await changes.getByText('Notes of what was found.').waitFor();
    await accessible(page, 'compare');
    await page.setViewportSize({ width: 390, height: 844 });
    await shot(page, 'compare-phone');
    await page.setViewportSize({ width: 1440, height: 900 });

    // Another person is faster with another one.
    const ids = (await server.get('/sessions')) as { items: { id: string; attempts: { number: number } }[] };
    const third = ids.items.find(({ attempts }) => attempts.number === 3)?.id ?? '';
    await page.getByRole('button', { name: 'Take this one: attempt 2' }).click();
    await page.getByText('The other 2 attempts are stopped and ended.').waitFor();
    await shot(page, 'compare-sure');
    await server.post(`/sessions/${third}/take`);
    await page.getByRole('dialog').getByRole('button', { name: 'Take this one' }).click();
    await page.getByText('Ada has taken attempt 3 already').waitFor();
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
    const taken = page.getByRole('listitem', { name: 'Attempt 3' });
    await taken.getByText('Taken by Ada').waitFor();
    await expect.poll(() => page.getByText('Left', { exact: true }).count()).toBe(2);
    expect(await page.getByRole('button', { name: /^Take this one/ }).count()).toBe(0);
    await shot(page, 'compare-taken');

    await page.getByRole('link', { name: 'Open attempt 1' }).click();
    await page.getByText('Ada ended the session').waitFor();
    await page.getByRole('link', { name: 'attempt 1 of 3' }).click();
    await taken.waitFor();
    const own = complaintsOf(page).filter((line) => !line.includes('409'));
    expect(own).toEqual([]);
  });
});
