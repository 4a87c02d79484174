/**
 * What a person does beside talking: attaching pictures, commenting on lines, seeing others. Against a real server of its own
 * with the scripted agent, because that has to do exactly what it is told.
 */
import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { complaintsOf, openStage, type Stage, shot } from './browser';
import { HAS_SERVER, OwnServer } from './server';

/** Longest wait for an agent to get somewhere. */
const AGENT_MS = 60_000;
/** A picture of four by four pixels, lamp-coloured. */
const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAQAAAAECAIAAAAmkwkpAAAAEUlEQVR42mO4sDQJjhiI4wAABKEdccI91zYAAAAASUVORK5CYII=',
  'base64',
);

let server: OwnServer;
let stage: Stage;

async function begin(page: Page, prompt: string): Promise<void> {
  await page.goto(`${server.url}/new`);
  await page.getByLabel('Task').fill(prompt);
  await page.getByLabel('Repository', { exact: false }).first().fill(server.repository);
}

async function start(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Start session' }).click();
  await page.waitForURL(/\/sessions\//);
}

/** Nothing that a person who does not see, or has no mouse, would stumble over. */
async function isAccessible(page: Page): Promise<void> {
  await page.evaluate(axe.source);
  const found = await page.evaluate(async () => {
    const { axe: checker } = window as unknown as { axe: typeof import('axe-core') };
    const results = await checker.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'best-practice'] });
    return results.violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html.slice(0, 160)).join(' | ')}`);
  });
  expect(found).toEqual([]);
}

describe.runIf(HAS_SERVER)('with the scripted agent', () => {
  beforeAll(async () => {
    server = await OwnServer.start();
    stage = await openStage([server.url]);
  });
  afterAll(async () => {
    await stage?.close();
    await server?.close();
  });

  test('a picture is pasted, survives a reload, is seen by the agent and shown in the timeline', async () => {
    const page = await stage.page();
    await begin(page, '!say done');
    await page.getByLabel('Task').focus();
    await page.evaluate(
      (bytes) => {
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(bytes)], 'shot.png', { type: 'image/png' }));
        document.activeElement?.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true }));
      },
      [...PNG],
    );
    await page
      .getByLabel('Files to attach')
      .setInputFiles([{ name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('a note') }]);
    const chosen = page.getByRole('list', { name: 'Attached files' });
    await chosen.getByText('notes.txt').waitFor();
    await chosen.locator('img').waitFor();
    await shot(page, 'attach-new');
    await isAccessible(page);
    await page.reload();
    await chosen.locator('img').waitFor();
    await expect.poll(() => page.getByLabel('Task').inputValue()).toBe('!say done');
    await page.getByLabel('Repository', { exact: false }).first().fill(server.repository);
    await start(page);
    await page.getByText(`I see image/png of ${PNG.length} bytes.`).waitFor({ timeout: AGENT_MS });
    await page.locator('[data-kind=prompt]').getByRole('button', { name: 'Open shot.png' }).click();
    const open = page.getByRole('dialog', { name: 'shot.png' });
    await open.locator('img').waitFor();
    await expect.poll(() => open.locator('img').evaluate((image: HTMLImageElement) => image.naturalWidth)).toBe(4);
    await shot(page, 'attach-open');
    await page.keyboard.press('Escape');
    await open.waitFor({ state: 'detached' });

    // The next prompt, with something too large beside it.
    await page.getByLabel('Files to attach').setInputFiles([
      { name: 'large.bin', mimeType: 'application/octet-stream', buffer: Buffer.alloc(10 * 1024 * 1024 + 1) },
      { name: 'again.png', mimeType: 'image/png', buffer: PNG },
    ]);
    await chosen.last().getByRole('alert').getByText('larger than 10 MiB').waitFor();
    await shot(page, 'attach-follow-up');
    await isAccessible(page);
    await page.getByRole('button', { name: 'Remove large.bin' }).click();
    await page.getByRole('button', { name: /the follow-up$/ }).click();
    await page.locator('[data-kind=prompt]').getByText('See the attached again.png.').waitFor({ timeout: AGENT_MS });

    // Dropped beside the box it is taken all the same, and the page stays.
    await page.evaluate(
      (bytes) => {
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File([new Uint8Array(bytes)], 'dropped.png', { type: 'image/png' }));
        const timeline = document.querySelector('[aria-label=Timeline]');
        for (const type of ['dragover', 'drop'])
          timeline?.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
      },
      [...PNG],
    );
    await page.getByRole('button', { name: 'Remove dropped.png' }).waitFor();
    expect(complaintsOf(page)).toEqual([]);
  });

  test('what is written and attached while a prompt is on its way is of the next one', async () => {
    const page = await stage.page();
    await begin(page, '!say done');
    await start(page);
    await page.locator('[data-kind=message]').getByText('done').waitFor({ timeout: AGENT_MS });
    let answer = () => {};
    const held = new Promise<void>((resolve) => {
      answer = resolve;
    });
    await page.route('**/prompts', async (route) => {
      const response = await route.fetch();
      await held;
      await route.fulfill({ response });
    });
    const box = page.getByRole('textbox', { name: 'Follow-up' });
    await box.fill('!say one');
    await box.press('Enter');
    await page.locator('[data-kind=message]').getByText('one', { exact: true }).waitFor({ timeout: AGENT_MS });
    await box.pressSequentially(' and the next');
    await page
      .getByLabel('Files to attach')
      .setInputFiles([{ name: 'later.txt', mimeType: 'text/plain', buffer: Buffer.from('later') }]);
    await page.getByRole('button', { name: 'Remove later.txt' }).waitFor();
    answer();
    await expect.poll(() => box.inputValue()).toBe('and the next');
    await page.getByRole('button', { name: 'Remove later.txt' }).waitFor();
    expect(complaintsOf(page)).toEqual([]);
  });

  test('comments on lines outlive a reload and become one prompt', async () => {
    const page = await stage.page();
    await begin(
      page,
      '!write src/deep/er/a.txt one TWO\n!run chmod +x readme.txt; ln -s /etc/passwd link; printf "x\\0y" > bin.dat; mv src/main.rs src/began.rs\n!say done',
    );
    await start(page);
    await page.locator('[data-kind=commit] button').click({ timeout: AGENT_MS });
    const changes = page.getByRole('region', { name: 'Changes', exact: true });
    await changes.getByText('Was an ordinary file, is executable').waitFor();
    await changes.getByText('Is a symbolic link').waitFor();
    await changes.getByText('A binary file.').waitFor();
    await changes.getByText('Renamed, content unchanged.').waitFor();
    await shot(page, 'changes-tree');

    const file = changes.getByRole('region', { name: 'src/deep/er/a.txt', exact: true });
    await file.getByRole('button', { name: 'Comment on line 1', exact: true }).click();
    await page.keyboard.type('Lower case, please.');
    await page.keyboard.press('Control+Enter');
    await file.getByRole('button', { name: 'Comment on line 2 as it was' }).click();
    await page.keyboard.type('Why is this gone');
    await shot(page, 'comments');
    await isAccessible(page);
    await page.reload();
    await file.getByText('Lower case, please.').waitFor();
    await expect.poll(() => file.getByRole('textbox').inputValue()).toBe('Why is this gone');
    await file.getByRole('button', { name: 'Keep' }).click();
    await changes.getByText('2 comments').waitFor();
    await changes.getByRole('button', { name: 'Send to the agent' }).click();
    await changes.getByRole('button', { name: 'Send to the agent' }).waitFor({ state: 'detached' });
    const prompt = page.locator('[data-kind=prompt]').last();
    await prompt.getByText('2 comments on your changes').waitFor({ timeout: AGENT_MS });
    expect(await prompt.locator('p').last().textContent()).toBe(
      '2 comments on your changes:\n\nsrc/deep/er/a.txt, line 1:\n> one TWO\nLower case, please.\n\n' +
        'src/deep/er/a.txt, line 2 of what was there before:\n> two\nWhy is this gone',
    );
    expect(complaintsOf(page)).toEqual([]);
  });

  test('whoever looks at the same session is seen', async () => {
    const page = await stage.page();
    await begin(page, '!say done');
    await start(page);
    await page.locator('[data-connection=connected]').waitFor();
    await expect.poll(() => page.locator('[data-people]').count()).toBe(0);
    const other = await stage.page();
    await other.goto(page.url());
    await page.locator('[data-people="2"]').waitFor();
    await other.locator('[data-people="2"]').getByText('Ada ×2').waitFor();
    await shot(page, 'people');
    await other.close();
    await page.locator('[data-people]').waitFor({ state: 'detached' });
    expect(complaintsOf(page)).toEqual([]);
  });

  test('cost and details say what there is', async () => {
    const page = await stage.page();
    await begin(page, '!say done');
    await start(page);
    await page.locator('[data-kind=ending]').waitFor({ timeout: AGENT_MS });
    await page.keyboard.press('c');
    await page.getByRole('region', { name: 'Cost' }).getByText('No model was asked anything so far.').waitFor();
    await shot(page, 'cost');
    await isAccessible(page);
    await page.keyboard.press('y');
    const details = page.getByRole('region', { name: 'Details' });
    await details.getByText(/^lamplight logs -f /).waitFor();
    await details.getByText('system calls').waitFor();
    await shot(page, 'details');
    await isAccessible(page);
    expect(complaintsOf(page)).toEqual([]);

    // The same on a phone, in the dark.
    const phone = await stage.page({ width: 390, height: 844, dark: true });
    for (const drawer of ['changes', 'files', 'cost', 'details']) {
      await phone.goto(`${page.url().split('?')[0]}?drawer=${drawer}`);
      await phone.locator('aside h2').waitFor();
      await shot(phone, `${drawer}-phone-dark`);
      await isAccessible(phone);
    }
    expect(complaintsOf(phone)).toEqual([]);
  });

  test('files of the sandbox are looked through, opened, uploaded and saved', async () => {
    const page = await stage.page();
    await begin(page, '!run ln -s /etc out; mkfifo pipe; printf "<script>window.ran=1</script>" > page.html');
    await start(page);
    await page.locator('[data-kind=kept]').waitFor({ timeout: AGENT_MS });
    await page.keyboard.press('f');
    const files = page.getByRole('region', { name: 'Files', exact: true });
    await files.getByRole('button', { name: 'src', exact: true }).click();
    await files.getByRole('button', { name: /^main\.rs/ }).click();
    await files.getByText('println!').waitFor();
    await shot(page, 'files-open');
    await isAccessible(page);
    await files.getByRole('button', { name: 'workspace', exact: true }).click();
    await expect.poll(() => files.getByRole('button', { name: /^pipe/ }).isDisabled()).toBe(true);
    await files.getByRole('button', { name: /^page\.html/ }).click();
    await files.getByText('<script>window.ran=1</script>').waitFor();
    await files.getByRole('button', { name: 'workspace', exact: true }).click();
    await files
      .getByLabel('Files to upload')
      .setInputFiles([{ name: 'picture.png', mimeType: 'image/png', buffer: PNG }]);
    await files.getByText('1 file uploaded').waitFor();
    await page.getByText('Ada uploaded /workspace/picture.png').waitFor();
    await shot(page, 'files');
    await isAccessible(page);
    await files.getByRole('button', { name: /^picture\.png/ }).click();
    const image = files.getByRole('img', { name: 'picture.png' });
    await image.waitFor();
    await expect.poll(() => image.evaluate((shown: HTMLImageElement) => shown.naturalWidth)).toBe(4);
    const saved = page.waitForEvent('download');
    await files.getByRole('link', { name: 'Save' }).click();
    expect((await saved).suggestedFilename()).toBe('picture.png');
    await files.getByRole('button', { name: 'workspace', exact: true }).click();
    await files.getByRole('button', { name: /^out/ }).click();
    await files
      .getByRole('button', { name: /^hostname|^hosts/ })
      .first()
      .waitFor();

    await page.getByRole('button', { name: 'More' }).click();
    await page.getByRole('menuitem', { name: 'Pause the sandbox' }).click();
    await files.getByText('The sandbox is paused').waitFor();
    await shot(page, 'files-paused');
    await files.getByRole('button', { name: 'Resume' }).click();
    await files.getByRole('button', { name: 'workspace', exact: true }).waitFor();
    expect(complaintsOf(page)).toEqual([]);
  });
});
