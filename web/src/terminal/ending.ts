/** Why there will be nothing more of a terminal, in words. */
import type { Ending } from './connection';

/** SIGKILL and SIGTERM, by which everything in a sandbox is ended. */
const ENDING_SIGNALS = [9, 15];

export function endingText(ending: Ending): string {
  if (ending.kind === 'refused') {
    return `${ending.detail.charAt(0).toUpperCase()}${ending.detail.slice(1)}. ${ending.whatToDo}`;
  }
  if (ending.signal !== null) {
    const stopped = ENDING_SIGNALS.includes(ending.signal)
      ? ', as everything in the sandbox is when a turn is stopped'
      : '';
    return `The shell was ended by signal ${ending.signal}${stopped}.`;
  }
  return `The shell ended with exit code ${ending.exitCode ?? 0}.`;
}
