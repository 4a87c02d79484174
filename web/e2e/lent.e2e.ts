/** A sandbox that is lent to a program, on a real server: seen in the settings, and ended there. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { accessible, complaintsOf, openStage, type Stage } from './browser';
import { HAS_SERVER, OwnServer, until } from './server';

describe.runIf(HAS_SERVER)('a lent sandbox', () => {
  let server: OwnServer;
  let stage: Stage;
  beforeAll(async () => {
    server = await OwnServer.start(undefined, 0, '[e2b]\nenabled = true\n');
    stage = await openStage([server.url]);
  });
  afterAll(async () => {
    await stage?.close();
    await server?.close();
  });

  /** As a program asks for one, by E2B's protocol. */
  const lend = async (path: string, body?: object, method = body === undefined ? 'GET' : 'POST') => {
    const headers = { 'x-api-key': 'lmp_0', 'content-type': 'application/json' };
    return fetch(`${server.url}${path}`, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) });
  };

  test('is ended for good by a button', async () => {
    // What an attempt before this one left would be taken for it.
    const left = (await (await lend('/v2/sandboxes')).json()) as { sandboxID: string }[];
    for (const one of left) await lend(`/sandboxes/${one.sandboxID}`, undefined, 'DELETE');
    const made = await lend('/sandboxes', { templateID: 'base', timeout: 600 });
    expect(made.status).toBe(201);
    const { sandboxID } = (await made.json()) as { sandboxID: string };
    const page = await stage.page();
    await page.goto(`${server.url}/settings/sandboxes`);
    const end = page.getByRole('button', { name: /^End the lent sandbox / });
    await end.first().waitFor();
    await accessible(page, 'sandboxes-lent');
    await end.click();
    const ask = page.getByRole('dialog', { name: 'End this sandbox?' });
    await ask.getByRole('button', { name: 'End sandbox' }).click();
    await until('it is gone', async () => (await lend(`/sandboxes/${sandboxID}`)).status === 404);
    await page.getByText('There is no sandbox now.').waitFor();
    expect(complaintsOf(page)).toEqual([]);
    const { items } = (await server.get('/audit?action=take_back_sandbox')) as { items: { outcome: string }[] };
    expect(items.every(({ outcome }) => outcome === 'done') && items.length > 0).toBe(true);
  });
});
