/** The sections of the settings: each has an address, and keys of models are stored, tried, removed, and never shown. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { complaintsOf, createSession, ON_DOUBLE, openStage, type Stage, shot } from './browser';

describe.runIf(ON_DOUBLE)('settings', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await openStage();
  });
  afterAll(() => stage?.close());

  test('a key is stored, tried and removed, and is never on the page', async () => {
    const page = await stage.page();
    await page.goto(stage.url);
    await page.getByRole('link', { name: 'Settings' }).click();
    const card = page.getByRole('listitem').filter({ hasText: 'OpenAI' });
    const remove = card.getByRole('button', { name: 'Remove the key for OpenAI' });
    await card.getByText('No key').or(remove).waitFor();
    // A first try may have left one.
    if (await remove.isVisible()) await remove.click();
    await card.getByText('No key').waitFor();
    await card.getByRole('button', { name: 'Set key for OpenAI' }).click();
    const field = card.getByLabel('Key for OpenAI', { exact: true });
    await expect.poll(() => field.getAttribute('type')).toBe('password');
    await field.fill('short');
    await card.getByRole('button', { name: 'Store' }).click();
    await card.getByText('fewer than 8 characters').waitFor();
    await field.fill('sk-canary-wrong');
    await card.getByRole('button', { name: 'Store' }).click();
    await card.getByText('refused with 401').waitFor();
    await card.getByRole('button', { name: 'Replace the key for OpenAI' }).click();
    await field.fill('sk-canary-right');
    await card.getByRole('button', { name: 'Store' }).click();
    await card.getByText('It works: 1 model.').waitFor();
    await shot(page, 'settings');
    expect(await page.content()).not.toContain('sk-canary');

    await page.goto(`${stage.url}/new`);
    await page.locator('datalist option[value="gpt-5.1"]').waitFor({ state: 'attached' });
    await page.locator('datalist option[value="local/llama3"]').waitFor({ state: 'attached' });
    await page.getByLabel('Model').fill('anything-else');

    await page.goto(`${stage.url}/settings`);
    await remove.click();
    await card.getByText('No key').waitFor();
    // The browser itself tells of the answers that were refused.
    expect(complaintsOf(page).filter((text) => !text.includes('400'))).toEqual([]);
  });

  test('an upstream of the configuration stands among the others', async () => {
    const page = await stage.page();
    await page.goto(`${stage.url}/settings`);
    const card = page.getByRole('list', { name: 'Keys' }).getByRole('listitem').filter({ hasText: 'local' });
    await card.getByText('Asked without a key').waitFor();
    await card.getByRole('button', { name: 'Test local' }).click();
    await card.getByText('It works: 1 model.').waitFor();
    await page.getByText('[models.compatible.local]').waitFor();
    expect(complaintsOf(page)).toEqual([]);
  });

  test('sections are gone to by their links, their addresses and the palette', async () => {
    const page = await stage.page();
    await page.goto(`${stage.url}/settings`);
    await page.getByRole('heading', { name: 'Models', level: 2 }).waitFor();
    const sections = page.getByRole('navigation', { name: 'Sections' });
    for (const title of ['Agents', 'Repositories', 'Budgets', 'Guards', 'Sandboxes', 'Audit log', 'Models']) {
      await sections.getByRole('link', { name: title }).click();
      await page.getByRole('heading', { name: title, level: 2 }).waitFor();
    }
    await page.goto(`${stage.url}/settings/nowhere`);
    await page.getByText('There is no such section').waitFor();
    await page.keyboard.press('Control+k');
    await page.keyboard.type('settings: ag');
    await page.keyboard.press('Enter');
    await page.getByRole('list', { name: 'Agents' }).getByText('lamplight agents install codex').waitFor();
    await sections.getByRole('link', { name: 'Repositories' }).click();
    const stats = page.getByRole('list', { name: 'Repositories' }).getByRole('listitem').filter({ hasText: '/stats' });
    await stats.getByText('docs.example.com, *.example.org').waitFor();
    await stats.getByText('$50.00').waitFor();
    expect(complaintsOf(page)).toEqual([]);
  });

  test('an address is told, tried, told again and removed', async () => {
    const page = await stage.page();
    await page.goto(`${stage.url}/settings/hooks`);
    await page.getByText('No address is told anything.').waitFor();
    await page.getByLabel('Address', { exact: true }).fill('http://ci.example.org/');
    await page.getByRole('button', { name: 'Add' }).click();
    await page.getByText('It does not begin with https://.').waitFor();
    await page.getByLabel('Address', { exact: true }).fill('https://ci.example.org/');
    await page.getByLabel('What it is told of').selectOption('What needs somebody');
    await page.getByRole('button', { name: 'Add' }).click();
    await page.getByText('whsec_').waitFor();
    const hook = page.getByRole('list', { name: 'Hooks' }).getByRole('listitem').first();
    await hook.getByText('person.needed, turn.failed, turn.tripped').waitFor();
    await hook.getByText('Disabled: nothing came through for a day').waitFor();
    await hook.getByRole('button', { name: 'Test' }).click();
    await hook.getByRole('status').getByText('it answered 500').waitFor();
    await hook.getByRole('button', { name: 'Deliveries' }).click();
    await hook.getByRole('list', { name: 'Deliveries' }).getByText('given up').waitFor();
    await hook.getByRole('button', { name: 'Try again' }).click();
    await hook.getByText('1 waiting, 0 given up').waitFor();
    await hook.getByRole('button', { name: 'Remove' }).click();
    await page.getByText('No address is told anything.').waitFor();
    expect(complaintsOf(page).filter((text) => !text.includes('400'))).toEqual([]);
  });

  test('the audit log tells who did what, and is filtered by its address', async () => {
    const page = await stage.page();
    await page.goto(`${stage.url}/settings`);
    const card = page.getByRole('listitem').filter({ hasText: 'Anthropic' });
    await card.getByRole('button', { name: 'Set key for Anthropic' }).click();
    await card.getByLabel('Key for Anthropic', { exact: true }).fill('short');
    await card.getByRole('button', { name: 'Store' }).click();
    await card.getByText('fewer than 8 characters').waitFor();
    await page.getByRole('link', { name: 'Audit log' }).click();
    const entries = page.getByRole('list', { name: 'Audit log' }).getByRole('listitem');
    await entries.filter({ hasText: 'anthropic' }).getByText('key_unusable').first().waitFor();
    const unused = entries.filter({ hasNotText: 'set_key' });
    await expect.poll(() => unused.count()).toBeGreaterThan(0);
    await page.getByLabel('Action').fill('set_key');
    await page.getByRole('button', { name: 'Find' }).click();
    await expect.poll(() => page.url()).toContain('action=set_key');
    await page.getByLabel('Outcome').selectOption('refused');
    await expect.poll(() => page.url()).toContain('outcome=refused');
    await expect.poll(() => unused.count()).toBe(0);
    await entries.getByText('key_unusable').first().waitFor();
    await page.reload();
    await entries.getByText('key_unusable').first().waitFor();
    await expect.poll(() => unused.count()).toBe(0);
    await page.getByLabel('Person').fill('Nobody of this name');
    await page.keyboard.press('Enter');
    await page.getByText('Nothing of this kind was asked for.').waitFor();
    expect(complaintsOf(page).filter((text) => !text.includes('400'))).toEqual([]);
  });

  test('sandboxes are told with what they use, and stopped from there', async () => {
    const page = await stage.page();
    await createSession(page, stage.url, 'slow');
    await page.locator('[data-kind=tool]').waitFor();
    await page.goto(`${stage.url}/settings/sandboxes`);
    const one = page.getByRole('list', { name: 'Sandboxes' }).getByRole('listitem');
    await one.getByText('300 MiB of 4 GiB').waitFor();
    await one.getByText('7 of 512').waitFor();
    // The second look tells how busy it was since the first.
    await one.getByText('0.25 of 2.00').waitFor();
    await shot(page, 'sandboxes');
    await one.getByRole('button', { name: 'Stop turn of slow' }).click();
    await one.getByRole('button', { name: 'Stop the sandbox of slow' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Stop sandbox' }).click();
    await page.getByText('There is no sandbox now.').waitFor();
    expect(complaintsOf(page)).toEqual([]);
  });
});
