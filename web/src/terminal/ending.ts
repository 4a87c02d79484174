/** Why there will be nothing more of a terminal, in words. */
import { words } from '../text/english';
import type { Ending } from './connection';

/** SIGKILL and SIGTERM, by which everything in a sandbox is ended. */
const ENDING_SIGNALS = [9, 15];

export function endingText(ending: Ending): string {
  if (ending.kind === 'refused') {
    return `${ending.detail.charAt(0).toUpperCase()}${ending.detail.slice(1)}. ${ending.whatToDo}`;
  }
  if (ending.signal !== null) {
    return words.terminal.signalled(ending.signal, ENDING_SIGNALS.includes(ending.signal));
  }
  return words.terminal.exited(ending.exitCode ?? 0);
}
