/** What each entry of the log does to the timeline. */

import type { Entry, Event, ToolCall } from '../api/events';
import { words } from '../text/english';
import { BOOKKEEPING, head, isAsked, isTranscript, name, pick } from './entries';
import { applyFact, filesOf } from './facts';
import type { Item, PermissionItem, PromptItem, QuestionItem, SetupStep, ToolItem, TroubleItem } from './items';
import { exitText, guardOf, sentence } from './sentences';
import { callName, startsCall, type Timeline } from './timeline';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Writable<T> = T extends ReadonlyMap<infer Key, infer Value> ? Map<Key, Value> : never;
type Maps = { [Name in 'places' | 'steps' | 'turns' | 'waiting']: Writable<Timeline[Name]> };

/** One timeline in the making. What it was made from is never touched. */
export class Draft {
  t: Mutable<Timeline>;
  #items: Item[];
  /** Those of the maps that are this draft's own. Most batches change none, and in a long session they are large. */
  #owned = new Set<keyof Maps>();

  constructor(from: Timeline) {
    this.#items = from.items.slice();
    this.t = { ...from, items: this.#items };
  }

  /** To write to; copied when that is done for the first time. */
  #own<Name extends keyof Maps>(name: Name): Maps[Name] {
    if (!this.#owned.has(name)) {
      this.#owned.add(name);
      Object.assign(this.t, { [name]: new Map(this.t[name] as ReadonlyMap<never, never>) });
    }
    // Ours by now.
    return this.t[name] as unknown as Maps[Name];
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
        this.#own('waiting').set(event.prompt, { text: event.text, by: event.by, files: filesOf(event) });
        // Its place is where it starts. The first in line, with nothing running, is shown where it was said.
        if (this.t.running === null && this.t.waiting.size === 1) this.#prompt(entry, event.prompt, null);
        return;
      case 'prompt_edited': {
        const { prompt, text, by } = event;
        this.#own('waiting').set(prompt, { by, files: [], ...this.t.waiting.get(prompt), text });
        const place = this.t.places.get(`prompt:${prompt}`);
        if (place !== undefined) this.#change<PromptItem>(place, { text });
        return;
      }
      case 'prompt_removed': {
        this.#own('waiting').delete(event.prompt);
        const place = this.t.places.get(`prompt:${event.prompt}`);
        if (place !== undefined) this.#change<PromptItem>(place, { state: 'removed' });
        return;
      }
      case 'turn_started':
        this.#startTurn(entry, event);
        return;
      case 'stop_requested':
        this.t.stopping = true;
        this.#note(entry, words.notes.stop_requested(event.by));
        return;
      case 'model_chosen':
      case 'attempt_taken':
      case 'child_begun':
      case 'parent_ended':
      case 'session_ended':
      case 'session_archived':
      case 'session_unarchived':
      case 'pause_requested':
      case 'pause_failed':
      case 'resume_requested':
      case 'release_announced':
      case 'sandbox_released':
      case 'terminal_opened':
      case 'artifacts_kept':
      case 'budget_set':
      case 'priority_set':
      case 'sandbox_queued':
      case 'budget_neared':
      case 'turn_continued':
      case 'checkpoint_failed':
      case 'restore_requested':
      case 'files_restored':
      case 'restore_failed':
      case 'retry_planned':
      case 'branch_pushed':
      case 'pull_request_published':
      case 'branch_updated':
      case 'nothing_to_check':
      case 'checks_requested':
      case 'checks_ended':
        this.#note(entry, sentence(event, entry.at));
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
      case 'setup_ended':
        if (!event.failure) this.#setupStep(entry, event.type, event.generation);
        else this.#note(entry, words.notes.setup_failed(event.failure));
        return;
      case 'setup_begun':
      case 'sandbox_created':
      case 'workspace_prepared':
      case 'agent_requested':
        this.#setupStep(entry, event.type, event.generation);
        return;
      case 'agent_opened':
        this.#setupStep(entry, event.type, 0);
        if (event.memory === 'digest') this.#note(entry, words.notes.digest);
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
      case 'checkpoint_kept':
        this.#push({ ...head(entry), kind: 'kept', checkpoint: event.checkpoint });
        return;
      case 'session_created':
      case 'agent_initialized':
      case 'child_spent':
      case 'checkpoint_requested':
      case 'context_measured':
      case 'tokens_used':
      case 'input_queued':
      case 'prompt_retried':
      case 'cancel_answered':
      case 'sandbox_paused':
      case 'sandbox_resumed':
      case 'sandbox_destroyed':
      case 'sandbox_used':
      case 'workspace_updated':
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
      case 'permission_asked': {
        const { turn, request, call, options, deadline } = event;
        const asked = { kind: 'permission', turn, request, call, options, deadline } as const;
        this.#asked(`permission:${name(request)}`, { ...head(entry), ...asked, answer: null, closed: false });
        return;
      }
      case 'permission_answered': {
        const place = this.t.places.get(`permission:${name(event.request)}`);
        if (place !== undefined) this.#change(place, { answer: { answer: event.answer, by: event.by } });
        return;
      }
      case 'question_asked': {
        const { turn, request, question, deadline } = event;
        const asked = { kind: 'question', turn, request, question, deadline } as const;
        this.#asked(`question:${name(request)}`, { ...head(entry), ...asked, answer: null, closed: false });
        return;
      }
      case 'question_answered': {
        const { request, reply, by, why = null } = event;
        const place = this.t.places.get(`question:${name(request)}`);
        if (place !== undefined) this.#change<QuestionItem>(place, { answer: { reply, by, why } });
        return;
      }
      case 'guard_tripped':
        this.t.stopping = true;
        this.#push({ ...head(entry), kind: 'guard', ...guardOf(event) });
        return;
      case 'turn_ended':
        this.#endTurn(entry, event);
        return;
      case 'work_committed':
        this.#push({ ...head(entry), kind: 'commit', turn: event.turn, commit: event.commit ?? null });
        if (event.commit) this.t.committedAt = entry.seq;
        return;
      case 'work_not_committed':
        this.#trouble(entry, 'work_not_committed', event.failure, event.failure.message);
        return;
      case 'branch_merged':
        this.#push({ ...head(entry), kind: 'merged', into: event.into, commit: event.commit, by: event.by });
        this.t.mergedAt = entry.seq;
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
        const place = this.t.places.get(`plan:${event.turn}`);
        if (place !== undefined) this.#change(place, { entries: event.entries });
        else {
          const item: Item = { ...head(entry), kind: 'plan', turn: event.turn, entries: event.entries };
          this.#own('places').set(`plan:${event.turn}`, this.#push(item));
        }
        return;
      }
      case 'host_contacted':
        if (event.refused) this.#note(entry, words.notes.host_refused(event.host, event.refused));
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
    if (event.attempt > 1) this.#note(entry, words.notes.sentAgain(event.attempt));
    let place = this.t.places.get(`prompt:${event.prompt}`);
    if (place === undefined) place = this.#prompt(entry, event.prompt, event.turn);
    else this.#change<PromptItem>(place, { state: 'started', turn: event.turn });
    this.#own('waiting').delete(event.prompt);
    if (event.attempt === 1) this.#own('turns').set(event.turn, { startedAt: entry.at, place });
    this.t.running = event.turn;
    this.t.stopping = false;
    this.t.open = null;
  }

  #endTurn(entry: Entry, event: Event & { type: 'turn_ended' }): void {
    const begun = this.t.turns.get(event.turn);
    for (let place = begun?.place ?? 0; place < this.#items.length; place += 1) {
      const item = this.#items[place];
      if (item?.kind === 'tool' && item.turn === event.turn && item.endedAt === null) {
        this.#change<ToolItem>(place, { interrupted: true, endedAt: entry.at });
      } else if (isAsked(item) && item.turn === event.turn && item.answer === null) {
        this.#change(place, { closed: true });
      }
    }
    this.#push({
      ...head(entry),
      kind: 'ending',
      turn: event.turn,
      outcome: event.outcome,
      startedAt: begun?.startedAt ?? null,
      // Without its beginning nobody knows how many there were.
      steps: begun ? (this.t.steps.get(event.turn) ?? 0) : null,
    });
    this.t.running = null;
    this.t.ended = Math.max(this.t.ended, event.turn);
  }

  #prompt(entry: Entry, prompt: string, turn: number | null): number {
    const place = this.#push({
      ...head(entry),
      kind: 'prompt',
      prompt,
      ...(this.t.waiting.get(prompt) ?? { text: null, by: null, files: [] }),
      state: turn === null ? 'waiting' : 'started',
      turn,
    });
    this.#own('places').set(`prompt:${prompt}`, place);
    return place;
  }

  #asked(id: string, item: PermissionItem | QuestionItem): void {
    this.#own('places').set(id, this.#push(item));
  }

  #tool(entry: Entry, turn: number, call: ToolCall): void {
    const id = callName(turn, call);
    const place = this.t.places.get(id);
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
      this.#own('places').set(id, this.#push(item));
      this.#own('steps').set(turn, (this.t.steps.get(turn) ?? 0) + 1);
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
