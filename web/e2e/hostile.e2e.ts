/**
 * What an agent or a repository could try on the person who looks: nothing runs, nothing is loaded, nothing freezes, and what
 * pretends to be something else is seen. Against a real server of its own with the scripted agent; the looks of it on the double.
 */
import { execFileSync } from 'node:child_process';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { complaintsOf, openStage, type Stage, shot } from './browser';
import { HAS_SERVER, OwnServer } from './server';

const AGENT_MS = 60_000;
/** How long the page may be busy with one thing. */
const FREEZE_MS = 3_000;
const RUN = '<img src=x onerror=window.ran=1>';
const BRANCH = '<img/src=x/onerror=window.ran=1>';
const RLO = '\u202e';

let server: OwnServer;
let stage: Stage;

/** Nothing ran, nothing was asked for, no dialog came up, and no address runs anything. */
async function isHarmless(page: Page): Promise<void> {
  const state = await page.evaluate(() => ({
    ran: (window as unknown as { ran?: number }).ran ?? 0,
    links: Array.from(
      document.querySelectorAll('a[href]'),
      (link) => new URL((link as HTMLAnchorElement).href).protocol,
    ),
    frames: document.querySelectorAll('iframe, object, embed, script:not([src])').length,
    foreign: Array.from(document.images, (image) => image.src).filter((src) => !src.startsWith(location.origin)),
    hidden: /[\u202a-\u202e\u2066-\u2069\u200b]/.test(document.body.textContent ?? ''),
  }));
  expect({ ...state, links: [...new Set(state.links)].filter((one) => !/^https?:$/.test(one)) }).toEqual({
    ran: 0,
    links: [],
    frames: 0,
    foreign: [],
    hidden: false,
  });
  expect(complaintsOf(page)).toEqual([]);
}

/** The longest that the page did not draw while `act` went on; ms. */
async function longestFreeze(page: Page, act: () => Promise<unknown>): Promise<number> {
  await page.evaluate(() => {
    const seen = { last: performance.now(), worst: 0, over: false };
    (window as unknown as { seen: typeof seen }).seen = seen;
    const look = () => {
      const now = performance.now();
      seen.worst = Math.max(seen.worst, now - seen.last);
      seen.last = now;
      if (!seen.over) requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  });
  await act();
  await page.waitForTimeout(200);
  return page.evaluate(() => {
    const { seen } = window as unknown as { seen: { worst: number; over: boolean } };
    seen.over = true;
    return seen.worst;
  });
}

describe.runIf(HAS_SERVER)('hostile content', () => {
  beforeAll(async () => {
    server = await OwnServer.start();
    stage = await openStage([server.url]);
    execFileSync('git', ['-C', server.repository, 'branch', '--force', BRANCH]);
  });
  afterAll(async () => {
    await stage?.close();
    await server?.close();
  });

  async function run(page: Page, prompt: string): Promise<void> {
    page.on('dialog', (dialog) => {
      void dialog.dismiss();
      throw new Error(`a dialog came up: ${dialog.message()}`);
    });
    await page.goto(`${server.url}/new`);
    await page.getByLabel('Task').fill(prompt);
    await page.getByLabel('Repository', { exact: false }).first().fill(server.repository);
    await page.getByText('More', { exact: true }).click();
    await page.getByLabel('Start from').fill(BRANCH);
    await page.getByRole('button', { name: 'Start session' }).click();
    await page.waitForURL(/\/sessions\//);
    await page.locator('[data-kind=ending]').waitFor({ timeout: AGENT_MS });
  }

  test('messages, titles and names run nothing and load nothing', async () => {
    const page = await stage.page();
    await run(
      page,
      [
        `${RUN} ${RLO}title`,
        `!say ${RUN}<script>window.ran=1</script> <svg onload=window.ran=1> ![track](https://evil.example/t.png) [click](javascript:window.ran=1) [a](data:text/html,x) [https://github.com/login](https://evil.example/login) photo${RLO}gpj.exe`,
        `!think ${RUN} [x](vbscript:x) ${RLO}`,
        `!plan ${RUN}; ${RLO}step`,
        `!call 1 ${RUN.replaceAll(' ', '/')} {"command":"${RUN}"}`,
        `!log ${RUN} ${RLO}`,
        `!run printf '\\033]0;stolen title\\007\\033]8;;javascript:window.ran=1\\033\\\\link\\033]8;;\\033\\\\\\033[2J\\033[31mred\\033[0m\\rgone'`,
        `!run mkdir -p '${RUN}' && printf '${RUN}\\n' > '${RUN}/photo${RLO}gpj.exe' && printf x > "$(printf 'two\\nlines\\033[31m')" && ln -s 'javascript:window.ran=1' link`,
      ].join('\n'),
    );
    await page.locator('[data-kind=commit]').waitFor({ timeout: AGENT_MS });
    const folded = page.locator('[data-kind] button[aria-expanded=false]');
    while ((await folded.count()) > 0) await folded.first().click();
    expect(await page.title()).not.toContain('stolen');
    await page.getByText('(leads to evil.example)').waitFor();
    await page.getByText('photo\u27e8U+202E\u27e9gpj.exe').first().waitFor();
    await shot(page, 'hostile-timeline');
    await isHarmless(page);

    await page.keyboard.press('d');
    const changes = page.getByRole('region', { name: 'Changes', exact: true });
    await changes
      .getByText(/photo\u27e8U\+202E\u27e9gpj\.exe/)
      .first()
      .waitFor();
    await changes
      .getByText(/two\u27e8newline\u27e9lines\u27e8U\+001B\u27e9/)
      .first()
      .waitFor();
    await shot(page, 'hostile-changes');
    await isHarmless(page);
    for (const key of ['c', 'y']) {
      await page.keyboard.press(key);
      await page.locator('aside h2').waitFor();
      await isHarmless(page);
    }
    await page.keyboard.press('u');
    await page.getByRole('list', { name: 'Sessions' }).getByRole('link').first().waitFor();
    await isHarmless(page);
  });

  test('ten megabytes in one line freeze nothing', async () => {
    const page = await stage.page();
    await run(
      page,
      "!run head -c 10000000 /dev/zero | tr '\\0' x\n!run head -c 300000 /dev/zero | tr '\\0' x > long.txt\n!say done",
    );
    const reload = await longestFreeze(page, async () => {
      await page.locator('[data-kind=tool] button[aria-expanded]').first().click();
      await page.locator('[data-kind=tool] pre').first().waitFor();
      await page.getByRole('button', { name: 'Show the rest' }).click();
    });
    expect(reload).toBeLessThan(FREEZE_MS);
    await page.keyboard.press('Escape');
    const changes = await longestFreeze(page, async () => {
      await page.locator('[data-kind=commit] button').click();
      await page
        .getByRole('region', { name: 'Changes', exact: true })
        .locator('td', { hasText: 'xxx' })
        .first()
        .waitFor();
    });
    expect(changes).toBeLessThan(FREEZE_MS);
    expect(complaintsOf(page)).toEqual([]);
  });

  test('a change of hundreds of files and one of thousands of lines stay smooth', async () => {
    const page = await stage.page();
    await run(
      page,
      '!run mkdir many; for n in $(seq 300); do seq 100 > many/$n.txt; done; seq 20000 > long.txt\n!say done',
    );
    const opening = await longestFreeze(page, async () => {
      await page.locator('[data-kind=commit] button').click();
      await page.getByText('301 files changed').waitFor();
    });
    const changes = page.getByRole('region', { name: 'Changes', exact: true });
    const rows = await changes.locator('tr').count();
    const long = await longestFreeze(page, async () => {
      await changes
        .getByRole('button', { name: /^long\.txt|^A added long\.txt/ })
        .last()
        .click();
      await changes.getByRole('button', { name: 'Show 1000 more of 20000 lines' }).click();
      await changes.getByText('1400', { exact: true }).last().waitFor();
    });
    await shot(page, 'changes-large');
    expect(rows).toBeLessThan(2_000);
    expect([opening, long].map((ms) => ms < FREEZE_MS)).toEqual([true, true]);
    expect(complaintsOf(page)).toEqual([]);
  });
});
