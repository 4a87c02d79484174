/** How many processors a sandbox keeps busy: what it used between two looks, by the time between them. */
import type { Sandbox, SandboxList } from '../api/types';

interface Look extends SandboxList {
  /** By this page's clock, in ms. */
  at: number;
}

export interface Seen {
  now: Look;
  before: Look | undefined;
}

export function seen(list: SandboxList, last: Seen | undefined, at = Date.now()): Seen {
  return { now: { ...list, at }, before: last?.now };
}

/** `null` until it was looked at twice. */
export function processors({ now, before }: Seen, { session, generation, cpu_ms }: Sandbox): number | null {
  const earlier = before?.items.find((one) => one.session === session && one.generation === generation)?.cpu_ms;
  if (cpu_ms === null || earlier === null || earlier === undefined || !before || now.at <= before.at) return null;
  return Math.max(0, cpu_ms - earlier) / (now.at - before.at);
}
