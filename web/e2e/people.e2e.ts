/** People on a real server: the first owner comes in, invites somebody, gives them another role, and signs out everywhere. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { complaintsOf, openStage, type Stage, shot } from './browser';
import { HAS_SERVER, OwnServer } from './server';

describe.runIf(HAS_SERVER)('people', () => {
  let server: OwnServer;
  let stage: Stage;
  beforeAll(async () => {
    server = await OwnServer.start(undefined, 0, '[auth]\nrequired = true\n');
    stage = await openStage([server.url]);
  });
  afterAll(async () => {
    await stage?.close();
    await server?.kill('SIGTERM');
  });

  test('an owner comes in by the printed link, invites, and is out when they say so', async () => {
    const page = await stage.page();
    await page.goto(server.url);
    await page.waitForURL('**/sign-in');
    await page.getByText('The server has printed a link').waitFor();
    await shot(page, 'sign-in');
    const link = await server.door();
    await page.goto(link);
    await page.getByRole('button', { name: 'Come in' }).waitFor();
    expect(page.url()).toBe(`${server.url}/sign-in`);
    await page.getByRole('button', { name: 'Come in' }).click();
    await page.getByLabel('Name', { exact: true }).fill('Olga');
    await page.getByLabel('E-mail address').fill('olga@example.org');
    await shot(page, 'sign-in-new');
    await page.getByRole('button', { name: 'Come in' }).click();
    await page.getByRole('link', { name: 'Olga' }).waitFor();
    expect(new URL(page.url()).pathname).toBe('/');

    await page.getByRole('link', { name: 'Olga' }).click();
    await page.getByLabel('What the token is for').fill('tests');
    await page.getByLabel('What the token may').selectOption('admin');
    await page.getByRole('button', { name: 'Make token' }).click();
    const token = (await page.getByText(/^lmp_[0-9a-f]{72}$/).textContent()) ?? '';
    server.token = token;
    expect(((await server.get('/me')) as { name: string }).name).toBe('Olga');

    await page.getByRole('link', { name: 'People' }).click();
    await page.getByRole('button', { name: 'Invite', exact: true }).click();
    const invitation = (await page.getByText('/sign-in#lmj_').textContent()) ?? '';
    await page.getByText('invited by Olga').waitFor();
    await shot(page, 'people');
    const other = await stage.page({ width: 420, height: 800, dark: true });
    await other.goto(invitation);
    await other.getByRole('button', { name: 'Come in' }).click();
    await other.getByLabel('Name', { exact: true }).fill('Olga');
    await other.getByLabel('E-mail address').fill('mia@example.org');
    await other.getByRole('button', { name: 'Come in' }).click();
    await other.getByText('somebody here is, or was, called Olga').waitFor();
    await other.getByLabel('Name', { exact: true }).fill('Mia');
    await other.getByRole('button', { name: 'Come in' }).click();
    await other.getByRole('link', { name: 'Mia' }).click();
    await other.getByRole('heading', { name: 'Tokens' }).waitFor();
    for (const section of ['People', 'Models', 'Audit log'])
      await expect.poll(() => other.getByRole('link', { name: section }).count()).toBe(0);
    await shot(other, 'account-phone');

    await page.reload();
    expect(await page.content()).not.toContain(token);
    await page.getByLabel('Role of Mia').selectOption('admin');
    await expect.poll(async () => (await people(server)).Mia).toBe('admin');
    await other.reload();
    await other.getByRole('link', { name: 'People' }).waitFor();
    await page.getByRole('button', { name: 'Remove Mia' }).click();
    await expect.poll(async () => (await people(server)).Mia).toBe(undefined);
    await other.goto(server.url);
    await other.waitForURL('**/sign-in');

    await page.goto(`${server.url}/settings/you`);
    await page.getByRole('button', { name: 'Sign out everywhere' }).click();
    await page.waitForURL('**/sign-in');
    await page.goto(`${server.url}/usage`);
    await page.waitForURL('**/sign-in');
    // The browser itself tells of the answers that were refused.
    const own = /status of 40[0139]|WebSocket connection/;
    for (const one of [page, other]) expect(complaintsOf(one).filter((line) => !own.test(line))).toEqual([]);
  });
});

/** Roles by name. */
async function people(server: OwnServer): Promise<Record<string, string>> {
  const { items } = (await server.get('/people')) as { items: { name: string; role: string }[] };
  return Object.fromEntries(items.map(({ name, role }) => [name, role]));
}
