/** The list as it is shown: sessions under headings. */
import { PHASES, type Phase, type SessionSummary } from '../api/types';
import { words } from '../text/english';
import { baseName } from '../text/format';
import { phaseWord } from '../ui/phase';

export const GROUPINGS = ['day', 'repository', 'phase', 'none'] as const;
export type Grouping = (typeof GROUPINGS)[number];

export type ListRow =
  | { kind: 'heading'; key: string; label: string; title: string; count: number }
  | { kind: 'session'; key: string; session: SessionSummary };

/** What waits for somebody comes first, what is over last. */
const URGENCY: readonly Phase[] = [
  'waiting_for_you',
  'stuck',
  'failed',
  'executing',
  'planning',
  'starting',
  'queued',
  'paused',
  'done',
];

/** `sessions` newest first; within a group they stay so. `now` is the local clock, in ms. */
export function grouped(sessions: readonly SessionSummary[], by: Grouping, now: number): ListRow[] {
  if (by === 'none') return sessions.map(row);
  const groups = new Map<string, SessionSummary[]>();
  for (const session of sessions) {
    const name = groupOf(session, by, now);
    const group = groups.get(name);
    if (group) group.push(session);
    else groups.set(name, [session]);
  }
  return [...groups]
    .sort(([a], [b]) => order(a, by) - order(b, by))
    .flatMap(([name, members]): ListRow[] => [
      {
        kind: 'heading',
        key: `heading:${name}`,
        label: labelOf(name, by),
        title: name,
        count: members.length,
      },
      ...members.map(row),
    ]);
}

function row(session: SessionSummary): ListRow {
  return { kind: 'session', key: session.id, session };
}

function groupOf(session: SessionSummary, by: Exclude<Grouping, 'none'>, now: number): string {
  switch (by) {
    case 'repository':
      return session.repository;
    case 'phase':
      return session.phase;
    case 'day':
      return dayOf(Date.parse(session.created_at), now);
  }
}

/** Days and repositories stay in the order in which their newest session has them. */
function order(name: string, by: Grouping): number {
  return by === 'phase' ? URGENCY.indexOf(name as Phase) : 0;
}

function labelOf(name: string, by: Grouping): string {
  if (by === 'repository') return baseName(name);
  return by === 'phase' && PHASES.includes(name as Phase) ? phaseWord(name as Phase) : name;
}

const DAY_MS = 86_400_000;

/** Today, Yesterday, a day of this week, then months; by the local calendar. */
function dayOf(at: number, now: number): string {
  const midnight = new Date(now).setHours(0, 0, 0, 0);
  if (at >= midnight) return words.list.today;
  if (at >= midnight - DAY_MS) return words.list.yesterday;
  const date = new Date(at);
  if (at >= midnight - 6 * DAY_MS) return date.toLocaleDateString(undefined, { weekday: 'long' });
  return date.toLocaleDateString(undefined, { month: 'long', year: 'numeric' });
}
