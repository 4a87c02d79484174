/** What the agent asks a person: buttons and forms, by mouse, by keyboard and on a phone. */
import type { Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { accessible, complaintsOf, createSession, ON_DOUBLE, openStage, type Stage, shot } from './browser';
import { HAS_SERVER, OwnServer } from './server';

/** Longest wait for an agent to get somewhere. */
const AGENT_MS = 60_000;

const formOf = (page: Page): Locator => page.getByRole('form', { name: 'The agent asks' });
const answered = (page: Page, text: string | RegExp): Promise<void> =>
  page.locator('[data-kind=question]').getByText(text).first().waitFor();

async function fitsTheWindow(page: Page): Promise<void> {
  await expect.poll(() => page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth)).toBe(true);
}

describe.runIf(ON_DOUBLE)('on the double', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await openStage();
  });
  afterAll(() => stage?.close());

  test('a choice is buttons, and one of them is clicked', async () => {
    const page = await stage.page();
    await createSession(page, stage.url, 'Let me choose.', { permissions: 'ask' });
    const form = formOf(page);
    await form.getByText('How should this be released?').waitFor();
    await form.getByText(/Without an answer it is cancelled in/).waitFor();
    await page.locator('footer').getByText('Waiting for you', { exact: true }).first().waitFor();
    await accessible(page, 'question');
    await form.getByRole('button', { name: /^Beta/ }).click();
    await answered(page, /^Answered:.*Beta/);
    await page.locator('footer').getByText('Done', { exact: true }).first().waitFor();
    await accessible(page, 'question-answered');
    expect(complaintsOf(page)).toEqual([]);
  });

  test('with the keyboard: a button with a note, and a text instead of the buttons', async () => {
    const page = await stage.page();
    await createSession(page, stage.url, 'Let me choose.', { permissions: 'ask' });
    const form = formOf(page);
    await form.getByLabel('Other').focus();
    await page.keyboard.type('Not on a Friday.');
    await form.getByRole('button', { name: 'Send the answer' }).waitFor();
    await page.keyboard.press('Shift+Tab');
    await expect.poll(() => page.evaluate(() => document.activeElement?.textContent)).toContain('Beta');
    await page.keyboard.press('Enter');
    await answered(page, /^Answered:.*Beta · Not on a Friday\./);

    await createSession(page, stage.url, 'Let me choose.', { permissions: 'ask' });
    await form.getByLabel('Other').focus();
    await page.keyboard.type('Neither.');
    await page.keyboard.press('Enter');
    await answered(page, /^Answered:.*– Neither\./);
    expect(complaintsOf(page)).toEqual([]);
  });

  test('a question is declined, and ends with a stop', async () => {
    const page = await stage.page();
    await createSession(page, stage.url, 'Let me choose.', { permissions: 'ask' });
    await formOf(page).getByRole('button', { name: 'Decline' }).click();
    await answered(page, /^Question declined:/);
    await createSession(page, stage.url, 'Let me choose.', { permissions: 'ask' });
    await formOf(page).waitFor();
    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    await answered(page, /^Question cancelled:.*the turn was being stopped/);
    expect(complaintsOf(page)).toEqual([]);
  });

  test('nobody is asked where the policy asks nobody', async () => {
    const page = await stage.page();
    await createSession(page, stage.url, 'Let me choose.');
    await answered(page, /^Question cancelled:.*nobody is asked in this session/);
    expect(complaintsOf(page)).toEqual([]);
  });

  test('on a phone a form is filled in, refused with the reason, kept over a reload, and sent', async () => {
    const page = await stage.page({ width: 390, height: 844 });
    await createSession(page, stage.url, 'Show me the questionnaire.', { permissions: 'ask' });
    const form = formOf(page);
    const send = form.getByRole('button', { name: 'Send the answer' });
    // What the agent says is text, and what hides in it is seen.
    await form.getByText('A few things about the <b>release</b>.').waitFor();
    await form.getByText('\u27e8U+202E\u27e9').waitFor();
    await expect.poll(() => form.locator('b').count()).toBe(0);
    await accessible(page, 'questionnaire-phone');
    await fitsTheWindow(page);

    await send.click();
    await expect.poll(() => form.locator('input:invalid').count()).toBeGreaterThan(0);
    await form.getByRole('radio', { name: /Stable/ }).check();
    await form.getByRole('checkbox', { name: 'macOS' }).check();
    await form.getByLabel('Tell whom').fill('ada@example.org');
    await send.click();
    await form
      .getByRole('alert')
      .getByText(/at most 1 choices/)
      .waitFor();
    await shot(page, 'questionnaire-refused');
    await form.getByRole('checkbox', { name: 'Linux' }).uncheck();

    await page.reload();
    await expect.poll(() => form.getByLabel('Tell whom').inputValue()).toBe('ada@example.org');
    await expect.poll(() => form.getByRole('radio', { name: /Stable/ }).isChecked()).toBe(true);
    await send.click();
    await answered(page, /^Answered:.*Stable · macOS · ada@example\.org · Old ones to keep: 3 · Sign it: false/);
    await fitsTheWindow(page);
    // The browser itself tells of the refusal.
    expect(complaintsOf(page).filter((line) => !line.includes('400'))).toEqual([]);
  });
});

describe.runIf(HAS_SERVER)('with the scripted agent', () => {
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

  test('an agent hears what was clicked', async () => {
    const oneOf = [
      { const: 'l', title: 'Left' },
      { const: 'r', title: 'Right' },
    ];
    const way = { type: 'string', oneOf };
    const requestedSchema = { type: 'object', properties: { way }, required: ['way'] };
    const page = await stage.page();
    await page.goto(`${server.url}/new`);
    await page.getByLabel('Task').fill(`!ask-form ${JSON.stringify({ message: 'Which way?', requestedSchema })}`);
    await page.getByLabel('Repository', { exact: false }).first().fill(server.repository);
    await page.getByText('More', { exact: true }).click();
    await page.getByLabel('Permission requests').selectOption('ask');
    await page.getByRole('button', { name: 'Start session' }).click();
    await page.waitForURL(/\/sessions\//);
    const right = formOf(page).getByRole('button', { name: 'Right' });
    await right.waitFor({ timeout: AGENT_MS });
    await page.reload();
    await right.click();
    await answered(page, /^Answered:.*Right/);
    await page.getByText('Answer: accept {"way":"r"}.').waitFor({ timeout: AGENT_MS });
    expect(complaintsOf(page)).toEqual([]);
  });
});
