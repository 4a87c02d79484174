/**
 * One terminal in the sandbox, over a connection that comes and goes. What is shown goes on at the byte where it stopped.
 *
 * Everything that was there before somebody sat down is only shown: what it asks of the terminal was answered then, or by nobody, and
 * an answer now would be typed into whatever runs.
 */
import { socketAddress } from '../api/client';
import { type ConnectionState, ReconnectingSocket } from '../api/socket';

/** First wait before dialling again, in ms; it doubles. */
const FIRST_WAIT_MS = 100;
/** Bytes of output, after which the server is told how far we are. */
const ACK_BYTES = 64 * 1024;
/** Most typed bytes in one frame. */
const TYPED_BYTES = 16 * 1024;
/** Bytes of the number in front of output. */
const OFFSET_BYTES = 8;

/** Why there will be nothing more. */
export type Ending =
  | { kind: 'exited'; exitCode: number | null; signal: number | null }
  | { kind: 'refused'; code: string; detail: string; whatToDo: string };

/** What output is shown on. */
export interface Screen {
  /** `shown` is called when it has been taken in, in order. */
  write: (bytes: Uint8Array, shown: () => void) => void;
  /** Something is missing before what comes next. */
  reset: () => void;
}

export interface TerminalOptions {
  session: string;
  terminal: string;
  screen: Screen;
  onState: (state: ConnectionState) => void;
  onEnding: (ending: Ending) => void;
  dial?: (address: string) => WebSocket;
}

type Control =
  | { control: 'attached'; end: number }
  | { control: 'exited'; exit_code?: number; signal?: number }
  | { control: 'refused'; code: string; detail: string; what_to_do: string }
  | { control: 'heartbeat' | 'going_away' };

export class TerminalConnection {
  readonly #options: TerminalOptions;
  readonly #socket: ReconnectingSocket;
  #size: { rows: number; columns: number } | null = null;
  /** Offset of the next byte that should come. */
  #next = 0;
  /** Everything before was shown. */
  #shown = 0;
  #acknowledged = 0;
  /** Everything before was there when we came. */
  #past = 0;

  constructor(options: TerminalOptions) {
    this.#options = options;
    const { session, terminal } = options;
    const path = `/sessions/${encodeURIComponent(session)}/terminals/${encodeURIComponent(terminal)}/stream`;
    this.#socket = new ReconnectingSocket({
      address: () => `${socketAddress(path)}?from=${this.#next}`,
      firstWaitMs: FIRST_WAIT_MS,
      onMessage: (text) => this.#hear(text),
      onBytes: (bytes) => this.#take(bytes),
      onState: (state) => {
        if (state.state === 'connected') this.#connected();
        options.onState(state);
      },
      ...(options.dial ? { dial: options.dial } : {}),
    });
  }

  open(): void {
    this.#socket.open();
  }

  close(): void {
    this.#socket.close();
  }

  /** False when it is not typed: there is no connection, or what is shown is the past. */
  type(keys: string): boolean {
    if (this.#shown < this.#past) return false;
    const bytes = new TextEncoder().encode(keys);
    for (let from = 0; from < bytes.length; from += TYPED_BYTES) {
      if (!this.#socket.send(bytes.subarray(from, from + TYPED_BYTES))) return false;
    }
    return true;
  }

  resize(rows: number, columns: number): void {
    if (this.#size?.rows === rows && this.#size.columns === columns) return;
    this.#size = { rows, columns };
    this.#socket.send(JSON.stringify(this.#size));
  }

  #connected(): void {
    this.#acknowledged = this.#next;
    if (this.#size) this.#socket.send(JSON.stringify(this.#size));
  }

  #hear(text: string): void {
    const heard = JSON.parse(text) as Control;
    if (heard.control === 'attached') {
      this.#past = heard.end;
    } else if (heard.control === 'exited') {
      this.#end({ kind: 'exited', exitCode: heard.exit_code ?? null, signal: heard.signal ?? null });
    } else if (heard.control === 'refused') {
      this.#end({ kind: 'refused', code: heard.code, detail: heard.detail, whatToDo: heard.what_to_do });
    }
  }

  #end(ending: Ending): void {
    this.#socket.close();
    this.#options.onEnding(ending);
  }

  #take(frame: ArrayBuffer): void {
    const offset = Number(new DataView(frame).getBigUint64(0));
    const bytes = new Uint8Array(frame, OFFSET_BYTES);
    if (offset > this.#next && this.#next > 0) this.#options.screen.reset();
    const end = offset + bytes.length;
    this.#next = end;
    this.#options.screen.write(bytes, () => {
      this.#shown = end;
      if (end - this.#acknowledged < ACK_BYTES) return;
      this.#acknowledged = end;
      this.#socket.send(JSON.stringify({ ack: end }));
    });
  }
}
