/** A session from the form to the merge, as a person goes through it. Runs against the double and the real server alike. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { complaintsOf, createSession, openStage, PROMPTS, type Stage, shot, shown, timelineText } from './browser';

/** Longest wait for an agent to get somewhere. */
const AGENT_MS = 60_000;

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage?.close());

const phase = (page: Page, word: string) => page.locator('footer').getByText(word, { exact: true }).first();

test('create, watch, reload in the middle, review, merge', async () => {
  const page = await stage.page();
  await createSession(page, stage.url, PROMPTS.fix);
  await page.getByText(PROMPTS.fix).last().waitFor();
  await page.locator('[data-connection=connected]').waitFor();
  await page.locator('[data-kind=tool]').first().waitFor({ timeout: AGENT_MS });
  await shot(page, 'running');
  const before = await timelineText(page);

  await page.reload();
  await page.locator('[data-kind=tool]').first().waitFor();
  const after = await timelineText(page);
  expect(after.length).toBeGreaterThanOrEqual(before.length);
  expect(after.map((line) => line.split(' ')[0]).slice(0, before.length)).toEqual(
    before.map((line) => line.split(' ')[0]),
  );

  await page.locator('[data-kind=commit]').waitFor({ timeout: AGENT_MS });
  await phase(page, 'Done').waitFor();
  await page.locator('[data-kind=kept] button').waitFor();
  const live = await timelineText(page);
  await shot(page, 'done');
  await page.reload();
  await page.locator('[data-kind=kept] button').waitFor();
  await expect.poll(() => timelineText(page)).toEqual(live);

  // A tool call opens to what went in and came out.
  const call = page.locator('[data-kind=tool] button[aria-expanded]').first();
  await call.click();
  await expect.poll(() => call.getAttribute('aria-expanded')).toBe('true');
  await page.locator('[data-kind=tool] pre').first().waitFor();

  await page.keyboard.press('G');
  await page.locator('[data-kind=commit] button').click();
  const changes = page.getByRole('region', { name: 'Changes', exact: true });
  await changes.getByText(/files? changed/).waitFor();
  await changes.locator('td', { hasText: /\S/ }).first().waitFor();
  await shot(page, 'changes');
  await changes.getByLabel('Changes of', { exact: true }).selectOption({ label: 'Whole branch' });
  await changes.getByText(/files? changed/).waitFor();
  await page.getByRole('button', { name: 'Close changes' }).click();

  await page.getByRole('button', { name: 'Merge', exact: true }).click();
  const dialog = page.getByRole('dialog');
  await shot(page, 'merge');
  await dialog.getByRole('button', { name: 'Merge' }).click();
  await page.getByText(/^Merged into/).waitFor();
  await page.locator('[data-kind=merged]').waitFor();
  expect(complaintsOf(page)).toEqual([]);
});

test('go back to what was kept, and fork it', async () => {
  const page = await stage.page();
  const id = await createSession(page, stage.url, PROMPTS.fix);
  await page.locator('[data-kind=kept] button').waitFor({ timeout: AGENT_MS });
  await page.getByLabel('Follow-up', { exact: true }).fill(PROMPTS.fix);
  await page.keyboard.press('Control+Enter');
  const allKept = async () => (await shown(page)).items.filter((item) => item.kind === 'kept');
  await expect.poll(async () => (await allKept()).length, { timeout: AGENT_MS }).toBe(2);

  // By the link to its entry: it may be far above what is on the page.
  const [kept] = await allKept();
  const first = page.locator(`[id=${kept?.key}]`);
  await page.goto(`${stage.url}/sessions/${id}?at=${kept?.seq}`);
  await first.hover();
  await shot(page, 'kept');
  await first.getByRole('button', { name: 'Go back to here' }).click();
  const dialog = page.getByRole('dialog');
  await shot(page, 'go-back');
  await dialog.getByRole('button', { name: 'Go back', exact: true }).click();
  await dialog.waitFor({ state: 'detached' });
  await page.keyboard.press('G');
  await page.getByText('Files, conversation and commits are those of checkpoint 1').waitFor();
  await phase(page, 'Done').waitFor();

  await page.goto(`${stage.url}/sessions/${id}?at=${kept?.seq}`);
  await first.hover();
  await first.getByRole('link', { name: 'Fork' }).click();
  await page.getByText(/at checkpoint 1, on a branch of its own/).waitFor();
  await shot(page, 'fork');
  await page.getByLabel('Task').fill(PROMPTS.fix);
  await page.getByRole('button', { name: 'Start session' }).click();
  await page.waitForURL(/\/sessions\//);
  await page.locator('[data-kind=kept]').first().waitFor({ timeout: AGENT_MS });
  await phase(page, 'Done').waitFor();
  expect(complaintsOf(page)).toEqual([]);
});

test('follow up while a turn runs, take one back, stop', async () => {
  const page = await stage.page();
  await createSession(page, stage.url, PROMPTS.slow);
  await page.locator('[data-kind=tool]').first().waitFor({ timeout: AGENT_MS });
  const box = page.getByLabel('Follow-up', { exact: true });
  await box.fill('And then the fast one.');
  await box.press('Enter');
  const queue = page.getByRole('region', { name: 'Queued prompts' });
  await queue.getByText('And then the fast one.').waitFor();
  await expect.poll(() => box.inputValue()).toBe('');
  await box.fill('No, not this one.');
  await box.press('Enter');
  await queue.getByText('No, not this one.').waitFor();
  await shot(page, 'queued');
  await page.reload();
  await queue.getByText('No, not this one.').waitFor();
  for (const text of ['No, not this one.', 'And then the fast one.']) {
    await queue.getByRole('button', { name: `Remove queued prompt: ${text}` }).click();
    await queue.getByText(text).waitFor({ state: 'detached' });
  }
  const stop = page.getByRole('button', { name: 'Stop' });
  await stop.click();
  await phase(page, 'Paused').waitFor();
  await page.locator('[data-kind=ending]').waitFor();
  await expect.poll(() => stop.isDisabled()).toBe(true);
  await shot(page, 'stopped');
  expect(complaintsOf(page)).toEqual([]);
});

test('a connection that is cut comes back, and what happened meanwhile is there once', async () => {
  const page = await stage.page();
  const id = await createSession(page, stage.cutter.url, PROMPTS.fix);
  await page.locator('[data-kind=tool]').first().waitFor({ timeout: AGENT_MS });
  stage.cutter.refusing = true;
  stage.cutter.cut();
  await page.locator('[data-connection=reconnecting]').waitFor();
  await shot(page, 'reconnecting');
  // The session goes on without us: a page that is connected sees its end.
  const other = await stage.page();
  await other.goto(`${stage.url}/sessions/${id}`);
  await other.locator('[data-kind=commit]').waitFor({ timeout: AGENT_MS });
  stage.cutter.refusing = false;
  await page.locator('[data-kind=commit]').waitFor({ timeout: AGENT_MS });
  await phase(page, 'Done').waitFor();
  await phase(other, 'Done').waitFor();
  expect(await timelineText(page)).toEqual(await timelineText(other));
  expect(complaintsOf(page, { cut: true })).toEqual([]);
  expect(complaintsOf(other)).toEqual([]);
});

test('the list is live, and keys are enough', async () => {
  const page = await stage.page();
  await page.goto(stage.url);
  await page.getByRole('list', { name: 'Sessions' }).getByRole('link').first().waitFor();
  await shot(page, 'list');
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  await page.keyboard.press('k');
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/sessions\//);
  await page.locator('[data-kind]').first().waitFor();
  await page.keyboard.press('d');
  await page.getByRole('region', { name: 'Changes', exact: true }).waitFor();
  await page.keyboard.press('d');
  await page.keyboard.press('i');
  await expect.poll(() => page.evaluate(() => document.activeElement?.getAttribute('aria-label'))).toBe('Follow-up');
  await page.keyboard.press('Escape');
  await page.keyboard.press('?');
  await page.getByRole('dialog').getByText('Stop the turn').waitFor();
  await page.keyboard.press('Escape');
  await page.keyboard.press('u');
  await page.getByRole('button', { name: /theme/ }).waitFor();
  await page.keyboard.press('/');
  await page.keyboard.type('no session has this in it');
  await page.getByText('No session fits this filter.').waitFor();
  await page.keyboard.press('Escape');
  await page.keyboard.press('n');
  await page.waitForURL(/\/new/);
  expect(complaintsOf(page)).toEqual([]);
});

test('a task that is refused says why and what to do, where it was written', async () => {
  const page = await stage.page();
  await page.goto(`${stage.url}/new`);
  await page.getByLabel('Task').fill('anything');
  await page.getByLabel('Repository', { exact: false }).first().fill('not/a/repository');
  await page.getByRole('button', { name: 'Start session' }).click();
  await page.getByRole('alert').waitFor();
  await expect.poll(() => page.getByLabel('Task').inputValue()).toBe('anything');
  // The browser itself reports the refused request; the page must say nothing more.
  expect(complaintsOf(page).filter((line) => !line.includes('Failed to load resource'))).toEqual([]);
});
