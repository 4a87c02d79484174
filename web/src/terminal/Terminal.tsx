/** One terminal: its screen, and a line below it when there is something to know. */

import { type ReactNode, useEffect, useRef, useState } from 'react';
import type { ConnectionState } from '../api/socket';
import { words } from '../text/english';
import { useNow } from '../ui/hooks';
import { type Ending, TerminalConnection } from './connection';
import { type Emulator, openEmulator } from './emulator';
import { endingText } from './ending';

/** Before sitting down again at a terminal of a sandbox that goes on, in ms. */
const AGAIN_MS = 300;

interface TerminalProps {
  session: string;
  terminal: string;
  paused: boolean;
  resume: ReactNode;
  openAnother: ReactNode;
}

export function Terminal({ session, terminal, paused, resume, openAnother }: TerminalProps) {
  const place = useRef<HTMLDivElement>(null);
  const [state, setState] = useState<ConnectionState>({ state: 'connecting' });
  const [ending, setEnding] = useState<Ending | null>(null);
  // Counts the times that we sat down.
  const [times, setTimes] = useState(0);
  const waits = ending?.kind === 'refused' && ending.code === 'sandbox_paused';
  useEffect(() => {
    if (!waits || paused) return;
    const timer = setTimeout(() => {
      setEnding(null);
      setTimes((before) => before + 1);
    }, AGAIN_MS);
    return () => clearTimeout(timer);
  }, [waits, paused]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another time is another connection.
  useEffect(() => {
    if (!place.current) return;
    let connection: TerminalConnection | null = null;
    const emulator: Emulator = openEmulator(place.current, {
      onKeys: (keys) => connection?.type(keys),
      onSize: (rows, columns) => connection?.resize(rows, columns),
      onLeave: () => place.current?.closest('section')?.querySelector('button')?.focus(),
    });
    const size = emulator.size();
    connection = new TerminalConnection({
      session,
      terminal,
      screen: emulator.screen,
      onState: setState,
      onEnding: setEnding,
    });
    connection.resize(size.rows, size.columns);
    connection.open();
    emulator.focus();
    return () => {
      connection?.close();
      emulator.close();
    };
  }, [session, terminal, times]);
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <div ref={place} data-terminal={state.state} className="min-h-0 flex-1 overflow-hidden pt-1 pl-2" />
      {waits ? (
        <Line action={resume}>{words.terminal.paused}</Line>
      ) : ending ? (
        <Line action={openAnother}>{endingText(ending)}</Line>
      ) : paused ? (
        <Line action={resume}>{words.terminal.pausedTyping}</Line>
      ) : state.state === 'reconnecting' || state.state === 'offline' ? (
        <Line>
          <Reconnecting state={state} />
        </Line>
      ) : null}
    </div>
  );
}

function Line({ action, children }: { action?: ReactNode; children: ReactNode }) {
  return (
    <div
      role="status"
      className="flex items-center gap-3 border-t border-line bg-sunken px-3 py-1.5 text-[0.8125rem] text-soft"
    >
      <p className="min-w-0 flex-1">{children}</p>
      {action}
    </div>
  );
}

function Reconnecting({ state }: { state: ConnectionState }) {
  const now = useNow(state.state === 'reconnecting' ? 1_000 : null);
  if (state.state !== 'reconnecting') return words.terminal.offline;
  const seconds = Math.max(0, Math.round((state.retryAt - now) / 1_000));
  return words.terminal.lost(seconds);
}
