/** Signing in by others: a real OpenID provider or a strict GitHub, a real server, a real browser. */
import type { Page, Route } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { accessible, openStage, type Stage, shot } from './browser';
import { FakeGitHub, GITHUB, HAS_GITHUB, OIDC_SECRET, openProvider } from './issuer';
import { freePort, HAS_SERVER, OwnServer } from './server';

/** Has left `/sign-in/…/callback`, which leads on. */
const isLedOn = (server: OwnServer) => (url: URL) => url.origin === server.url && !url.pathname.endsWith('/callback');

async function cookieOf(page: Page): Promise<string | undefined> {
  const all = await page.context().cookies();
  return all.find(({ name }) => name === 'lamplight')?.value;
}

describe.runIf(HAS_SERVER)('OpenID Connect', () => {
  let server: OwnServer;
  let stage: Stage;
  let provider: Awaited<ReturnType<typeof openProvider>>;
  beforeAll(async () => {
    process.env.OIDC_CLIENT_SECRET = OIDC_SECRET;
    const port = await freePort();
    provider = await openProvider(`http://127.0.0.1:${port}/api/v1/sign-in/oidc/callback`);
    const issuer = JSON.stringify(provider.issuer);
    server = await OwnServer.start(
      undefined,
      0,
      `[auth]\nrequired = true\n[auth.oidc]\nissuer = ${issuer}\nclient_id = "lamplight"\nname = "Example"\n` +
        '[auth.allow]\nemail_domains = ["example.org"]\n',
      port,
    );
    stage = await openStage([server.url, provider.issuer]);
  });
  afterAll(async () => {
    await stage?.close();
    await server?.kill('SIGTERM');
    provider?.close();
  });

  /** Sent away, and signed in there. */
  async function goThere(page: Page, who: string) {
    await page.goto(`${server.url}/sign-in`);
    await page.getByRole('button', { name: 'Sign in with Example' }).click();
    await page.locator('input[name=login]').fill(who);
    await page.locator('input[name=password]').fill('x');
    await page.locator('button[type=submit]').click();
    await page.getByRole('button', { name: 'Continue' }).waitFor();
  }

  async function comeBack(page: Page) {
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.waitForURL(isLedOn(server));
  }

  test('who is allowed comes in and goes out, each time with another secret, and who is not does not', async () => {
    const page = await stage.page();
    await page.goto(server.url);
    await page.waitForURL('**/sign-in');
    await page.getByRole('button', { name: 'Sign in with Example' }).waitFor();
    await accessible(page, 'sign-in-others');
    await goThere(page, 'ada');
    await comeBack(page);
    await page.getByRole('link', { name: 'ada of Example' }).waitFor();
    const first = await cookieOf(page);
    expect(first).toMatch(/^lms_/);

    // Still in, and once more: what the browser was in by before does not count any more.
    const again = await page.context().newPage();
    await again.goto(`${server.url}/sign-in`);
    await again.evaluate(async () => {
      const body = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' };
      const { address } = await (await fetch('/api/v1/sign-in/oidc', body)).json();
      window.location.assign(address);
    });
    await again.waitForURL(isLedOn(server));
    await again.getByRole('link', { name: 'ada of Example' }).waitFor();
    const second = await cookieOf(page);
    expect(second).not.toBe(first);
    const asFirst = await fetch(`${server.url}/api/v1/me`, { headers: { cookie: `lamplight=${first}` } });
    expect(asFirst.status).toBe(401);

    await page.goto(`${server.url}/settings/you`);
    await page.getByRole('button', { name: 'Sign out', exact: true }).click();
    await page.waitForURL('**/sign-in');
    const asSecond = await fetch(`${server.url}/api/v1/me`, { headers: { cookie: `lamplight=${second}` } });
    expect(asSecond.status).toBe(401);

    const other = await stage.page();
    await goThere(other, 'mallory');
    await comeBack(other);
    await other.getByText('Nobody has invited you yet').waitFor();
    expect(new URL(other.url()).pathname).toBe('/sign-in');
    expect(await cookieOf(other)).toBe(undefined);
    await shot(other, 'sign-in-not-invited');
  });

  test('what comes back twice, or is not what was sent away, lets nobody in', async () => {
    const page = await stage.page();
    let callback = '';
    page.on('request', (request) => {
      if (request.url().includes('/sign-in/oidc/callback')) callback = request.url();
    });
    let away: { name: string; value: string; url: string } | undefined;
    await goThere(page, 'bea');
    const [sent] = (await page.context().cookies(server.url)).filter(({ name }) => name === 'lamplight-away');
    if (sent !== undefined) away = { name: sent.name, value: sent.value, url: server.url };
    await comeBack(page);
    await page.getByRole('link', { name: 'bea of Example' }).waitFor();
    const replay = await stage.page();
    await replay.goto(callback);
    expect(replay.url()).toBe(`${server.url}/sign-in?problem=sign_in_stale`);
    // Also with what the browser was sent away with: the provider takes no code twice.
    await replay.context().addCookies([away ?? { name: '', value: '', url: server.url }]);
    await replay.goto(callback);
    expect(replay.url()).toBe(`${server.url}/sign-in?problem=sign_in_refused`);
    await replay.getByText('It was refused there').waitFor();

    for (const [name, problem] of [
      ['state', 'sign_in_stale'],
      ['nonce', 'sign_in_untrusted'],
    ] as const) {
      const changed = await stage.page();
      const change = async (route: Route) => {
        const url = new URL(route.request().url());
        url.searchParams.set(name, '0'.repeat(64));
        await route.continue({ url: url.href });
      };
      await changed.route(`${provider.issuer}/auth?**`, change, { times: 1 });
      await goThere(changed, 'bea');
      await comeBack(changed);
      expect(changed.url()).toBe(`${server.url}/sign-in?problem=${problem}`);
      expect(await cookieOf(changed)).toBe(undefined);
    }
    expect(await cookieOf(replay)).toBe(undefined);
  });
});

describe.runIf(HAS_SERVER && HAS_GITHUB)('GitHub', () => {
  let server: OwnServer;
  let stage: Stage;
  let github: FakeGitHub;
  beforeAll(async () => {
    process.env.GITHUB_CLIENT_SECRET = GITHUB.secret;
    github = await FakeGitHub.start('ghp_0123456789abcdefghijABCDEFGHIJ', { ada: 'write', mallory: 'none' });
    const at = JSON.stringify(github.url);
    server = await OwnServer.start(
      undefined,
      0,
      `[github]\nhost = "github.example"\napi = ${at}\n[auth]\nrequired = true\n[auth.github]\nclient_id = "${GITHUB.oauth}"\nweb = ${at}\n` +
        '[auth.allow]\npeople = ["github:ada"]\n',
    );
    stage = await openStage([server.url, github.url]);
  });
  afterAll(async () => {
    await stage?.close();
    await server?.kill('SIGTERM');
    github?.close();
  });

  async function signIn(button: string) {
    const page = await stage.page({ width: 420, height: 800, dark: true });
    await page.goto(server.url);
    await page.getByRole('button', { name: 'Sign in with GitHub' }).click();
    await page.getByRole('button', { name: button }).click();
    await page.waitForURL(isLedOn(server));
    return page;
  }

  test('who is named comes in, who is not or says no does not', async () => {
    const page = await signIn('Authorize as ada');
    await page.getByRole('link', { name: 'Ada Example' }).waitFor();
    const other = await signIn('Authorize as mallory');
    await other.getByText('Nobody has invited you yet').waitFor();
    await shot(other, 'sign-in-github-not-invited');
    const no = await signIn('Cancel');
    await no.getByText('It was refused there').waitFor();
  });
});
