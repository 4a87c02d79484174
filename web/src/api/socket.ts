/**
 * A WebSocket that comes back.
 *
 *   connecting ──open──▶ connected ──closed, silent, gap──▶ reconnecting(retry at) ──timer──▶ connecting
 *        └──────────────────────────failed────────────────────────▲
 *   any state ──the browser lost its network──▶ offline ──it is back──▶ connecting
 *
 * It knows nothing of what is sent on it: `address` is asked before each dial, so that a resume position is fresh.
 */

export type ConnectionState =
  | { state: 'connecting' }
  | { state: 'connected' }
  /** The next dial is at this time of the local clock, in ms. */
  | { state: 'reconnecting'; retryAt: number; attempt: number }
  | { state: 'offline' };

/** First wait before dialling again; it doubles with each failure. */
export const BACKOFF_FIRST_MS = 250;
/** Longest wait before dialling again. */
export const BACKOFF_LAST_MS = 8_000;
/** A dial without an answer is given up after this. */
const DIAL_TIMEOUT_MS = 10_000;
/** The server speaks every 30 s; a socket silent for this long is dead even if nobody said so (a laptop that slept). */
const SILENCE_MS = 70_000;
/** `WebSocket.CONNECTING`, also where no browser is. */
const CONNECTING = 0;
/** A connection that lived this long was a good one: the back-off starts from the beginning. */
const STABLE_MS = 5_000;

/** How long to wait before the n-th dial in a row, n from 1; `chance` in 0..1 spreads it over the upper half. */
export function backoffMs(attempt: number, chance: number, first = BACKOFF_FIRST_MS): number {
  const full = Math.min(BACKOFF_LAST_MS, first * 2 ** (attempt - 1));
  return Math.round(full * (0.5 + chance / 2));
}

export interface SocketOptions {
  address: () => string;
  onMessage: (data: string) => void;
  onBytes?: (data: ArrayBuffer) => void;
  /** Before the first dial after a failure, in ms. */
  firstWaitMs?: number;
  onState: (state: ConnectionState) => void;
  /** Another way to make a socket, for programs that are not browsers. */
  dial?: (address: string) => WebSocket;
}

type Timer = ReturnType<typeof setTimeout>;

export class ReconnectingSocket {
  readonly #options: SocketOptions;
  #socket: WebSocket | null = null;
  #attempt = 0;
  #timers: { dial?: Timer; retry?: Timer; silence?: Timer; stable?: Timer } = {};
  #lastHeard = 0;
  #closed = false;

  constructor(options: SocketOptions) {
    this.#options = options;
  }

  open(): void {
    const page = globalThis.window;
    page?.addEventListener('online', this.#onOnline);
    page?.addEventListener('offline', this.#onOffline);
    page?.document.addEventListener('visibilitychange', this.#onVisible);
    this.#dial();
  }

  /** For good. */
  close(): void {
    this.#closed = true;
    const page = globalThis.window;
    page?.removeEventListener('online', this.#onOnline);
    page?.removeEventListener('offline', this.#onOffline);
    page?.document.removeEventListener('visibilitychange', this.#onVisible);
    this.#drop();
  }

  /** False when there is no open connection; nothing is kept for later. */
  send(data: string | Uint8Array<ArrayBuffer>): boolean {
    if (this.#socket?.readyState !== 1) return false;
    this.#socket.send(data);
    return true;
  }

  /** Leave this connection and dial again after the usual wait: what came over it cannot be trusted. */
  reconnect(): void {
    this.#drop();
    this.#retryLater();
  }

  /** Dial now instead of at the end of the wait. */
  retryNow(): void {
    if (this.#closed || this.#socket) return;
    this.#drop();
    this.#dial();
  }

  #dial(): void {
    if (this.#closed) return;
    if (globalThis.navigator?.onLine === false) {
      this.#options.onState({ state: 'offline' });
      return;
    }
    if (this.#attempt === 0) this.#options.onState({ state: 'connecting' });
    const address = this.#options.address();
    const socket = this.#options.dial?.(address) ?? new WebSocket(address);
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    this.#timers.dial = setTimeout(() => socket.close(), DIAL_TIMEOUT_MS);
    socket.onopen = () => {
      if (socket !== this.#socket) return;
      clearTimeout(this.#timers.dial);
      this.#timers.stable = setTimeout(() => {
        this.#attempt = 0;
      }, STABLE_MS);
      this.#heard();
      this.#options.onState({ state: 'connected' });
    };
    socket.onmessage = (message: MessageEvent) => {
      if (socket !== this.#socket) return;
      this.#heard();
      if (typeof message.data === 'string') this.#options.onMessage(message.data);
      else if (message.data instanceof ArrayBuffer) this.#options.onBytes?.(message.data);
    };
    socket.onclose = () => this.#lost(socket);
    // A close always follows an error; without a handler some WebSocket implementations throw.
    socket.onerror = () => {};
  }

  #heard(): void {
    this.#lastHeard = Date.now();
    clearTimeout(this.#timers.silence);
    this.#timers.silence = setTimeout(() => this.reconnect(), SILENCE_MS);
  }

  #lost(socket: WebSocket): void {
    if (socket !== this.#socket || this.#closed) return;
    this.reconnect();
  }

  #retryLater(): void {
    if (this.#closed) return;
    if (globalThis.navigator?.onLine === false) {
      this.#options.onState({ state: 'offline' });
      return;
    }
    this.#attempt += 1;
    const wait = backoffMs(this.#attempt, Math.random(), this.#options.firstWaitMs);
    this.#options.onState({ state: 'reconnecting', retryAt: Date.now() + wait, attempt: this.#attempt });
    this.#timers.retry = setTimeout(() => this.#dial(), wait);
  }

  #drop(): void {
    for (const timer of Object.values(this.#timers)) clearTimeout(timer);
    this.#timers = {};
    const socket = this.#socket;
    this.#socket = null;
    // Browsers report a socket that is closed while it opens as a fault of the page; let it open first.
    if (socket?.readyState === CONNECTING) socket.onopen = () => socket.close();
    else socket?.close();
  }

  #onOnline = () => {
    this.#attempt = 0;
    this.retryNow();
  };

  #onOffline = () => {
    this.#drop();
    this.#options.onState({ state: 'offline' });
  };

  /** Timers stand still while a laptop sleeps, so what is too old is judged by the clock when a person looks again. */
  #onVisible = () => {
    if (globalThis.document?.visibilityState !== 'visible') return;
    if (!this.#socket) this.retryNow();
    else if (Date.now() - this.#lastHeard > SILENCE_MS) {
      this.#drop();
      this.#dial();
    }
  };
}
