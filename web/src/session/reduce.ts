/**
 * From the log to what people see. Pure: the same entries give the same timeline, in one piece or in many, and an entry
 * that comes twice changes nothing. A log may be loaded from the middle; then what began earlier is shown as far as known,
 * and once the earlier entries arrive the whole is made again.
 */
import type { Entry, Event, Json, ToolCall } from '../api/events';
import type { SessionView } from '../api/types';
import { applyFact } from './facts';
import type { Item, PromptItem, SetupStep, ToolItem, TroubleItem } from './items';

export interface Timeline {
  /** The header, or null before the first snapshot from the server. */
  facts: SessionView | null;
  items: readonly Item[];
  /** Seq of the first and last entry in here; 0 when there is none. */
  first: number;
  last: number;
  /** When the last entry was logged, in ms. */
  lastAt: number;
  /** Tool calls of each turn, counted once per call. */
  steps: ReadonlyMap<number, number>;
  /** Places in `items`: of tool calls, prompts, permission requests and plans, by a name of their own. */
  places: ReadonlyMap<string, number>;
  turns: ReadonlyMap<number, { startedAt: number; place: number }>;
  waiting: ReadonlyMap<string, { text: string; by: string }>;
  /** The turn that runs, as far as the loaded entries tell. */
  running: number | null;
  /** The last turn that ended; what still comes of it does not make it run again. */
  ended: number;
  /** Somebody or something is ending that turn, so that the agent's going is no trouble. */
  stopping: boolean;
  /** Place of the message or thought that the next piece of text continues. */
  open: number | null;
  /** Place of the log item that the next line continues. */
  openLog: number | null;
  setup: number | null;
}

export const EMPTY: Timeline = {
  facts: null,
  items: [],
  first: 0,
  last: 0,
  lastAt: 0,
  steps: new Map(),
  places: new Map(),
  turns: new Map(),
  waiting: new Map(),
  running: null,
  ended: 0,
  stopping: false,
  open: null,
  openLog: null,
  setup: null,
};

/** `entries` in order of seq. Those at or below `timeline.last` are dropped. */
export function reduce(timeline: Timeline, entries: readonly Entry[]): Timeline {
  const fresh = entries.filter((entry) => entry.seq > timeline.last);
  if (fresh.length === 0) return timeline;
  const draft = new Draft(timeline);
  let last = timeline.last;
  for (const entry of fresh) {
    if (entry.seq <= last) continue;
    last = entry.seq;
    draft.apply(entry);
  }
  return draft.t;
}

/**
 * The whole again, from a snapshot and all loaded entries: after older entries came. Items of `previous` that say the
 * same are used again, so that what is already shown need not be drawn again.
 */
export function rebuild(facts: SessionView | null, entries: readonly Entry[], previous: Timeline = EMPTY): Timeline {
  const whole = reduce({ ...EMPTY, facts }, entries);
  if (previous.items.length === 0) return whole;
  const before = new Map(previous.items.map((item) => [item.key, item]));
  const items = whole.items.map((item) => {
    const known = before.get(item.key);
    return known && saysTheSame(known, item) ? known : item;
  });
  return { ...whole, items };
}

/** Compared two levels deep: below that, both hold the very values that the entries brought. */
function saysTheSame(a: object, b: object, depth = 2): boolean {
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => {
    const [x, y] = [a[key as keyof typeof a] as unknown, b[key as keyof typeof b] as unknown];
    if (x === y) return true;
    const deeper = depth > 1 && typeof x === 'object' && typeof y === 'object' && x !== null && y !== null;
    return deeper && saysTheSame(x, y, depth - 1);
  });
}

/** The same timeline under a newer header; of `entries`, those that the snapshot does not contain are applied to it. */
export function withSnapshot(timeline: Timeline, snapshot: SessionView, entries: readonly Entry[]): Timeline {
  let from = entries.length;
  while (from > 0 && (entries[from - 1]?.seq ?? 0) > snapshot.last_seq) from -= 1;
  let facts = snapshot;
  for (const entry of entries.slice(from)) {
    if (entry.seq <= timeline.last) facts = applyFact(facts, entry, startsCall(timeline, entry));
  }
  return { ...timeline, facts };
}

/** Whether this entry is the first of its tool call. */
function startsCall({ places, items }: Pick<Timeline, 'places' | 'items'>, { event, seq }: Entry): boolean {
  if (event.type !== 'tool_called') return false;
  const place = places.get(callName(event.turn, event.call));
  return place !== undefined && items[place]?.seq === seq;
}

function callName(turn: number, call: ToolCall): string {
  return `tool:${turn}:${call.id}`;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** One timeline in the making; what it was made from is never touched. */
class Draft {
  t: Mutable<Timeline>;
  #items: Item[];
  #places: Map<string, number>;
  #steps: Map<number, number>;
  #turns: Map<number, { startedAt: number; place: number }>;
  #waiting: Map<string, { text: string; by: string }>;

  constructor(from: Timeline) {
    this.#items = from.items.slice();
    this.#places = new Map(from.places);
    this.#steps = new Map(from.steps);
    this.#turns = new Map(from.turns);
    this.#waiting = new Map(from.waiting);
    this.t = {
      ...from,
      items: this.#items,
      places: this.#places,
      steps: this.#steps,
      turns: this.#turns,
      waiting: this.#waiting,
    };
  }

  apply(entry: Entry): void {
    const { event } = entry;
    // Any word of a turn says that it runs, also when its beginning is not loaded.
    if ('turn' in event && event.turn > this.t.ended && isTranscript(event)) this.t.running = event.turn;
    this.#show(entry, event);
    this.t.last = entry.seq;
    this.t.lastAt = entry.at;
    if (this.t.first === 0) this.t.first = entry.seq;
    if (this.t.facts) this.t.facts = applyFact(this.t.facts, entry, startsCall(this.t, entry));
  }

  #show(entry: Entry, event: Event): void {
    switch (event.type) {
      case 'prompt_queued':
        this.#waiting.set(event.prompt, { text: event.text, by: event.by });
        // Its place is where it starts. The first in line, with nothing running, is shown where it was said.
        if (this.t.running === null && this.#waiting.size === 1) this.#prompt(entry, event.prompt, null);
        return;
      case 'prompt_removed': {
        this.#waiting.delete(event.prompt);
        const place = this.#places.get(`prompt:${event.prompt}`);
        if (place !== undefined) this.#change<PromptItem>(place, { state: 'removed' });
        return;
      }
      case 'turn_started':
        this.#startTurn(entry, event);
        return;
      case 'stop_requested':
        this.t.stopping = true;
        this.#note(entry, `${event.by} asked to stop`);
        return;
      case 'model_chosen':
        this.#note(entry, `${event.by} chose the model ${event.model}`);
        return;
      case 'session_created':
        return;
      case 'session_ended':
        this.#note(entry, `${event.by} ended the session`);
        return;

      case 'sandbox_requested':
        this.t.setup = this.#push({
          ...head(entry),
          kind: 'setup',
          generation: event.generation,
          attempt: event.attempt,
          steps: [{ name: 'sandbox_requested', at: entry.at }],
          readyAt: null,
          failure: null,
        });
        return;
      case 'sandbox_created':
      case 'workspace_prepared':
      case 'agent_requested':
        this.#setupStep(entry, event.type, event.generation);
        return;
      case 'agent_initialized':
        return;
      case 'agent_opened':
        this.#setupStep(entry, event.type, 0);
        if (event.memory === 'digest') {
          this.#note(
            entry,
            'The agent could not load its earlier conversation. It gets a digest of this log with the next prompt.',
          );
        }
        return;
      case 'agent_ready':
        if (this.t.setup !== null) this.#change(this.t.setup, { readyAt: entry.at });
        this.t.setup = null;
        return;
      case 'sandbox_failed':
        this.#setupFailed(event.failure.message);
        this.#trouble(entry, 'sandbox_failed', event.failure, event.failure.message);
        return;
      case 'sandbox_lost':
        this.#setupFailed(event.detail);
        this.#trouble(entry, 'sandbox_lost', null, event.detail);
        return;
      case 'sandbox_released':
        this.#note(entry, `Sandbox given back${event.keep_files ? ', its files are kept' : ''}: ${event.reason}`);
        return;
      case 'sandbox_destroyed':
        return;
      case 'agent_broken':
        this.t.stopping = true;
        this.#trouble(entry, 'agent_broken', null, event.detail);
        return;
      case 'agent_exited':
        this.#setupFailed(event.detail);
        if (this.t.running === null) this.#log(entry, exitText(event));
        else if (this.t.stopping) this.#note(entry, exitText(event));
        else this.#trouble(entry, 'agent_exited', null, exitText(event));
        return;
      case 'input_queued':
      case 'cancel_answered':
        return;

      case 'permission_asked':
        this.#places.set(
          `permission:${name(event.request)}`,
          this.#push({
            ...head(entry),
            kind: 'permission',
            turn: event.turn,
            request: event.request,
            call: event.call,
            options: event.options,
            deadline: event.deadline,
            answer: null,
            closed: false,
          }),
        );
        return;
      case 'permission_answered': {
        const place = this.#places.get(`permission:${name(event.request)}`);
        if (place !== undefined) this.#change(place, { answer: { answer: event.answer, by: event.by } });
        return;
      }
      case 'guard_tripped':
        this.t.stopping = true;
        this.#push({ ...head(entry), kind: 'guard', turn: event.turn, guard: event.guard, detail: event.detail });
        return;
      case 'turn_ended':
        this.#endTurn(entry, event);
        return;
      case 'branch_pushed':
        this.#note(entry, `The agent pushed ${event.commit.slice(0, 8)} to the session's branch`);
        return;
      case 'work_committed':
        this.#push({ ...head(entry), kind: 'commit', turn: event.turn, commit: event.commit });
        return;
      case 'work_not_committed':
        this.#trouble(entry, 'work_not_committed', event.failure, event.failure.message);
        return;
      case 'branch_merged':
        this.#push({ ...head(entry), kind: 'merged', into: event.into, commit: event.commit, by: event.by });
        return;

      case 'agent_spoke': {
        const open = this.t.open === null ? undefined : this.#items[this.t.open];
        const same = open?.kind === 'message' && open.turn === event.turn;
        const continues = same && (!event.message || !open.message || event.message === open.message);
        if (continues) this.#change(this.t.open ?? 0, { text: open.text + event.text });
        else this.t.open = this.#push({ ...head(entry), kind: 'message', ...pick(event) });
        return;
      }
      case 'agent_thought': {
        const open = this.t.open === null ? undefined : this.#items[this.t.open];
        if (open?.kind === 'thought' && open.turn === event.turn) {
          this.#change(this.t.open ?? 0, { text: open.text + event.text, until: entry.at });
        } else {
          const { turn, text } = event;
          this.t.open = this.#push({ ...head(entry), kind: 'thought', turn, text, until: entry.at });
        }
        return;
      }
      case 'tool_called':
        this.#tool(entry, event.turn, event.call);
        return;
      case 'plan_changed': {
        const place = this.#places.get(`plan:${event.turn}`);
        if (place !== undefined) this.#change(place, { entries: event.entries });
        else {
          const item: Item = { ...head(entry), kind: 'plan', turn: event.turn, entries: event.entries };
          this.#places.set(`plan:${event.turn}`, this.#push(item));
        }
        return;
      }
      case 'context_measured':
      case 'tokens_used':
        return;
      case 'agent_sent':
        if (!BOOKKEEPING.has(event.kind)) this.#log(entry, `${event.kind} ${JSON.stringify(event.raw)}`);
        return;
      case 'agent_logged':
        this.#log(entry, event.text);
        return;
      case 'noted':
        this.#note(entry, event.text);
        return;
      default:
        // A server newer than this page: what it says is kept where people can find it.
        this.#log(entry, JSON.stringify(event satisfies never));
    }
  }

  #startTurn(entry: Entry, event: Event & { type: 'turn_started' }): void {
    if (event.attempt > 1) this.#note(entry, `Sent again after the sandbox was lost (attempt ${event.attempt})`);
    let place = this.#places.get(`prompt:${event.prompt}`);
    if (place === undefined) place = this.#prompt(entry, event.prompt, event.turn);
    else this.#change<PromptItem>(place, { state: 'started', turn: event.turn });
    this.#waiting.delete(event.prompt);
    if (event.attempt === 1) this.#turns.set(event.turn, { startedAt: entry.at, place });
    this.t.running = event.turn;
    this.t.stopping = false;
    this.t.open = null;
  }

  #endTurn(entry: Entry, event: Event & { type: 'turn_ended' }): void {
    const begun = this.#turns.get(event.turn);
    for (let place = begun?.place ?? 0; place < this.#items.length; place += 1) {
      const item = this.#items[place];
      if (item?.kind === 'tool' && item.turn === event.turn && item.endedAt === null) {
        this.#change<ToolItem>(place, { interrupted: true, endedAt: entry.at });
      } else if (item?.kind === 'permission' && item.turn === event.turn && item.answer === null) {
        this.#change(place, { closed: true });
      }
    }
    this.#push({
      ...head(entry),
      kind: 'ending',
      turn: event.turn,
      outcome: event.outcome,
      startedAt: begun?.startedAt ?? null,
      steps: this.#steps.get(event.turn) ?? 0,
    });
    this.t.running = null;
    this.t.ended = Math.max(this.t.ended, event.turn);
  }

  #prompt(entry: Entry, prompt: string, turn: number | null): number {
    const said = this.#waiting.get(prompt);
    const place = this.#push({
      ...head(entry),
      kind: 'prompt',
      prompt,
      text: said?.text ?? null,
      by: said?.by ?? null,
      state: turn === null ? 'waiting' : 'started',
      turn,
    });
    this.#places.set(`prompt:${prompt}`, place);
    return place;
  }

  #tool(entry: Entry, turn: number, call: ToolCall): void {
    const id = callName(turn, call);
    const place = this.#places.get(id);
    const ended = call.status === 'completed' || call.status === 'failed';
    if (place === undefined) {
      const item: Item = {
        ...head(entry),
        kind: 'tool',
        turn,
        call,
        endedAt: ended ? entry.at : null,
        interrupted: false,
      };
      this.#places.set(id, this.#push(item));
      this.#steps.set(turn, (this.#steps.get(turn) ?? 0) + 1);
      return;
    }
    const item = this.#items[place] as ToolItem;
    const printed = call.printed === undefined ? {} : { printed: (item.call.printed ?? '') + call.printed };
    this.#change<ToolItem>(place, {
      call: { ...item.call, ...call, ...printed },
      endedAt: ended ? entry.at : item.endedAt,
    });
  }

  #setupStep(entry: Entry, step: SetupStep, generation: number): void {
    const open = this.t.setup === null ? undefined : this.#items[this.t.setup];
    const added = { name: step, at: entry.at };
    if (open?.kind === 'setup' && open.failure === null) {
      this.#change(this.t.setup ?? 0, { steps: [...open.steps, added] });
    } else {
      // The agent alone, started again in a sandbox that is already there; or a log loaded from its middle.
      const item: Item = {
        ...head(entry),
        kind: 'setup',
        generation,
        attempt: 1,
        steps: [added],
        readyAt: null,
        failure: null,
      };
      this.t.setup = this.#push(item);
    }
  }

  #setupFailed(failure: string): void {
    if (this.t.setup !== null) this.#change(this.t.setup, { failure });
    this.t.setup = null;
  }

  #trouble(
    entry: Entry,
    what: TroubleItem['what'],
    failure: (Event & { type: 'sandbox_failed' })['failure'] | null,
    detail: string,
  ): void {
    this.#push({ ...head(entry), kind: 'trouble', what, failure, detail });
  }

  #note(entry: Entry, text: string): void {
    this.#push({ ...head(entry), kind: 'note', text });
  }

  /** Neither ends a message nor a log item that is being written. */
  #log(entry: Entry, text: string): void {
    const open = this.t.openLog === null ? undefined : this.#items[this.t.openLog];
    if (open?.kind === 'log') {
      const joined = open.text.endsWith('\n') ? open.text + text : `${open.text}\n${text}`;
      this.#change(this.t.openLog ?? 0, { text: joined, lines: open.lines + 1 });
      return;
    }
    this.#items.push({ ...head(entry), kind: 'log', text, lines: 1 });
    this.t.openLog = this.#items.length - 1;
  }

  #push(item: Item): number {
    this.t.open = null;
    this.t.openLog = null;
    this.#items.push(item);
    return this.#items.length - 1;
  }

  #change<T extends Item>(place: number, fields: Partial<Omit<T, 'kind'>> | Partial<Item>): void {
    this.#items[place] = { ...this.#items[place], ...fields } as Item;
  }
}

function head(entry: Entry): { key: string; seq: number; at: number } {
  return { key: `e${entry.seq}`, seq: entry.seq, at: entry.at };
}

function pick(event: Event & { type: 'agent_spoke' }) {
  return { turn: event.turn, text: event.text, message: event.message };
}

function name(request: Json): string {
  return JSON.stringify(request);
}

/** What agents tell other programs about themselves; nobody who reads a timeline misses it. Kinds of ACP v1, and ours. */
const BOOKKEEPING = new Set([
  'available_commands_update',
  'config_option_update',
  'current_mode_update',
  'prompt_result',
  'session_info_update',
  'usage_update',
]);

function isTranscript(event: Event): boolean {
  return ['agent_spoke', 'agent_thought', 'tool_called', 'plan_changed', 'permission_asked'].includes(event.type);
}

function exitText(event: Event & { type: 'agent_exited' }): string {
  const how =
    event.status === null
      ? 'The agent is gone'
      : event.status.ended === 'code'
        ? `The agent exited with code ${event.status.code}`
        : `The agent was ended by signal ${event.status.signal}`;
  return event.detail ? `${how}: ${event.detail}` : how;
}
