/** What the address says of the list. */
import type { Phase } from '../api/types';
import type { Grouping } from './rows';

export interface ListFilter {
  phase?: Phase;
  q?: string;
  repository?: string;
  mine?: boolean;
  archived?: boolean;
  dead?: boolean;
  group?: Grouping;
}

/** Without the fields that say nothing. */
export function narrow(filter: ListFilter): ListFilter {
  const { phase, q, repository, mine, archived, dead, group } = filter;
  return {
    ...(phase ? { phase } : {}),
    ...(q ? { q } : {}),
    ...(repository ? { repository } : {}),
    ...(mine ? { mine } : {}),
    ...(archived ? { archived } : {}),
    ...(dead ? { dead } : {}),
    ...(group && group !== 'day' ? { group } : {}),
  };
}
