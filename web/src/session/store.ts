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
import { pause, rebuild, rebuildInPieces, reduce, withSnapshot } from './reduce';
import { EMPTY, type Timeline } from './timeline';

/** Entries that a page opens with. */
export const PAGE_ENTRIES = 500;
/** Earlier ones asked for at once. */
const OLDER_ENTRIES = 2_000;
/** Fetched before the timeline is made anew, at most, where nobody asked for more. */
const OLDER_TOGETHER = 8_000;
/** No page holds more; the rest of a log is read elsewhere. */
const MOST_ENTRIES = 300_000;
/** Where somebody only follows the end, what is before the last `KEPT_ENTRIES` is let go once there are so many. */
const LET_GO_ENTRIES = 40_000;
const KEPT_ENTRIES = 10_000;
/** Entries received without telling the server so, at most. */
const ACK_EVERY_ENTRIES = 100;
/** And for at most this long. */
const ACK_EVERY_MS = 5_000;
/** Between two looks at the snapshot; entries that come in between share one. */
const SNAPSHOT_SPACING_MS = 100;
/** A picture that took longer than this to draw is followed by a rest of twice that, so that a flood leaves the page alive. */
const QUICK_MS = 16;
const LONGEST_REST_MS = 250;
/** How long entries are gathered when the page is not visible and frames do not come. */
const HIDDEN_FLUSH_MS = 200;

export interface SessionState {
  timeline: Timeline;
  connection: ConnectionState;
  /** What kept the session from being loaded at all. */
  loadError: ApiError | null;
  /** Whether there is more before the first loaded entry; `full` when there is, but not for this page. */
  older: 'none' | 'more' | 'loading' | 'failed' | 'full';
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
  /** Nobody looks at anything but the end, so that what is far before it may go. */
  followsEnd = true;
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
  /** By `performance.now()`: entries that come before are drawn then. */
  #restUntil = 0;
  #flushTimer: { cancel: () => void } | null = null;
  #ackTimer: ReturnType<typeof setTimeout> | undefined;
  #snapshotTimer: ReturnType<typeof setTimeout> | undefined;
  #snapshotSeq = 0;
  #snapshotRunning = false;
  #snapshotWanted = false;
  /** Earlier entries are on their way in, or out. */
  #remaking: Promise<void> | null = null;
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

  /** Fetches earlier entries: each time about as many as there are, so that a long log is made anew only a few times. */
  async loadOlder(): Promise<void> {
    const wanted = Math.min(this.#entries.length, OLDER_TOGETHER);
    await this.#fetchOlder((fetched) => fetched >= wanted);
  }

  /** Sees that the entry is here, and all after it. False when that could not be done. */
  async loadBackTo(seq: number): Promise<boolean> {
    while (this.#state.timeline.first > seq) {
      await this.#fetchOlder((_, first) => first <= seq);
      if (this.#state.older !== 'more' && this.#state.timeline.first > seq) return false;
    }
    return true;
  }

  /** The same for the beginning of a turn. */
  async loadTurn(turn: number): Promise<boolean> {
    const isHere = () => this.#state.timeline.turns.has(turn);
    while (!isHere()) {
      await this.#fetchOlder((_, __, page) =>
        page.some(({ event }) => event.type === 'turn_started' && event.turn === turn),
      );
      if (this.#state.older !== 'more' && !isHere()) return false;
    }
    return true;
  }

  async #fetchOlder(enough: (fetched: number, first: number, page: readonly Entry[]) => boolean): Promise<void> {
    if (this.#remaking) return this.#remaking;
    const { older } = this.#state;
    if (older !== 'more' && older !== 'failed') return;
    this.#set({ older: 'loading' });
    this.#remaking = this.#fetchPages(enough).then((older) => {
      // In this order: whoever sees that there is more may ask for it at once.
      this.#remaking = null;
      if (!this.#closed) this.#set({ older });
    });
    return this.#remaking;
  }

  async #fetchPages(
    enough: (fetched: number, first: number, page: readonly Entry[]) => boolean,
  ): Promise<SessionState['older']> {
    const pages: Entry[][] = [];
    let { first } = this.#state.timeline;
    let fetched = 0;
    let failed = false;
    let isLast = first <= 1;
    try {
      while (!isLast && this.#entries.length + fetched < MOST_ENTRIES) {
        const { entries } = await this.#sources.logBefore(this.id, first, OLDER_ENTRIES);
        if (this.#closed) return 'none';
        const page = entries.filter((entry) => entry.seq < first);
        pages.unshift(page);
        fetched += page.length;
        first = page[0]?.seq ?? 1;
        isLast = first <= 1;
        if (enough(fetched, first, page)) break;
      }
    } catch {
      failed = true;
    }
    if (fetched > 0) await this.#remake(pages.flat().concat(this.#entries));
    if (failed) return 'failed';
    if (isLast) return 'none';
    return this.#entries.length >= MOST_ENTRIES ? 'full' : 'more';
  }

  /** Makes the timeline of these; those that arrive meanwhile go behind them as usual. */
  async #remake(entries: Entry[]): Promise<void> {
    this.#entries = entries;
    const timeline = await rebuildInPieces(
      entries,
      () => this.#state.timeline,
      () => this.#closed,
    );
    if (timeline) this.#set({ timeline });
  }

  #letGo(): void {
    if (!this.followsEnd || this.#remaking || this.#entries.length < LET_GO_ENTRIES) return;
    this.#remaking = this.#remake(this.#entries.slice(-KEPT_ENTRIES)).then(() => {
      this.#remaking = null;
      this.#set({ older: 'more' });
    });
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
    this.#flushTimer ??= soon(() => this.#flush(), this.#restUntil - performance.now());
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
    const begun = performance.now();
    void pause().then(() => {
      const now = performance.now();
      const took = now - begun;
      if (took > QUICK_MS) this.#restUntil = now + Math.min(LONGEST_REST_MS, 2 * took);
    });
    const batch = this.#pending;
    this.#pending = [];
    const steps = this.#state.timeline.facts?.steps ?? 0;
    for (const entry of batch) this.#entries.push(entry);
    this.#set({ timeline: reduce(this.#state.timeline, batch), lastNewsAt: Date.now() });
    this.#letGo();
    if (batch.some((entry) => mayChangePhase(entry, steps))) this.refresh();
  }

  #set(change: Partial<SessionState>): void {
    this.#state = { ...this.#state, ...change };
    for (const listener of this.#listeners) listener();
  }
}

/** Before the next frame after that wait; on a hidden page, where frames do not come, after a moment. */
function soon(run: () => void, wait: number): { cancel: () => void } {
  let frame: number | undefined;
  const cancel = () => {
    clearTimeout(timer);
    clearTimeout(rest);
    if (frame !== undefined) cancelAnimationFrame(frame);
  };
  const once = () => {
    cancel();
    run();
  };
  const timer = setTimeout(once, Math.max(HIDDEN_FLUSH_MS, wait + HIDDEN_FLUSH_MS));
  const ask = () => {
    if (typeof requestAnimationFrame === 'function') frame = requestAnimationFrame(once);
  };
  const rest = wait > 0 ? setTimeout(ask, wait) : undefined;
  if (rest === undefined) ask();
  return { cancel };
}
