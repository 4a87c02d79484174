/** How long a session that is queued may still wait, in words. */
import type { QueuedSession } from '../../api/types';
import { words } from '../../text/english';

export function waitOf({ estimated_wait_seconds: seconds }: Pick<QueuedSession, 'estimated_wait_seconds'>): string {
  return seconds === 0 ? words.line.now : words.line.wait(Math.ceil(seconds / 60));
}
