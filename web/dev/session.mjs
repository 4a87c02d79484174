/** One session of the dev double: a log in memory, the view of it, and an agent that plays a story. */
import { EventEmitter } from 'node:events';
import { Asking } from './asking.mjs';
import { GUARDS, Standing } from './guards.mjs';
import { ALONE, NOT_WAITING } from './queue.mjs';
import { Refused } from './refused.mjs';
import { checked } from './review.mjs';
import { FILES, MODELS, resting, spendsAll, storyFor } from './story.mjs';
import { ulid } from './ulid.mjs';

const CONTACTS = [
  { host: 'registry.example.com', port: 443, refused: null },
  { host: '169.254.169.254', port: 80, refused: 'it is a link-local address' },
];
/** What a list is not told. */
const ONLY_IN_A_VIEW = [
  ...['base', 'models', 'queued', 'permission', 'question', 'commits', 'checkpoints', 'origin', 'checks', 'merged'],
  ...['pull_request', 'network', 'contacts', 'sandbox_state', 'turn_cost', 'budget_micros', 'priority'],
  ...['guards', 'tripped', 'family'],
];

const commitId = () => Array.from({ length: 40 }, () => '0123456789abcdef'[Math.floor(Math.random() * 16)]).join('');

export class Session extends EventEmitter {
  log = [];
  queue = [];
  turn = null;
  turns = 0;
  asking = new Asking(this);
  guards = new Standing();
  commits = [];
  checkpoints = [];
  merged = null;
  pull_request = null;
  checks = null;
  ended = false;
  archived = false;
  tokens = { input: 0, output: 0, cached: 0, cache_written: 0, reasoning: 0 };
  cost = { micros: 0, is_partial: false };
  budget = 0;
  model = null;
  ready = false;
  last = null;
  committing = false;

  constructor(spec, person, speed) {
    super();
    this.setMaxListeners(0);
    this.id = ulid();
    this.speed = speed;
    this.person = person;
    const title = spec.title ?? spec.prompt.split('\n')[0].slice(0, 80);
    const slug =
      title
        .toLowerCase()
        .replace(/[^a-z0-9]+/g, '-')
        .slice(0, 30)
        .replace(/^-+|-+$/g, '') || 'session';
    this.spec = {
      ...(spec.fork ? { origin: spec.fork } : {}),
      title,
      repository: spec.repository,
      base: spec.base ?? 'main',
      branch: `lamplight/${slug}-${this.id.slice(-6).toLowerCase()}`,
      agent: spec.agent ?? 'goose',
      model: spec.model ?? null,
      mode: null,
      person,
      permissions: spec.permissions ?? 'allow',
      limits: {
        steps: 25,
        failures_in_a_row: 3,
        identical_calls: 3,
        silence_ms: 600000,
        wall_clock_ms: 7200000,
        permission_ms: 300000,
        start_ms: 120000,
        cancel_grace_ms: 2000,
        idle_ms: 300000,
        ...spec.limits,
      },
    };
    this.model = this.spec.model;
    this.append({ type: 'session_created', spec: this.spec });
    this.prompt(spec.prompt);
    void this.run();
  }

  append(event) {
    const entry = { seq: this.log.length + 1, at: Date.now(), event };
    this.log.push(entry);
    this.emit('entry', entry);
    this.emit('change');
  }

  prompt(text) {
    if (this.ended) throw new Refused(409, 'session_ended', 'This session has ended.', 'Start a new session.');
    if (typeof text !== 'string' || text.trim() === '')
      throw new Refused(400, 'invalid_request', 'A prompt needs a text.', 'Send {"text": "…"}.');
    this.guards.refuseIfSpent();
    const queued = this.#queued(text);
    this.queue.push(queued);
    this.archived = false;
    this.append({ type: 'prompt_queued', ...queued });
    this.emit('work');
    return { prompt: queued.prompt, position: this.queue.length };
  }

  /** Before those that wait. */
  continuePrompt(text, continued) {
    const queued = this.#queued(text);
    this.queue.unshift(queued);
    this.append(continued(queued.prompt));
    this.append({ type: 'prompt_queued', ...queued });
    this.emit('work');
  }

  #queued(text) {
    return { prompt: ulid(), text, by: this.person.name, attachments: [] };
  }

  editPrompt(id, text) {
    const queued = this.queue.find((one) => one.prompt === id);
    if (!queued)
      throw new Refused(404, 'prompt_not_found', 'This prompt is not queued.', 'It may have started already.');
    if (typeof text !== 'string' || text.trim() === '')
      throw new Refused(400, 'empty_prompt', 'A prompt needs a text.', 'Say what is to be done.');
    queued.text = text;
    this.append({ type: 'prompt_edited', prompt: id, text, by: this.person.name });
  }

  archive(archived) {
    if (this.archived === archived) return;
    this.archived = archived;
    this.append({ type: archived ? 'session_archived' : 'session_unarchived', by: this.person.name });
  }

  removePrompt(id) {
    if (!this.queue.some((queued) => queued.prompt === id))
      throw new Refused(404, 'prompt_not_found', 'This prompt is not queued.', 'It may have started already.');
    this.queue = this.queue.filter((queued) => queued.prompt !== id);
    this.append({ type: 'prompt_removed', prompt: id, by: this.person.name });
  }

  stop() {
    if (this.turn) {
      if (this.turn.stopping) return;
      this.turn.stopping = true;
      this.append({ type: 'stop_requested', turn: this.turn.number, by: this.person.name });
      this.asking.stop();
      this.emit('stop');
    } else if (this.queue.length > 0) for (const { prompt } of [...this.queue]) this.removePrompt(prompt);
    else throw new Refused(409, 'no_turn_running', 'No turn is running.', 'There is nothing to stop.');
  }

  chooseModel(model) {
    this.#idle();
    if (!MODELS.some((known) => known.id === model))
      throw new Refused(400, 'invalid_request', `The agent has no model ${model}.`, 'Choose one of its models.');
    this.model = model;
    this.append({ type: 'model_chosen', model, by: this.person.name });
  }

  merge() {
    this.#idle();
    if (this.commits.length === 0)
      throw new Refused(
        409,
        'nothing_to_merge',
        'The branch has no commits.',
        'Wait for a turn that changes something.',
      );
    if (/conflict/.test(this.spec.title))
      throw new Refused(
        409,
        'merge_conflict',
        'src/median.js was changed on main, too.',
        'Merge main into the branch, or ask the agent to.',
      );
    this.merged = { into: this.spec.base, commit: commitId() };
    this.append({ type: 'branch_merged', ...this.merged, by: this.person.name });
    return this.merged;
  }

  end() {
    this.#idle();
    this.ended = true;
    this.queue = [];
    this.append({ type: 'session_ended', by: this.person.name });
    this.append({ type: 'sandbox_released', generation: 1, keep_files: false, reason: 'the session ended' });
    this.emit('work');
  }

  #idle() {
    if (this.turn) throw new Refused(409, 'turn_running', 'A turn is running.', 'Wait for its end, or stop it.');
  }

  diff(turn) {
    const some = turn === null ? this.commits.length > 0 : this.commits.some((commit) => commit.turn === turn);
    return {
      base: commitId(),
      head: this.commits.at(-1)?.id ?? commitId(),
      files: some ? FILES : [],
      truncated: false,
    };
  }

  phase() {
    if (this.turn?.stopping) return ['executing', 'stopping'];
    if (this.asking.isOpen()) return ['waiting_for_you', this.asking.reason()];
    if (this.turn) return [this.turn.calls.size === 0 ? 'planning' : 'executing', null];
    if (this.committing) return ['executing', 'recording the work'];
    if (this.queue.length > 0) return ['starting', null];
    return this.last ?? ['paused', 'nothing is asked of it; prompt to go on'];
  }

  view() {
    const [phase, reason] = this.phase();
    const turn = this.turn ?? this.lastTurn;
    const iso = (ms) => new Date(ms).toISOString();
    return {
      id: this.id,
      title: this.spec.title,
      phase,
      reason,
      repository: this.spec.repository,
      base: this.spec.base,
      branch: this.spec.branch,
      agent: this.spec.agent,
      model: this.model ?? (this.ready ? MODELS[0].id : null),
      models: this.ready ? MODELS : [],
      person: this.person,
      turn: this.turns,
      steps: turn?.calls.size ?? 0,
      tokens: this.tokens,
      cost: this.cost,
      turn_cost: this.cost,
      budget_micros: this.budget,
      guards: GUARDS.map((guard) => ({ counted: 0, raised: false, ...guard })),
      tripped: this.turn ? null : this.guards.tripped,
      elapsed_ms: turn ? (turn.endedAt ?? this.log.at(-1).at) - turn.startedAt : 0,
      turn_started_at: turn ? iso(turn.startedAt) : null,
      queued: this.queue,
      permission: this.asking.permission,
      question: this.asking.question,
      commits: this.commits,
      checkpoints: this.checkpoints.map(({ commits, ...kept }) => ({ ...kept, commit: commits.at(-1)?.id ?? null })),
      origin: this.spec.origin ?? null,
      checks: this.checks,
      merged: this.merged,
      pull_request: this.pull_request,
      network: this.spec.network ?? { policy: 'open' },
      contacts: CONTACTS,
      sandbox_state: this.ended || !this.ready ? 'none' : 'running',
      ended: this.ended,
      ...NOT_WAITING,
      ...ALONE,
      archived: this.archived,
      last_seq: this.log.length,
      created_at: iso(this.log[0].at),
      updated_at: iso(this.log.at(-1).at),
    };
  }

  summary() {
    const view = this.view();
    const line = Object.fromEntries(Object.entries(view).filter(([key]) => !ONLY_IN_A_VIEW.includes(key)));
    return { ...line, parent: null, person: view.person.name, queued_count: view.queued.length, unsafe: false };
  }

  async run() {
    await this.#wait(30);
    this.append({ type: 'sandbox_requested', generation: 1, attempt: 1 });
    await this.#wait(180);
    this.append({ type: 'sandbox_created', generation: 1, handle: 'local:1' });
    await this.#wait(220);
    this.append({ type: 'workspace_prepared', generation: 1, base_commit: commitId() });
    this.append({ type: 'agent_requested', generation: 1, run: 1 });
    await this.#wait(400);
    this.append({ type: 'agent_initialized', run: 1, can_load: true });
    this.ready = true;
    this.append({
      type: 'agent_opened',
      run: 1,
      memory: 'fresh',
      opened: {
        agent_session: 's',
        models: MODELS,
        model: this.model ?? MODELS[0].id,
        model_config: null,
        modes: [],
        mode: null,
      },
    });
    this.append({ type: 'agent_ready', run: 1 });
    while (!this.ended) {
      const next = this.queue.shift();
      if (next) await this.#play(next);
      else await new Promise((resolve) => this.once('work', resolve));
    }
  }

  async #play(prompt) {
    const number = ++this.turns;
    this.turn = { number, startedAt: Date.now(), calls: new Set(), stopping: false };
    this.guards.begin();
    this.append({ type: 'turn_started', turn: number, prompt: prompt.prompt, attempt: 1 });
    let outcome = { how: 'completed', stop_reason: 'end_turn' };
    for (const [wait, told] of storyFor(prompt.text)) {
      if (wait > 0) await this.#wait(wait);
      if (this.turn.stopping) {
        outcome = { how: 'stopped', by: this.person.name };
        break;
      }
      if (told.type === 'turn_ended') {
        outcome = told.outcome;
        break;
      }
      this.#tell({ ...told, ...(told.type === 'agent_logged' ? {} : { turn: number }) });
      if (this.asking.isOpen()) await new Promise((resolve) => this.once('answered', resolve));
      if (told.type === 'guard_tripped') {
        outcome = { how: 'tripped', guard: told.guard, detail: told.detail };
        this.guards.trip(told, number);
      }
    }
    if (spendsAll(prompt.text)) this.guards.spend(number);
    this.turn.endedAt = Date.now();
    this.lastTurn = this.turn;
    this.turn = null;
    this.committing = true;
    this.last = resting(outcome);
    this.append({ type: 'turn_ended', turn: number, outcome });
    await this.#wait(150);
    const worked = outcome.how === 'completed' && this.lastTurn.calls.has('c4');
    const commit = worked ? { id: commitId(), files: 4, insertions: 11, deletions: 3 } : null;
    if (commit) this.commits = [...this.commits, { turn: number, ...commit }];
    this.committing = false;
    if (commit) this.checks = checked(number, commit.id, this.spec.title);
    this.append({ type: 'work_committed', turn: number, commit });
    this.#keep(number);
  }

  #keep(turn) {
    const checkpoint = this.checkpoints.length + 1;
    this.append({ type: 'checkpoint_requested', generation: 1, checkpoint });
    this.checkpoints.push({
      checkpoint,
      at: new Date().toISOString(),
      turn,
      in_turn: false,
      commits: this.commits,
    });
    this.append({ type: 'checkpoint_kept', checkpoint, name: `${this.id}-${checkpoint}` });
  }

  setBudget(micros) {
    this.budget = micros;
    this.append({ type: 'budget_set', budget_micros: micros, by: this.person.name });
  }

  restore(checkpoint) {
    this.#idle();
    const kept = this.checkpoints.find((known) => known.checkpoint === checkpoint);
    if (!kept)
      throw new Refused(
        404,
        'checkpoint_not_found',
        `There is no checkpoint ${checkpoint}.`,
        'Take one that is there.',
      );
    this.append({ type: 'restore_requested', checkpoint, by: this.person.name });
    this.commits = kept.commits;
    this.append({ type: 'files_restored', checkpoint });
  }

  #tell(event) {
    if (event.type === 'tool_called') this.turn.calls.add(event.call.id);
    if (event.type === 'tokens_used')
      for (const kind of Object.keys(event.tokens)) this.tokens[kind] += event.tokens[kind];
    if (event.type === 'tokens_used')
      this.cost = {
        micros: this.cost.micros + (event.cost_micros ?? 0),
        is_partial: this.cost.is_partial || event.cost_micros === undefined,
      };
    if (!this.asking.take(event)) this.append(event);
  }

  /** Ends early when the turn is stopped. */
  #wait(ms) {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.off('stop', done);
        resolve();
      };
      const timer = setTimeout(done, ms / this.speed);
      this.once('stop', done);
    });
  }
}
