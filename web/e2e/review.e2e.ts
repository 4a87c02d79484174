/** The pull request beside its session. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { complaintsOf, createSession, ON_DOUBLE, openStage, PROMPTS, type Stage, shot } from './browser';

describe.runIf(ON_DOUBLE)('a pull request', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await openStage();
  });
  afterAll(() => stage?.close());

  test('is opened, seen as it stands, made ready and closed beside the session', async () => {
    const page = await stage.page();
    await createSession(page, stage.url, PROMPTS.fix);
    await page.getByRole('button', { name: 'Pull request', exact: true }).click();
    await page.getByRole('button', { name: 'Publish' }).click();
    await page.getByRole('button', { name: 'Draft #7' }).click();
    const drawer = page.getByRole('region', { name: 'Pull request', exact: true });
    await drawer.getByText('1 running, 3 passed').waitFor();
    for (const text of ['Draft', 'no conflicts', 'grace']) await drawer.getByText(text, { exact: true }).waitFor();
    expect(page.url()).toContain('drawer=review');
    await shot(page, 'review');
    await drawer.getByRole('button', { name: 'Mark ready' }).click();
    await drawer.getByText('Open', { exact: true }).waitFor();
    await page.getByRole('button', { name: '#7', exact: true }).waitFor();
    await drawer.getByRole('button', { name: 'Update branch' }).click();
    await page.getByText('brought the branch up to date, to bbbbbbbb').waitFor();
    await drawer.getByRole('button', { name: 'Close', exact: true }).last().click();
    await drawer.getByText('Closed', { exact: true }).waitFor();
    await expect.poll(() => drawer.getByRole('link').getAttribute('href')).toBe('https://github.com/acme/stats/pull/7');
    await page.setViewportSize({ width: 390, height: 844 });
    await shot(page, 'review-phone');
    await page.keyboard.press('g');
    await drawer.waitFor({ state: 'detached' });
    expect(complaintsOf(page)).toEqual([]);
  });
});
