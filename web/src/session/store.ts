/**
 * One session as this page knows it: loads the snapshot and the last entries, follows the rest over a WebSocket, and
 * gives React an unchanging picture at most once a frame.
 *
 *   open: GET session ─▶ GET log (last entries) ─▶ WS resume=<last> ─▶ entries… ─▶ ack
 *   failed load: shown, tried again by hand · lost socket: ReconnectingSocket · gap: dial again with resume=<last>
 *   entry that may change the phase: GET session again, and what came since goes on top
 */
import { type ApiError, api, asApiError, type LogPage, socketAddress } from '../api/client';
import type { Control, Entry, Present } from '../api/events';
import { type ConnectionState, ReconnectingSocket } from '../api/socket';
import type { SessionView } from '../api/types';
import { mayChangePhase } from './facts';
import { rebuild, reduce, withSnapshot } from './reduce';
import { EMPTY, type Timeline } from './timeline';

/** Entries asked for at once. */
export const PAGE_ENTRIES = 500;
/** Entries received without telling the server so, at most. */
const ACK_EVERY_ENTRIES = 100;
/** And for at most this long. */
const ACK_EVERY_MS = 5_000;
/** Between two looks at the snapshot; entries that come in between share one. */
const SNAPSHOT_SPACING_MS = 100;
/** How long entries are gathered when the page is not visible and frames do not come. */
const HIDDEN_FLUSH_MS = 200;

export interface SessionState {
  timeline: Timeline;
  connection: ConnectionState;
  /** What kept the session from being loaded at all. */
  loadError: ApiError | null;
  /** Whether there is more before the first loaded entry. */
  older: 'none' | 'more' | 'loading' | 'failed';
  /** Local time of the last news, in ms: an entry arriving, or for those loaded, when it was logged. */
  lastNewsAt: number;
  /** The server said that everything up to now has been sent. */
  caughtUp: boolean;
  /** Who follows this session, this page included; nobody while that is not known. */
  people: Present[];
}

/** What the store needs from outside; tests give it another way to dial. */
export interface Sources {
  session: (id: string) => Promise<SessionView>;
  logBefore: (id: string, before: number, limit: number) => Promise<LogPage>;
  address: (path: string) => string;
  dial?: (address: string) => WebSocket;
}

export class SessionStore {
  readonly id: string;
  readonly #sources: Sources;
  #state: SessionState = {
    timeline: EMPTY,
    connection: { state: 'connecting' },
    loadError: null,
    older: 'none',
    lastNewsAt: 0,
    caughtUp: false,
    people: [],
  };
  #listeners = new Set<() => void>();
  #entries: Entry[] = [];
  #pending: Entry[] = [];
  #received = 0;
  #acked = 0;
  #flushTimer: { cancel: () => void } | null = null;
  #ackTimer: ReturnType<typeof setTimeout> | undefined;
  #snapshotTimer: ReturnType<typeof setTimeout> | undefined;
  #snapshotSeq = 0;
  #snapshotRunning = false;
  #snapshotWanted = false;
  #closed = false;
  readonly #socket: ReconnectingSocket;

  constructor(id: string, sources: Sources = { ...api, address: socketAddress }) {
    this.id = id;
    this.#sources = sources;
    this.#socket = new ReconnectingSocket({
      address: () =>
        sources.address(`/sessions/${encodeURIComponent(id)}/events?resume=${this.#received}&presence=true`),
      onMessage: (data) => this.#onFrame(data),
      onState: (connection) => {
        // Whoever comes back may find another phase, even if the log is the same.
        if (connection.state === 'connected' && this.#state.connection.state === 'reconnecting') this.refresh();
        this.#set({ connection, ...(connection.state === 'connected' ? {} : { caughtUp: false, people: [] }) });
      },
      ...(sources.dial ? { dial: sources.dial } : {}),
    });
  }

  getState = (): SessionState => this.#state;

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  async open(): Promise<void> {
    this.#set({ loadError: null });
    try {
      const facts = await this.#sources.session(this.id);
      const page = await this.#sources.logBefore(this.id, facts.last_seq + 1, PAGE_ENTRIES);
      if (this.#closed) return;
      this.#entries = page.entries;
      this.#received = page.entries.at(-1)?.seq ?? 0;
      this.#acked = this.#received;
      this.#snapshotSeq = facts.last_seq;
      const timeline = rebuild(facts, this.#entries);
      this.#set({ timeline, older: timeline.first > 1 ? 'more' : 'none', lastNewsAt: timeline.lastAt });
      this.#socket.open();
    } catch (thrown) {
      if (!this.#closed) this.#set({ loadError: asApiError(thrown) });
    }
  }

  /** For good. */
  close(): void {
    this.#closed = true;
    this.#socket.close();
    this.#flushTimer?.cancel();
    clearTimeout(this.#ackTimer);
    clearTimeout(this.#snapshotTimer);
    this.#listeners.clear();
  }

  retryNow(): void {
    this.#socket.retryNow();
  }

  async loadOlder(): Promise<void> {
    const { timeline, older } = this.#state;
    if (older === 'loading' || older === 'none') return;
    this.#set({ older: 'loading' });
    try {
      const page = await this.#sources.logBefore(this.id, timeline.first, PAGE_ENTRIES);
      if (this.#closed) return;
      this.#entries = [...page.entries.filter((entry) => entry.seq < timeline.first), ...this.#entries];
      const whole = rebuild(this.#state.timeline.facts, this.#entries, this.#state.timeline);
      this.#set({ timeline: whole, older: whole.first > 1 && page.entries.length > 0 ? 'more' : 'none' });
    } catch {
      if (!this.#closed) this.#set({ older: 'failed' });
    }
  }

  /** Takes a snapshot that some call brought along. */
  adopt(facts: SessionView): void {
    if (facts.last_seq < this.#snapshotSeq) return;
    this.#snapshotSeq = facts.last_seq;
    this.#set({ timeline: withSnapshot(this.#state.timeline, facts, this.#entries) });
  }

  /** Looks at the snapshot again, soon. */
  refresh(): void {
    if (this.#closed) return;
    this.#snapshotWanted = true;
    if (this.#snapshotRunning || this.#snapshotTimer !== undefined) return;
    this.#snapshotTimer = setTimeout(() => void this.#snapshot(), 0);
  }

  async #snapshot(): Promise<void> {
    this.#snapshotTimer = undefined;
    this.#snapshotWanted = false;
    this.#snapshotRunning = true;
    try {
      const facts = await this.#sources.session(this.id);
      if (!this.#closed) this.adopt(facts);
    } catch {
      // The next entry or the next connection asks again; the timeline itself does not depend on this.
    }
    this.#snapshotRunning = false;
    if (this.#snapshotWanted && !this.#closed) {
      this.#snapshotTimer = setTimeout(() => void this.#snapshot(), SNAPSHOT_SPACING_MS);
    }
  }

  #onFrame(data: string): void {
    const frame = JSON.parse(data) as Entry | Control;
    if ('control' in frame) {
      if (frame.control === 'live') this.#set({ caughtUp: true });
      if (frame.control === 'present') this.#set({ people: frame.people });
      return;
    }
    if (frame.seq <= this.#received) return;
    if (frame.seq !== this.#received + 1) {
      this.#socket.reconnect();
      return;
    }
    this.#received = frame.seq;
    this.#pending.push(frame);
    this.#flushTimer ??= soon(() => this.#flush());
    if (this.#received - this.#acked >= ACK_EVERY_ENTRIES) this.#ack();
    else this.#ackTimer ??= setTimeout(() => this.#ack(), ACK_EVERY_MS);
  }

  #ack(): void {
    clearTimeout(this.#ackTimer);
    this.#ackTimer = undefined;
    if (this.#socket.send(JSON.stringify({ ack: this.#received }))) this.#acked = this.#received;
  }

  #flush(): void {
    this.#flushTimer = null;
    const batch = this.#pending;
    this.#pending = [];
    const steps = this.#state.timeline.facts?.steps ?? 0;
    this.#entries.push(...batch);
    this.#set({ timeline: reduce(this.#state.timeline, batch), lastNewsAt: Date.now() });
    if (batch.some((entry) => mayChangePhase(entry, steps))) this.refresh();
  }

  #set(change: Partial<SessionState>): void {
    this.#state = { ...this.#state, ...change };
    for (const listener of this.#listeners) listener();
  }
}

/** Before the next frame; on a hidden page, where frames do not come, after a moment. */
function soon(run: () => void): { cancel: () => void } {
  let frame: number | undefined;
  const cancel = () => {
    clearTimeout(timer);
    if (frame !== undefined) cancelAnimationFrame(frame);
  };
  const once = () => {
    cancel();
    run();
  };
  const timer = setTimeout(once, HIDDEN_FLUSH_MS);
  if (typeof requestAnimationFrame === 'function') frame = requestAnimationFrame(once);
  return { cancel };
}
