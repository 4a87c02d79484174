// What the cases share: the SDK, and how they say what they saw.
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';

// Where the SDK is installed is the one argument.
const require = createRequire(`${process.argv[2]}/package.json`);
export const e2b = require('e2b');
export const { Sandbox } = e2b;
const version = require('e2b/package.json').version;
export const isAtLeast = (wanted) => {
  const [a, b] = [version, wanted].map((text) => text.split('.').map(Number));
  return a[0] !== b[0] ? a[0] > b[0] : a[1] >= b[1];
};

export const cases = [];
export const test = (name, run) => cases.push([name, run]);
export class Skipped extends Error {}
export const skip = (why) => {
  throw new Skipped(why);
};

export function same(seen, wanted, what = 'it') {
  const [a, b] = [seen, wanted].map((value) => JSON.stringify(value));
  if (a !== b) throw new Error(`${what} is ${a}, not ${b}`);
}
export function holds(condition, what) {
  if (!condition) throw new Error(what);
}
export async function fails(promise, kind, words = '') {
  try {
    await promise;
  } catch (error) {
    const names = [];
    for (let of = error; of && of !== Object.prototype; of = Object.getPrototypeOf(of)) names.push(of.constructor.name);
    holds(names.includes(kind), `${error.constructor.name} (${error.message}), not ${kind}`);
    holds(error.message.includes(words), `the message is ${error.message}`);
    return error;
  }
  throw new Error(`it did not fail as ${kind}`);
}
export async function until(condition, what, ms = 20_000) {
  const end = Date.now() + ms;
  while (Date.now() < end) {
    if (await condition()) return;
    await sleep(50);
  }
  throw new Error(`not in time: ${what}`);
}

/** The one that most cases use; the first case makes it. */
export let box;
export const use = (sandbox) => {
  box = sandbox;
};
export const made = [];
export async function create(...options) {
  const sandbox = await Sandbox.create(...options);
  made.push(sandbox);
  return sandbox;
}
export async function listed(query) {
  const all = [];
  const pages = Sandbox.list({ query, limit: 2 });
  while (pages.hasNext) all.push(...(await pages.nextItems()));
  return all;
}
