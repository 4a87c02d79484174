/** The drawer with what programs in the sandbox serve: a list, and one of them in a frame. */

import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, asApiError } from '../api/client';
import type { Port } from '../api/types';
import { useFacts, useStore } from '../session/view/context';
import { words } from '../text/english';
import { Button, buttonClass } from '../ui/button';
import { Panel, type PanelProps } from '../ui/Drawer';
import { Icon } from '../ui/icons';
import { ProblemNote } from '../ui/problem';
import { Preview } from './Preview';

/** Between two looks at what listens, while the drawer is open, in ms. */
const LOOK_MS = 3_000;

export function PortsPanel({ close }: PanelProps) {
  const store = useStore();
  const sandbox = useFacts()?.sandbox_state ?? 'none';
  const running = sandbox === 'running';
  const [shown, show] = useState<number | null>(null);
  const list = useQuery({
    queryKey: ['ports', store.id],
    queryFn: () => api.ports(store.id),
    enabled: running,
    refetchInterval: LOOK_MS,
  });
  const resume = useMutation({ mutationFn: () => api.resume(store.id), onSuccess: (view) => store.adopt(view) });
  const ports = running ? (list.data?.items ?? []) : [];
  const framed = ports.find((port) => port.port === shown);
  const failure = list.error ?? resume.error;
  return (
    <Panel title={words.ports.title} shortcut="p" close={close}>
      {failure ? <ProblemNote error={asApiError(failure)} className="m-3" /> : null}
      {ports.length > 0 ? (
        <ul aria-label={words.ports.title} className="max-h-1/3 shrink-0 overflow-y-auto border-b border-line p-1.5">
          {ports.map((port) => (
            <Row key={port.port} session={store.id} port={port} shown={port.port === shown} show={show} />
          ))}
        </ul>
      ) : (
        <div className="m-auto flex max-w-80 flex-col items-center gap-3 p-6 text-center text-soft">
          <p>{words.ports.empty[sandbox]}</p>
          {sandbox === 'paused' ? (
            <Button size="small" onClick={() => resume.mutate()} disabled={resume.isPending}>
              <Icon name="play" className="size-3.5" /> {words.common.resume}
            </Button>
          ) : null}
        </div>
      )}
      {framed ? (
        <Preview
          key={framed.port}
          title={words.ports.port(framed.port)}
          authority={framed.authority}
          address={api.portAddress(store.id, framed.port)}
        />
      ) : null}
      {ports.length > 0 && !framed ? (
        <p className="m-auto max-w-80 p-6 text-center text-faint">{words.ports.hint}</p>
      ) : null}
    </Panel>
  );
}

interface RowProps {
  session: string;
  port: Port;
  shown: boolean;
  show: (port: number | null) => void;
}

function Row({ session, port, shown, show }: RowProps) {
  return (
    <li className={`flex items-center gap-2 rounded-md py-0.5 pr-1 pl-2 ${shown ? 'bg-hover' : ''}`}>
      <span className="font-mono text-code font-semibold tabular-nums">{port.port}</span>
      <span className="min-w-0 flex-1 truncate font-mono text-2xs text-faint" title={port.authority}>
        {port.authority}
      </span>
      <Button
        look="quiet"
        size="small"
        aria-pressed={shown}
        aria-label={words.ports.showHere(port.port)}
        onClick={() => show(shown ? null : port.port)}
      >
        {shown ? words.ports.hide : words.ports.show}
      </Button>
      <a
        href={api.portAddress(session, port.port)}
        target="_blank"
        rel="noopener noreferrer"
        aria-label={words.ports.openTab(port.port)}
        className={buttonClass({ look: 'quiet', size: 'small' })}
      >
        {words.ports.open}
        <Icon name="out" className="size-3.5" />
      </a>
    </li>
  );
}
