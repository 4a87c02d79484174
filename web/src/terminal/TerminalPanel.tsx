/** The drawer with shells in the session's sandbox, a tab each. They go on there whoever looks. */

import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import { api, asApiError } from '../api/client';
import type { Terminal as TerminalInfo } from '../api/types';
import { useFacts, useStore } from '../session/view/context';
import { words } from '../text/english';
import { Button } from '../ui/button';
import { Panel, type PanelProps } from '../ui/Drawer';
import { Icon } from '../ui/icons';
import { ProblemNote } from '../ui/problem';
import { Terminal } from './Terminal';

/** Until somebody sits at it and says how large it is, as terminals always were. */
const FIRST_SIZE = { rows: 24, columns: 80 };

export function TerminalPanel({ close }: PanelProps) {
  const store = useStore();
  const queries = useQueryClient();
  const sandbox = useFacts()?.sandbox_state ?? 'none';
  const running = sandbox === 'running';
  const key = ['terminals', store.id];
  const list = useQuery({
    queryKey: key,
    queryFn: () => api.terminals(store.id),
    enabled: running,
    staleTime: 0,
  });
  const [chosen, choose] = useState<string | null>(null);
  const change = (next: (before: TerminalInfo[]) => TerminalInfo[]) =>
    queries.setQueryData<{ items: TerminalInfo[] }>(key, (before) => ({ items: next(before?.items ?? []) }));
  const open = useMutation({
    mutationFn: () => api.openTerminal(store.id, FIRST_SIZE),
    onSuccess: (opened) => {
      change((items) => [...items, opened]);
      choose(opened.id);
    },
  });
  const shut = useMutation({
    mutationFn: (id: string) => api.closeTerminal(store.id, id),
    onMutate: (id) => {
      change((items) => items.filter((item) => item.id !== id));
    },
  });
  const resume = useMutation({ mutationFn: () => api.resume(store.id), onSuccess: (view) => store.adopt(view) });

  // Who opens the drawer wants a shell; once closed, another is opened by hand.
  const began = useRef(false);
  const none = list.isFetchedAfterMount && list.data?.items.length === 0;
  const begin = open.mutate;
  useEffect(() => {
    if (!none || !running || began.current) return;
    began.current = true;
    begin();
  }, [none, running, begin]);

  const items = list.data?.items ?? [];
  const current = items.find((item) => item.id === chosen) ?? items.at(-1);
  const resumeButton = (
    <Button size="small" onClick={() => resume.mutate()} disabled={resume.isPending}>
      <Icon name="play" className="size-3.5" /> {words.common.resume}
    </Button>
  );
  const openButton = (
    <Button size="small" onClick={() => open.mutate()} disabled={open.isPending || sandbox === 'starting'}>
      {words.terminal.open}
    </Button>
  );
  const failure = open.error ?? list.error ?? resume.error;
  return (
    <Panel
      title={words.terminal.title}
      shortcut="t"
      close={close}
      beside={
        <>
          <Tabs items={items} current={current?.id} choose={choose} shut={(id) => shut.mutate(id)} />
          {items.length > 0 ? (
            <Button
              look="quiet"
              size="icon"
              aria-label={words.terminal.openAnother}
              title={words.terminal.openAnother}
              disabled={open.isPending || !running}
              onClick={() => open.mutate()}
            >
              <Icon name="plus" />
            </Button>
          ) : null}
        </>
      }
    >
      {failure ? <ProblemNote error={asApiError(failure)} className="m-3" /> : null}
      {current ? (
        <Terminal
          key={current.id}
          session={store.id}
          terminal={current.id}
          paused={sandbox === 'paused'}
          resume={resumeButton}
          openAnother={openButton}
        />
      ) : (
        <div className="m-auto flex max-w-80 flex-col items-center gap-3 p-6 text-center text-soft">
          <p>{words.terminal.empty[sandbox]}</p>
          {sandbox === 'paused' ? resumeButton : null}
          {running && !open.isPending && !list.isPending ? openButton : null}
        </div>
      )}
    </Panel>
  );
}

interface TabsProps {
  items: TerminalInfo[];
  current: string | undefined;
  choose: (id: string) => void;
  shut: (id: string) => void;
}

function Tabs({ items, current, choose, shut }: TabsProps) {
  return (
    <ul aria-label={words.terminal.label} className="flex min-w-0 gap-1 overflow-x-auto">
      {items.map((item, place) => (
        <li
          key={item.id}
          className={`flex items-center rounded-md text-[0.8125rem] ${item.id === current ? 'bg-hover text-ink' : 'text-soft hover:bg-hover'}`}
        >
          <button
            type="button"
            aria-current={item.id === current ? 'true' : undefined}
            onClick={() => choose(item.id)}
            className="h-7 rounded-md pr-1 pl-2 whitespace-nowrap"
          >
            {words.terminal.shell(place + 1)}
          </button>
          <button
            type="button"
            aria-label={words.terminal.close(place + 1)}
            title={words.terminal.end}
            onClick={() => shut(item.id)}
            className="grid h-7 w-6 place-items-center rounded-md text-faint hover:text-ink"
          >
            <Icon name="cross" className="size-3" />
          </button>
        </li>
      ))}
    </ul>
  );
}
