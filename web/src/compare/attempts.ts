/** What is derived of an attempt. */
import type { Attempt } from '../api/types';
import { isBusy, isWorking } from '../ui/phase';

export function numberOf({ session }: Attempt): number {
  return session.attempts?.number ?? 0;
}

/** Whether it stands otherwise in a moment. */
export function isUnderWay({ session }: Attempt): boolean {
  const { phase, ended, checks } = session;
  const isLeaving = standingOf(session) === 'left' && !ended;
  return isBusy(phase) || isWorking(phase) || phase === 'queued' || checks?.state === 'running' || isLeaving;
}

/** Whether this one was taken, another, or none so far. */
export function standingOf({ id, attempts }: Attempt['session']): 'open' | 'taken' | 'left' {
  const taken = attempts?.taken;
  if (!taken) return 'open';
  return taken.session === id ? 'taken' : 'left';
}
