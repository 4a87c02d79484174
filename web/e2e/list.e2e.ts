/** The list of sessions and the palette, as a person with a keyboard uses them, against a real server. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { complaintsOf, openStage, type Stage, shot } from './browser';
import { HAS_SERVER, OwnServer, TEMPLATE } from './server';

const TITLES = ['Paint the fence', 'Mend the roof', 'Sweep the yard', 'Oil the gate'];

describe.runIf(HAS_SERVER)('the list', () => {
  let server: OwnServer;
  let stage: Stage;
  const ids: string[] = [];
  beforeAll(async () => {
    server = await OwnServer.start();
    stage = await openStage([server.url]);
    for (const title of TITLES) ids.push(await server.create(`!say I will: xylophone-${title.length}`, { title }));
    for (const id of ids) await server.done(id, 1);
  });
  afterAll(async () => {
    await stage?.close();
    await server?.close();
  });

  test('filters, groups and full text', async () => {
    const page = await stage.page();
    await page.goto(server.url);
    await expect.poll(() => titles(page)).toEqual([...TITLES].reverse());
    await page.getByRole('heading', { name: 'Today' }).waitFor();
    await page.getByLabel('Group by').selectOption('By phase');
    await page.getByRole('heading', { name: 'Done' }).waitFor();
    await page.getByRole('button', { name: 'Mine' }).click();
    await expect.poll(() => titles(page)).toEqual([...TITLES].reverse());
    await page.getByLabel('Phase').selectOption('Failed');
    await page.getByText('No session fits this filter.').waitFor();
    await page.getByLabel('Phase').selectOption('All phases');
    // What the agent said, which no title has.
    await page.keyboard.press('/');
    await page.keyboard.type('xylophone-12');
    await expect.poll(() => titles(page)).toEqual(['Oil the gate']);
    expect(page.url()).toContain('q=xylophone-12');
    await page.reload();
    await expect.poll(() => titles(page)).toEqual(['Oil the gate']);
    expect(complaintsOf(page)).toEqual([]);
  });

  test('several are put aside at once, and another window sees it', async () => {
    const page = await stage.page();
    const other = await stage.page();
    for (const one of [page, other]) {
      await one.goto(server.url);
      await expect.poll(() => titles(one)).toHaveLength(TITLES.length);
    }
    for (const key of ['j', 'x', 'j', 'x']) await page.keyboard.press(key);
    await page.getByRole('status').getByText('2 chosen').waitFor();
    await shot(page, 'list-chosen');
    await page.keyboard.press('e');
    for (const one of [page, other]) {
      await expect.poll(() => titles(one)).toEqual(['Mend the roof', 'Paint the fence']);
    }
    await other.getByRole('button', { name: 'Archived' }).click();
    await expect.poll(() => titles(other)).toEqual(['Oil the gate', 'Sweep the yard']);
    await other.getByRole('checkbox', { name: 'Choose Oil the gate' }).check();
    await other.getByRole('button', { name: 'Put back' }).click();
    await expect.poll(() => titles(page)).toEqual(['Oil the gate', 'Mend the roof', 'Paint the fence']);

    const running = await server.create('!say working\n!hang', { title: 'Something long' });
    await expect.poll(() => titles(page)).toContain('Something long');
    const row = page.getByRole('link', { name: /Something long/ });
    await row.getByText('Planning').first().waitFor();
    await page.getByRole('checkbox', { name: 'Choose Something long' }).check();
    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    await row.getByText('Paused').first().waitFor();
    expect(((await server.get(`/sessions/${running}`)) as { phase: string }).phase).toBe('paused');
    for (const one of [page, other]) expect(complaintsOf(one)).toEqual([]);
  });

  test('the palette goes to sessions and does things', async () => {
    const page = await stage.page();
    await page.goto(server.url);
    await page.getByRole('link', { name: /Mend the roof/ }).waitFor();
    await page.keyboard.press('Control+k');
    await page.keyboard.type('roof');
    await page.getByRole('option', { name: /Mend the roof/ }).waitFor();
    await shot(page, 'palette');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/sessions\//);
    await page.locator('[data-kind=message]').waitFor();
    await page.keyboard.press('Control+k');
    await page.keyboard.type('find');
    await page.keyboard.press('Enter');
    await page.getByRole('textbox', { name: 'Find in the log' }).waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.press('Control+k');
    await page.keyboard.type('new ses');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/new/);
    await page.keyboard.press('Control+k');
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    expect(complaintsOf(page)).toEqual([]);
  });

  test('a task begins with what its repository offers, within the bounds that were chosen', async () => {
    const page = await stage.page();
    await page.goto(`${server.url}/new`);
    const repository = page.getByLabel('Repository', { exact: false }).first();
    const offered = page.getByRole('button', { name: /template/ });
    // Asked once more where a busy machine did not answer in time.
    for (let time = 0; time < 3 && (await offered.count()) === 0; time += 1) {
      await repository.fill('');
      await repository.fill(server.repository);
      await offered.waitFor({ timeout: 10_000 }).catch(() => {});
    }
    await offered.click();
    const task = page.getByLabel('Task');
    await expect.poll(() => task.inputValue()).toBe(TEMPLATE);
    await task.pressSequentially('nothing at all');
    await expect.poll(() => page.getByRole('button', { name: /template/ }).count()).toBe(0);
    await page.getByText('More', { exact: true }).click();
    await page.getByLabel('Network').selectOption('Only these hosts');
    await page.getByLabel('Hosts').fill('docs.example.com, *.example.org');
    await page.getByLabel('Budget in dollars, at most').fill('2.50');
    await page.getByText('The repository is ready').waitFor();
    await shot(page, 'new-bounds');
    await page.getByRole('button', { name: 'Start session' }).click();
    await page.locator('[data-kind=message]').getByText('What is wrong: nothing at all').waitFor();
    const id = new URL(page.url()).pathname.split('/').at(-1) ?? '';
    await server.done(id, 1);
    expect(await server.get(`/sessions/${id}`)).toMatchObject({
      network: { policy: 'allowlist', hosts: ['docs.example.com', '*.example.org'] },
      budget_micros: 2_500_000,
    });
    expect(complaintsOf(page)).toEqual([]);
  });
});

function titles(page: Page): Promise<string[]> {
  return page
    .getByRole('list', { name: 'Sessions' })
    .getByRole('link')
    .evaluateAll((links) => links.map((link) => link.querySelector('.font-medium')?.textContent ?? ''));
}
