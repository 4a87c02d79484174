/** Guards, in what they count. */
import type { Guard } from '../api/events';
import { words } from '../text/english';
import { count, dollars, duration } from '../text/format';

/** So much of what a guard counts: tool calls, tokens, milliseconds or millionths of a dollar. */
export function amount(guard: Guard, n: number): string {
  switch (guard) {
    case 'steps':
    case 'session_steps':
      return words.amounts.calls(n);
    case 'failures_in_a_row':
      return words.amounts.failures(n);
    case 'identical_calls':
      return words.amounts.identical(n);
    case 'silence':
      return words.amounts.silence(duration(n));
    case 'wall_clock':
    case 'session_wall_clock':
    case 'paused':
      return duration(n);
    case 'tokens':
    case 'session_tokens':
      return words.amounts.tokens(count(n));
    case 'cost':
    case 'budget':
    case 'month_budget':
      return dollars(n);
    case 'right':
      return '';
  }
}
