/**
 * What `cargo xtask bench page` measures, in a real browser against a real server: node bench.mjs URL [SESSION LIVE]
 *
 * SESSION is a long session that has ended its turn, LIVE one that waits for a prompt; both have the scripted agent. Without
 * them it is the list of sessions that is measured. The environment: CHROMIUM is the browser. Prints one JSON object; times are
 * ms, sizes KiB.
 */
import { chromium } from 'playwright-core';

/** Keys that are pressed in a terminal, so many in a line. */
const KEYS = 300;
const LINE = 50;
/** Times that the page is opened. */
const OPENINGS = 7;
/** Pieces of text that are waited for, one every so many ms. */
const PIECES = 400;
const PIECE_MS = 40;
/** Entries that the page follows. */
const FOLLOWED = 100_000;
/** In one prompt: each call is two entries. */
const CALLS = 2_500;
const WAIT_MS = 300_000;

const [url, long, live] = process.argv.slice(2);
const report = {};
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
  ],
});

/** A page that has nothing of before. */
async function open(session, prepare = () => {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  page.setDefaultTimeout(WAIT_MS);
  const devtools = await context.newCDPSession(page);
  await prepare(page, devtools);
  await page.goto(`${url}/${session === null ? '' : `sessions/${session}`}`, { waitUntil: 'commit' });
  return { page, devtools, close: () => context.close() };
}

const ask = async (method, path, body) => {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${url}/api/v1${path}`, {
    method,
    headers,
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${await response.text()}`);
  return response.json();
};
const prompt = (session, text) => ask('POST', `/sessions/${session}/prompts`, { text });
const last = (page) => page.evaluate(() => globalThis.lamplight.getState().timeline.last);
const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
const quantile = (numbers, share) => numbers.toSorted((a, b) => a - b)[Math.round((numbers.length - 1) * share)];

async function heap({ devtools }) {
  await devtools.send('HeapProfiler.collectGarbage');
  await devtools.send('HeapProfiler.collectGarbage');
  const { usedSize } = await devtools.send('Runtime.getHeapUsage');
  return usedSize / 1024;
}

/** Of all that the page shows of the log. */
const digest = (page) =>
  page.evaluate(async () => {
    const text = JSON.stringify(globalThis.lamplight.getState().timeline.items);
    const bytes = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)));
    return `${text.length} ${[...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
  });

/** Scrolls through something from its beginning, a step a frame. */
async function frames(scroller) {
  const times = await scroller.evaluate(
    (box) =>
      new Promise((resolve) => {
        box.scrollTop = 0;
        const taken = [];
        let before;
        const step = (now) => {
          if (before !== undefined) taken.push(now - before);
          before = now;
          box.scrollTop += 120;
          if (taken.length < 300) requestAnimationFrame(step);
          else resolve(taken);
        };
        requestAnimationFrame(() => requestAnimationFrame(step));
      }),
  );
  Object.assign(report, { frame_p50_ms: quantile(times, 0.5), frame_p95_ms: quantile(times, 0.95) });
  report.frames_a_second = (1_000 * times.length) / times.reduce((sum, frame) => sum + frame, 0);
}

/** What comes over the wire until the page is there, apart from what it says about sessions. */
async function transferred() {
  const kinds = new Map();
  let page = 0;
  let api = 0;
  const opened = await open(long, async (_, devtools) => {
    await devtools.send('Network.enable');
    devtools.on('Network.responseReceived', ({ requestId, response }) => kinds.set(requestId, response.url));
    devtools.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
      if (kinds.get(requestId)?.includes('/api/')) api += encodedDataLength;
      else page += encodedDataLength;
    });
  });
  await opened.page.locator('[data-connection=connected]').waitFor();
  await opened.page.waitForTimeout(1_000);
  await opened.close();
  Object.assign(report, { transferred_kib: page / 1024, api_kib: api / 1024 });
}

/** From the navigation's start to a frame that shows the end of the log, the box to write in, and no task in between. */
async function ready() {
  const times = [];
  for (let n = 0; n < OPENINGS; n += 1) {
    const opened = await open(long, (page) =>
      page.addInitScript(() => {
        const look = () => {
          const box = document.querySelector('section[aria-label=Timeline]');
          const there =
            box?.querySelector('[data-kind=kept]') &&
            document.querySelector('textarea') &&
            box.scrollHeight - box.scrollTop - box.clientHeight < 60;
          if (!there) return requestAnimationFrame(look);
          const { port1, port2 } = new MessageChannel();
          port1.onmessage = () => {
            globalThis.readyAt = performance.now();
          };
          requestAnimationFrame(() => port2.postMessage(null));
        };
        requestAnimationFrame(look);
      }),
    );
    times.push(await opened.page.waitForFunction(() => globalThis.readyAt).then((at) => at.jsonValue()));
    await opened.close();
  }
  Object.assign(report, { ready_ms: median(times), ready_slowest_ms: Math.max(...times) });
}

/** From a message's arrival to the end of the frame that shows its words. */
async function painted() {
  const opened = await open(long, (page) =>
    page.addInitScript(() => {
      globalThis.waits = [];
      const Real = globalThis.WebSocket;
      globalThis.WebSocket = class extends Real {
        constructor(...words) {
          super(...words);
          this.addEventListener('message', ({ data }) => {
            const text = /"agent_spoke".*"text":"([^"]*)"/.exec(data)?.[1]?.trim();
            if (!text) return;
            const arrived = performance.now();
            const word = text.split(' ').at(-1);
            const look = () => {
              const { port1, port2 } = new MessageChannel();
              port1.onmessage = () => {
                const shown = [...document.querySelectorAll('[data-kind=message]')].at(-1)?.textContent ?? '';
                if (shown.includes(word)) globalThis.waits.push(performance.now() - arrived);
                else requestAnimationFrame(look);
              };
              port2.postMessage(null);
            };
            requestAnimationFrame(look);
          });
        }
      };
    }),
  );
  await opened.page.locator('[data-connection=connected]').waitFor();
  await prompt(long, `!stream ${PIECES} ${PIECE_MS}`);
  await opened.page.waitForFunction((count) => globalThis.waits.length >= count * 0.9, PIECES);
  await opened.page.waitForFunction(() => globalThis.lamplight.getState().timeline.facts.phase === 'done');
  const waits = await opened.page.evaluate(() => globalThis.waits);
  await opened.close();
  Object.assign(report, {
    paint_p50_ms: quantile(waits, 0.5),
    paint_p95_ms: quantile(waits, 0.95),
    paints: waits.length,
  });
}

/** From a key that is pressed in a terminal to the end of the frame that shows what the shell made of it. */
async function typed() {
  const opened = await open(live);
  const { page } = opened;
  await page.locator('[data-connection=connected]').waitFor();
  await page.keyboard.press('t');
  await page.locator('[data-terminal=connected]').waitFor();
  const rows = page.locator('.xterm-rows');
  await rows.filter({ hasText: /[$#>]/ }).waitFor();
  await page.locator('.xterm-helper-textarea').focus();
  await page.evaluate(() => {
    globalThis.echoes = [];
    const shown = () => document.querySelector('.xterm-rows').textContent;
    let pressed = null;
    // No frame is asked for at the key: the browser would hold everything else back until that frame, and so the echo too.
    const onKey = ({ key, ctrlKey, timeStamp }) => {
      if (!ctrlKey && key.length === 1) pressed = { timeStamp, before: shown() };
    };
    const onChange = () => {
      if (pressed === null || shown() === pressed.before) return;
      const { timeStamp } = pressed;
      pressed = null;
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => globalThis.echoes.push(performance.now() - timeStamp);
      port2.postMessage(null);
    };
    new MutationObserver(onChange).observe(document.querySelector('.xterm-rows'), {
      subtree: true,
      childList: true,
      characterData: true,
    });
    document.addEventListener('keydown', onKey, { capture: true });
  });
  for (let key = 1; key <= KEYS; key += 1) {
    await page.keyboard.press('x');
    await page.waitForFunction((count) => globalThis.echoes.length >= count, key);
    if (key % LINE > 0) continue;
    // Another line: nothing of this one is left of it.
    await page.keyboard.press('Control+u');
    await rows.filter({ hasNotText: 'xx' }).waitFor();
  }
  const echoes = await page.evaluate(() => globalThis.echoes);
  Object.assign(report, {
    echo_p50_ms: quantile(echoes, 0.5),
    echo_p95_ms: quantile(echoes, 0.95),
    echoes: echoes.length,
  });
  await opened.close();
}

/** All of it fetched, and scrolled through from its beginning. */
async function scrolled() {
  const opened = await open(long);
  const { page } = opened;
  await page.locator('[data-connection=connected]').waitFor();
  const asked = performance.now();
  await page.evaluate(() => globalThis.lamplight.loadBackTo(1));
  report.all_loaded_ms = performance.now() - asked;
  report.entries = await last(page);
  await frames(page.locator('section[aria-label=Timeline]'));
  await opened.close();
}

/** A page that is there while so many entries arrive; then with all of them fetched again. */
async function followed() {
  const opened = await open(live);
  const { page } = opened;
  await page.locator('[data-connection=connected]').waitFor();
  const from = await last(page);
  const begun = performance.now();
  for (let turn = 1; (await last(page)) - from < FOLLOWED; turn += 1) {
    await prompt(live, `!say Round ${turn}\n!call ${CALLS} shell make part-${turn}\n!say So much for round ${turn}.`);
    await page.waitForFunction((number) => {
      const { facts } = globalThis.lamplight.getState().timeline;
      return facts.phase === 'done' && facts.queued.length === 0 && facts.turn > number;
    }, turn);
  }
  report.followed = (await last(page)) - from;
  report.followed_s = (performance.now() - begun) / 1_000;
  report.heap_kib = await heap(opened);
  await page.evaluate(() => globalThis.lamplight.loadBackTo(1));
  report.heap_all_kib = await heap(opened);
  const fresh = await open(live);
  await fresh.page.locator('[data-connection=connected]').waitFor();
  await fresh.page.evaluate(() => globalThis.lamplight.loadBackTo(1));
  const [one, other] = await Promise.all([page, fresh.page].map(digest));
  if (one !== other) throw new Error(`what was followed is not what a fresh page shows: ${one} and ${other}`);
  await fresh.close();
  await opened.close();
}

/** Of sessions: until the first are there, and scrolled through once all are loaded. */
async function listed() {
  const times = [];
  for (let n = 0; n < OPENINGS; n += 1) {
    const opened = await open(null);
    await opened.page.locator('ul[aria-label=Sessions] a').first().waitFor();
    times.push(await opened.page.evaluate(() => performance.now()));
    await opened.close();
  }
  const { page, close } = await open(null);
  const list = page.locator('ul[aria-label=Sessions]');
  await list.locator('a').first().waitFor();
  const scroller = list.locator('xpath=..');
  const asked = performance.now();
  for (let height = 0, same = 0; same < 10; ) {
    const now = await scroller.evaluate((box) => {
      box.scrollTop = box.scrollHeight;
      return box.scrollHeight;
    });
    same = now === height ? same + 1 : 0;
    height = now;
    await page.waitForTimeout(50);
  }
  report.all_loaded_ms = performance.now() - asked - 500;
  report.rows = await list
    .locator('li')
    .last()
    .evaluate((row) => Number(row.getAttribute('aria-posinset')));
  await frames(scroller);
  Object.assign(report, { ready_ms: median(times), ready_slowest_ms: Math.max(...times) });
  await close();
}

for (const measure of long === undefined ? [listed] : [transferred, ready, typed, painted, scrolled, followed])
  await measure();
await browser.close();
process.stdout.write(`${JSON.stringify(report)}\n`);
