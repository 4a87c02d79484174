/** Sums of money of which a part may be unknown. */
import { dollars } from '../text/format';

/** What has no known price is told, and never as free. */
export function costs({ micros, is_partial }: { micros: number; is_partial: boolean }): string {
  if (!is_partial) return dollars(micros);
  return micros === 0 ? 'unknown' : `over ${dollars(micros)}`;
}
