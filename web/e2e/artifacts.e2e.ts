/** What a session offers as results, in its drawer: pictures and text shown, all of it saved, nothing of it run. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { complaintsOf, openStage, type Stage, shot } from './browser';
import { HAS_SERVER, OwnServer } from './server';

/** A picture of four by four pixels, a page that would run a script, and a name that would be markup. */
const OFFER = `!run mkdir -p .lamplight/artifacts/pages && cd .lamplight/artifacts && echo iVBORw0KGgoAAAANSUhEUgAAAAQAAAAECAIAAAAmkwkpAAAAEUlEQVR42mO4sDQJjhiI4wAABKEdccI91zYAAAAASUVORK5CYII= | base64 -d > pages/light.png && echo '<script>document.title = "taken"</script>' > report.html && echo 12 passed > '<img src=x onerror=alert(1)>.txt'`;

let server: OwnServer;
let stage: Stage;

describe.runIf(HAS_SERVER)('artifacts', () => {
  beforeAll(async () => {
    server = await OwnServer.start();
    stage = await openStage([server.url]);
  });
  afterAll(async () => {
    await stage?.close();
    await server?.close();
  });

  test('they are listed, shown and saved, also when the session has ended', async () => {
    const id = await server.create(OFFER);
    await server.done(id, 1);
    await server.post(`/sessions/${id}/end`);
    const page = await stage.page();
    await page.goto(`${server.url}/sessions/${id}`);
    await page.getByText(/^Artifacts kept: /).waitFor();
    const title = await page.title();
    await page.keyboard.press('a');
    const drawer = page.getByRole('region', { name: 'Artifacts', exact: true });
    const row = (name: RegExp) => drawer.getByRole('listitem').filter({ hasText: name });
    await row(/light\.png/).waitFor();
    await expect.poll(() => drawer.getByRole('listitem').count()).toBe(3);
    await expect
      .poll(() =>
        row(/light/)
          .locator('img')
          .evaluate((image) => (image as HTMLImageElement).naturalWidth),
      )
      .toBe(4);
    await shot(page, 'artifacts');

    await row(/report/)
      .getByRole('button')
      .click();
    await drawer.getByText('document.title').waitFor();
    await shot(page, 'artifacts-text');
    await drawer.getByRole('button', { name: 'All artifacts' }).click();
    await row(/light/).getByRole('button').click();
    await drawer.getByRole('img', { name: 'pages/light.png' }).waitFor();
    const [saved] = await Promise.all([
      page.waitForEvent('download'),
      drawer.getByRole('link', { name: /Save/ }).click(),
    ]);
    expect(saved.suggestedFilename()).toBe('light.png');
    expect(await page.title()).toBe(title);

    // Opened by itself it is text as well.
    await page.goto(`${server.url}/api/v1/attachments/${await reportOf(id)}`);
    expect(await page.title()).not.toBe('taken');
    expect(complaintsOf(page)).toEqual([]);
  });
});

async function reportOf(id: string): Promise<string> {
  const { items } = (await server.get(`/sessions/${id}/artifacts`)) as { items: { id: string; name: string }[] };
  return items.find(({ name }) => name === 'report.html')?.id ?? '';
}
