/** The drawer with VS Code in the session's sandbox. It is started when the drawer is opened, and once it has ended by a press. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useEffect, useRef } from 'react';
import { api, asApiError } from '../api/client';
import { Preview } from '../ports/Preview';
import { useFacts, useStore } from '../session/view/context';
import { words } from '../text/english';
import { Button, buttonClass } from '../ui/button';
import { Panel, type PanelProps } from '../ui/Drawer';
import { Icon } from '../ui/icons';
import { ProblemNote } from '../ui/problem';

/** Between two looks whether it still runs, in ms. */
const LOOK_MS = 3_000;

export function CodePanel({ close }: PanelProps) {
  const store = useStore();
  const client = useQueryClient();
  const sandbox = useFacts()?.sandbox_state ?? 'none';
  const running = sandbox === 'running';
  const key = ['code', store.id];
  const start = useMutation({
    mutationFn: () => api.startCode(store.id),
    onSuccess: (code) => client.setQueryData(key, code),
  });
  const code = useQuery({
    queryKey: key,
    queryFn: () => api.code(store.id),
    enabled: running && start.isSuccess,
    refetchInterval: LOOK_MS,
  });
  const resume = useMutation({ mutationFn: () => api.resume(store.id), onSuccess: (view) => store.adopt(view) });
  const asked = useRef(false);
  useEffect(() => {
    if (!running || asked.current) return;
    asked.current = true;
    start.mutate();
  }, [running, start.mutate]);
  const failure = start.error ?? code.error ?? resume.error;
  const up = start.isSuccess && code.data?.running && (running || sandbox === 'paused') ? code.data : null;
  const address = api.codeAddress(store.id);
  return (
    <Panel title={words.editor.title} shortcut="e" beside={up ? <InTab address={address} /> : null} close={close}>
      {failure ? (
        <ProblemNote error={asApiError(failure)} className="m-3">
          {start.error ? (
            <Button size="small" onClick={() => start.mutate()}>
              {words.editor.tryAgain}
            </Button>
          ) : null}
        </ProblemNote>
      ) : null}
      {sandbox === 'paused' ? (
        <Said text={words.editor.without.paused} small={up !== null}>
          <Button size="small" onClick={() => resume.mutate()} disabled={resume.isPending}>
            <Icon name="play" className="size-3.5" /> {words.editor.resume}
          </Button>
        </Said>
      ) : null}
      {up ? (
        <Preview key={start.submittedAt} title={words.editor.title} authority={up.authority} address={address} />
      ) : null}
      {sandbox !== 'running' && sandbox !== 'paused' ? <Said text={words.editor.without[sandbox]} /> : null}
      {running && start.isPending ? <Said text={words.editor.starting} /> : null}
      {running && start.isSuccess && code.data?.running === false ? (
        <Said text={words.editor.ended}>
          <Button size="small" onClick={() => start.mutate()}>
            {words.editor.openAgain}
          </Button>
        </Said>
      ) : null}
    </Panel>
  );
}

/** In the place of VS Code, or above it. */
function Said({ text, small = false, children }: { text: string; small?: boolean; children?: ReactNode }) {
  const place = small ? 'border-b border-line px-3 py-2' : 'm-auto max-w-80 flex-col p-6 text-center';
  return (
    <div role="status" className={`flex items-center gap-3 text-soft ${place}`}>
      <p>{text}</p>
      {children}
    </div>
  );
}

function InTab({ address }: { address: string }) {
  return (
    <a
      href={address}
      target="_blank"
      rel="noopener noreferrer"
      className={buttonClass({ look: 'quiet', size: 'small' })}
    >
      {words.editor.inTab}
      <Icon name="out" className="size-3.5" />
    </a>
  );
}
