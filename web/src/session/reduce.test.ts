import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { Entry, Event } from '../api/events';
import type { SessionView } from '../api/types';
import type { Item } from './items';
import { rebuild, rebuildInPieces, reduce, withSnapshot } from './reduce';
import { EMPTY, type Timeline } from './timeline';

const fixtures = fileURLToPath(new URL('../../fixtures/', import.meta.url));
const frozen = fileURLToPath(new URL('../../../crates/domain/fixtures/events/', import.meta.url));

function recorded(name: string): { log: Entry[]; view: SessionView } {
  return JSON.parse(readFileSync(`${fixtures}${name}.json`, 'utf8'));
}

const RECORDED = readdirSync(fixtures).map((file) => file.replace('.json', ''));

/** What people see; the rest of a timeline is bookkeeping. */
function seen({ items, facts, steps }: Timeline) {
  return { items, facts, steps: [...steps] };
}

/** The view of a session that has only just been created. */
function atFirst(view: SessionView): SessionView {
  return {
    ...view,
    phase: 'starting',
    reason: null,
    model: null,
    models: [],
    turn: 0,
    steps: 0,
    tokens: { input: 0, output: 0, cached: 0, cache_written: 0, reasoning: 0 },
    cost: { micros: 0, is_partial: false },
    turn_cost: { micros: 0, is_partial: false },
    elapsed_ms: 0,
    turn_started_at: null,
    queued: [],
    permission: null,
    question: null,
    commits: [],
    merged: null,
    pull_request: null,
    ended: false,
    last_seq: 1,
  };
}

describe.each(RECORDED)('the recorded log %s', (name) => {
  const { log, view } = recorded(name);
  const whole = rebuild(atFirst(view), log);

  test('gives the same in pieces of any size', () => {
    for (const size of [1, 2, 3, 7, 50]) {
      let timeline: Timeline = { ...EMPTY, facts: atFirst(view) };
      for (let from = 0; from < log.length; from += size) timeline = reduce(timeline, log.slice(from, from + size));
      expect(seen(timeline)).toEqual(seen(whole));
    }
  });

  test('gives the same when entries come twice', () => {
    let timeline: Timeline = { ...EMPTY, facts: atFirst(view) };
    for (let from = 0; from < log.length; from += 5)
      timeline = reduce(timeline, log.slice(Math.max(0, from - 9), from + 5));
    expect(seen(timeline)).toEqual(seen(whole));
  });

  test('never touches what it was given', () => {
    const half = reduce(EMPTY, log.slice(0, log.length / 2));
    const before = structuredClone(half.items);
    reduce(half, log);
    expect(half.items).toEqual(before);
  });

  test('ends with the header that the server has, but for the phase', () => {
    const ours = { ...whole.facts, phase: null, reason: null, updated_at: null };
    expect(ours).toEqual({ ...view, phase: null, reason: null, updated_at: null });
  });

  test('gives the same header from a snapshot of any moment', () => {
    for (let at = 1; at < log.length; at += 4) {
      const snapshot = rebuild(atFirst(view), log.slice(0, at)).facts as SessionView;
      expect(withSnapshot(whole, snapshot, log).facts).toEqual(whole.facts);
    }
  });

  test('gives the same when it is made again in pieces, with pauses and with entries that come meanwhile', async () => {
    const many = Array.from({ length: 200 }, (_, round) =>
      log.map((entry) => ({ ...entry, seq: entry.seq + round * log.length })),
    ).flat();
    const growing = many.slice(0, -log.length);
    let live = rebuild(view, growing.slice(-100));
    const made = rebuildInPieces(
      growing,
      () => live,
      () => false,
    );
    growing.push(...many.slice(-log.length));
    live = reduce(live, many.slice(-log.length));
    const timeline = await made;
    expect(timeline?.items).toEqual(rebuild(null, many).items);
    expect(timeline?.facts).toEqual(live.facts);
    expect(
      await rebuildInPieces(
        growing,
        () => live,
        () => true,
      ),
    ).toBe(null);
  });

  test('shows the same items loaded from the middle, once the rest is there', () => {
    const middle = Math.floor(log.length / 2);
    const late = rebuild(view, log.slice(middle));
    expect(late.first).toBe(middle + 1);
    const complete = rebuild(view, log, late);
    expect(complete.items).toEqual(whole.items);
    // Only what the cut went through is drawn again.
    expect(late.items.filter((item) => !complete.items.includes(item)).length).toBeLessThanOrEqual(4);
  });
});

test('an ordinary turn reads as people expect', () => {
  const { log } = recorded('fix');
  expect(rebuild(null, log).items.map(oneWord)).toEqual([
    'prompt started',
    'setup ready',
    'thought',
    'plan 4/4',
    'tool failed',
    'message',
    'tool completed',
    'tool completed',
    'log',
    'message',
    'tool completed',
    'tool completed',
    'tool completed',
    'message',
    'ending completed',
    'commit',
  ]);
});

function oneWord(item: Item): string {
  switch (item.kind) {
    case 'prompt':
      return `prompt ${item.state}`;
    case 'setup':
      return `setup ${item.readyAt === null ? 'unfinished' : 'ready'}`;
    case 'plan':
      return `plan ${item.entries.filter((entry) => entry.status === 'completed').length}/${item.entries.length}`;
    case 'tool':
      return `tool ${item.interrupted ? 'cut short' : item.call.status}`;
    case 'ending':
      return `ending ${item.outcome.how}`;
    default:
      return item.kind;
  }
}

/** Entries from events, numbered. */
function log(...events: Event[]): Entry[] {
  return events.map((event, place) => ({ seq: place + 1, at: 1_000 * (place + 1), event }));
}
const queued = (prompt: string): Event => ({ type: 'prompt_queued', prompt, text: `text of ${prompt}`, by: 'Ada' });
const started = (turn: number, prompt: string): Event => ({ type: 'turn_started', turn, prompt, attempt: 1 });
const ended = (turn: number): Event => ({
  type: 'turn_ended',
  turn,
  outcome: { how: 'completed', stop_reason: 'end_turn' },
});

test('a prompt queued in a turn is shown where it starts, not where it was queued', () => {
  const timeline = rebuild(
    null,
    log(
      queued('A'),
      started(1, 'A'),
      queued('B'),
      { type: 'agent_spoke', turn: 1, text: 'hm' },
      ended(1),
      started(2, 'B'),
    ),
  );
  expect(timeline.items.map((item) => (item.kind === 'prompt' ? item.text : item.kind))).toEqual([
    'text of A',
    'message',
    'ending',
    'text of B',
  ]);
});

test('a removed prompt says so, and one that never showed leaves nothing', () => {
  const timeline = rebuild(
    null,
    log(
      queued('A'),
      queued('B'),
      { type: 'prompt_removed', prompt: 'B', by: 'Ada' },
      { type: 'prompt_removed', prompt: 'A', by: 'Ada' },
    ),
  );
  expect(timeline.items.map(oneWord)).toEqual(['prompt removed']);
});

test('news of a tool call comes in any order and keeps what it does not mention', () => {
  const timeline = rebuild(
    null,
    log(
      started(1, 'A'),
      { type: 'tool_called', turn: 1, call: { id: 'x', status: 'in_progress' } },
      { type: 'tool_called', turn: 1, call: { id: 'x', title: 'ls' } },
      { type: 'agent_logged', text: 'noise' },
      { type: 'tool_called', turn: 1, call: { id: 'x', status: 'completed', output: 'a\nb' } },
      { type: 'tool_called', turn: 2, call: { id: 'x', title: 'another turn, another call' } },
    ),
  );
  const tools = timeline.items.filter((item) => item.kind === 'tool');
  expect(tools.map((item) => item.call)).toEqual([
    { id: 'x', status: 'completed', title: 'ls', output: 'a\nb' },
    { id: 'x', title: 'another turn, another call' },
  ]);
  expect(tools.map((item) => item.endedAt)).toEqual([5_000, null]);
});

test('what a tool prints piece by piece is put together', () => {
  const timeline = rebuild(
    null,
    log(
      { type: 'tool_called', turn: 1, call: { id: 'x', title: 'ls', printed: 'a' } },
      { type: 'tool_called', turn: 1, call: { id: 'x', printed: 'b\n' } },
      { type: 'tool_called', turn: 1, call: { id: 'x', status: 'completed' } },
    ),
  );
  const tools = timeline.items.filter((item) => item.kind === 'tool');
  expect(tools.map((item) => item.call)).toEqual([{ id: 'x', title: 'ls', printed: 'ab\n', status: 'completed' }]);
});

test('noise of the agent does not tear a message apart', () => {
  const timeline = rebuild(
    null,
    log(
      { type: 'agent_spoke', turn: 1, text: 'one ' },
      { type: 'agent_logged', text: 'warning' },
      { type: 'context_measured', turn: 1, used: 1, size: 2 },
      { type: 'agent_spoke', turn: 1, text: 'two' },
      { type: 'agent_logged', text: 'warning' },
    ),
  );
  expect(timeline.items).toMatchObject([
    { kind: 'message', text: 'one two' },
    { kind: 'log', text: 'warning\nwarning', lines: 2 },
  ]);
});

test('what is open when a turn ends is closed with it', () => {
  const timeline = rebuild(
    null,
    log(
      started(1, 'A'),
      { type: 'tool_called', turn: 1, call: { id: 'x', status: 'in_progress' } },
      { type: 'permission_asked', turn: 1, request: 7, call: { id: 'x' }, options: [], deadline: 9 },
      { type: 'question_asked', turn: 1, request: 8, question: { message: 'Why?', fields: [] }, deadline: 9 },
      { type: 'turn_ended', turn: 1, outcome: { how: 'stopped', by: 'Ada' } },
      { type: 'agent_spoke', turn: 1, text: 'too late' },
    ),
  );
  expect(timeline.items).toMatchObject([
    { kind: 'prompt', text: null },
    { kind: 'tool', interrupted: true },
    { kind: 'permission', closed: true },
    { kind: 'question', closed: true },
    { kind: 'ending' },
    { kind: 'message' },
  ]);
  expect(timeline.running).toBe(null);
});

test('a question is one item, and what was answered is in it', () => {
  const question = { message: 'Why?', fields: [] };
  const asked: Event = { type: 'question_asked', turn: 1, request: 7, question, deadline: 9 };
  const answered = { reply: { reply: 'declined' }, by: { by: 'policy' }, why: 'a page' } as const;
  const { items } = rebuild(null, log(started(1, 'A'), asked, { type: 'question_answered', request: 7, ...answered }));
  expect(items.slice(1)).toMatchObject([{ kind: 'question', question, closed: false, answer: answered }]);
});

test('an agent that goes in the middle of its work is trouble, one that is being stopped is not', () => {
  const gone: Event = { type: 'agent_exited', run: 1, status: { ended: 'code', code: 1 }, detail: '' };
  const kinds = (...events: Event[]) =>
    rebuild(null, log(started(1, 'A'), ...events))
      .items.slice(1)
      .map(oneWord);
  expect(kinds(gone)).toEqual(['trouble']);
  expect(kinds({ type: 'stop_requested', turn: 1, by: 'Ada' }, gone)).toEqual(['note', 'note']);
});

/** Every variant, and whether people see something of it by itself. The compiler holds this list complete. */
const SHOWN: Record<Event['type'], boolean> = {
  session_created: false,
  prompt_queued: true,
  prompt_edited: false,
  prompt_removed: false,
  stop_requested: true,
  model_chosen: true,
  budget_set: true,
  priority_set: true,
  sandbox_queued: true,
  budget_neared: true,
  terminal_opened: true,
  artifacts_kept: true,
  sandbox_used: false,
  attempt_taken: true,
  child_begun: true,
  child_spent: false,
  parent_ended: true,
  session_ended: true,
  session_archived: true,
  session_unarchived: true,
  sandbox_requested: true,
  setup_begun: true,
  setup_ended: true,
  sandbox_created: true,
  workspace_prepared: true,
  sandbox_failed: true,
  pause_requested: true,
  sandbox_paused: false,
  pause_failed: true,
  resume_requested: true,
  sandbox_resumed: false,
  release_announced: true,
  sandbox_lost: true,
  sandbox_released: true,
  sandbox_destroyed: false,
  checkpoint_requested: false,
  checkpoint_kept: true,
  checkpoint_failed: true,
  restore_requested: true,
  files_restored: true,
  restore_failed: true,
  agent_requested: true,
  agent_initialized: false,
  agent_opened: true,
  agent_ready: false,
  agent_broken: true,
  agent_exited: true,
  input_queued: false,
  turn_started: true,
  permission_asked: true,
  permission_answered: false,
  question_asked: true,
  question_answered: false,
  retry_planned: true,
  prompt_retried: false,
  cancel_answered: false,
  guard_tripped: true,
  turn_continued: true,
  turn_ended: true,
  branch_pushed: true,
  work_committed: true,
  work_not_committed: true,
  nothing_to_check: true,
  checks_requested: true,
  checks_ended: true,
  branch_updated: true,
  workspace_updated: false,
  branch_merged: true,
  pull_request_published: true,
  agent_spoke: true,
  agent_thought: true,
  tool_called: true,
  plan_changed: true,
  context_measured: false,
  tokens_used: false,
  host_contacted: true,
  agent_sent: false,
  agent_logged: true,
  noted: true,
};

describe('every event that the domain has frozen', () => {
  /** An event that has grown has a file for each form, such as `session_created.3.json`. */
  const nameOf = (file: string) => file.split('.')[0];
  const files = readdirSync(frozen).filter((file) => file.endsWith('.json'));

  test('is known here, and the other way round', () => {
    expect([...new Set(files.map(nameOf))].sort()).toEqual(Object.keys(SHOWN).sort());
  });

  test.each(files)('%s', (file) => {
    const entry = JSON.parse(readFileSync(`${frozen}${file}`, 'utf8')) as Entry;
    expect(entry.event.type).toBe(nameOf(file));
    const items = rebuild(null, [entry]).items;
    expect(items.length > 0).toBe(SHOWN[entry.event.type]);
  });
});
