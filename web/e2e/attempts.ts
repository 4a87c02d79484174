/** What is shown in a frame was written by others: here it tries to reach our page. */
import type { Frame } from 'playwright-core';
import { expect } from 'vitest';

/** What can be done to us from inside of a frame. */
const ATTEMPTS = {
  cookies: () => document.cookie,
  'our page by its frame': () => String((window.parent as Window).document.title),
  'our storage': () => String((window.parent as Window).localStorage.length),
  'our page led elsewhere': () => {
    const before = performance.now();
    (window.top as Window).location.href = `${location.origin}/taken`;
    return `led after ${before}`;
  },
  'the API': (ours: string) =>
    fetch(`${ours}/api/v1/sessions`, { credentials: 'include' }).then((answer) => answer.text()),
  'the API, unread': (ours: string) =>
    fetch(`${ours}/api/v1/sessions`, { mode: 'no-cors' }).then((answer) =>
      answer.text().then((text) => text || answer.type),
    ),
  'the API by a form': (ours: string) =>
    fetch(`${ours}/api/v1/sessions`, { method: 'POST', body: '{}', headers: { 'content-type': 'text/plain' } }).then(
      String,
    ),
  'the API by a script': (ours: string) => loads('script', `${ours}/api/v1/sessions`),
  'the events': (ours: string) =>
    new Promise<string>((resolve, reject) => {
      const socket = new WebSocket(`${ours.replace('http', 'ws')}/api/v1/events`);
      socket.onopen = () => resolve('open');
      socket.onerror = () => reject(new Error('refused'));
    }),
} as const;
declare function loads(tag: string, address: string): Promise<string>;

/** Tries all of them in a frame, against our page at `ours`. */
export async function touchesNothing(frame: Frame, ours: string): Promise<void> {
  await frame.evaluate(() => {
    Object.assign(window, {
      loads: (tag: 'script', address: string) =>
        new Promise((resolve, reject) => {
          const element = document.createElement(tag);
          element.src = address;
          element.onload = () => resolve('loaded');
          element.onerror = () => reject(new Error('refused'));
          document.body.append(element);
        }),
    });
  });
  const came: Record<string, string> = {};
  for (const [what, attempt] of Object.entries(ATTEMPTS)) {
    came[what] = await frame
      .evaluate(attempt as (ours: string) => string | Promise<string>, ours)
      .catch(() => 'refused');
  }
  // Nobody's cookie can be read, ours least of all, and everything else is an error.
  expect(came).toEqual({ ...Object.fromEntries(Object.keys(ATTEMPTS).map((what) => [what, 'refused'])), cookies: '' });
}
