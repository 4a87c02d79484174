/** Who answered what the agent asked, in words. */
import type { AnsweredBy } from '../../api/events';
import { words } from '../../text/english';
import { visible } from '../../text/visible';

export function byWords(by: AnsweredBy): string {
  switch (by.by) {
    case 'policy':
      return words.permission.byPolicy;
    case 'person':
      return words.permission.byPerson(visible(by.name));
    case 'deadline':
      return words.permission.byDeadline;
    case 'stop':
      return words.permission.byStop;
  }
}
