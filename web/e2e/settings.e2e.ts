/** Keys of models: stored, tried, removed, and never shown; and the models that come of them. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { complaintsOf, ON_DOUBLE, openStage, type Stage, shot } from './browser';

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
    await card.getByText('No key').waitFor();
    await card.getByRole('button', { name: 'Set the key for OpenAI' }).click();
    const field = card.getByLabel('Key for OpenAI', { exact: true });
    expect(await field.getAttribute('type')).toBe('password');
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
    await page.getByLabel('Model').fill('anything-else');

    await page.goto(`${stage.url}/settings`);
    await card.getByRole('button', { name: 'Remove the key for OpenAI' }).click();
    await card.getByText('No key').waitFor();
    // The browser itself tells of the answers that were refused.
    expect(complaintsOf(page).filter((text) => !text.includes('400'))).toEqual([]);
  });
});
