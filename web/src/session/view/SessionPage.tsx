/** One session: header, timeline, follow-up box, status bar; a drawer beside it. */
import { useMutation } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useEffect, useMemo, useRef, useState } from 'react';
import { api } from '../../api/client';
import { Sidebar } from '../../list/Sidebar';
import { words } from '../../text/english';
import { visible } from '../../text/visible';
import { Button } from '../../ui/button';
import { useCommands } from '../../ui/commands';
import { Drawer } from '../../ui/Drawer';
import { useKeys, useMedia } from '../../ui/hooks';
import { isWorking } from '../../ui/phase';
import { ProblemNote } from '../../ui/problem';
import { SessionStore } from '../store';
import { SessionContext, useFacts, useSession, useStore } from './context';
import { DRAWERS, useDrawer } from './drawers';
import { FollowUp } from './FollowUp';
import { Header } from './Header';
import { StatusBar } from './StatusBar';
import { Timeline } from './Timeline';

export function SessionPage({ id }: { id: string }) {
  const [store, setStore] = useState<SessionStore | null>(null);
  useEffect(() => {
    const opened = new SessionStore(id);
    setStore(opened);
    // For whoever looks from the console, and for tests: what is shown is made of this.
    Object.assign(window, { lamplight: opened });
    void opened.open();
    return () => opened.close();
  }, [id]);
  const { drawer } = useDrawer();
  // Next to a drawer there is room for the sidebar only on the widest windows.
  const wide = useMedia(drawer ? '(min-width: 110rem)' : '(min-width: 80rem)');
  return (
    <div className="flex h-full">
      {wide ? <Sidebar current={id} /> : null}
      {store?.id === id ? (
        <SessionContext.Provider value={store}>
          <Session />
        </SessionContext.Provider>
      ) : null}
    </div>
  );
}

function Session() {
  const store = useStore();
  const navigate = useNavigate();
  const facts = useFacts();
  const loadError = useSession((state) => state.loadError);
  const box = useRef<HTMLTextAreaElement>(null);
  const { drawer, open, toggle, close } = useDrawer();
  const shown = DRAWERS.find((kind) => kind.id === drawer);
  const stop = useMutation({
    mutationFn: () => api.stop(store.id),
    onSuccess: (view) => store.adopt(view),
    onSettled: () => store.refresh(),
  });
  const canStop = facts !== null && (isWorking(facts.phase) || facts.phase === 'starting' || facts.phase === 'queued');
  useKeys({
    'mod+.': () => canStop && !stop.isPending && stop.mutate(),
    ...Object.fromEntries(DRAWERS.map((kind) => [kind.shortcut, () => toggle(kind.id)])),
    i: () => box.current?.focus(),
    u: () => void navigate({ to: '/' }),
    n: () => void navigate({ to: '/new' }),
  });
  const archived = facts?.archived ?? false;
  useCommands([
    ...(canStop ? [{ id: 'stop', title: words.palette.stop, keys: 'Ctrl+.', run: () => stop.mutate() }] : []),
    ...DRAWERS.map((kind) => ({
      id: kind.id,
      title: words.palette.drawer(kind.title),
      keys: kind.shortcut,
      run: () => toggle(kind.id),
    })),
    { id: 'follow-up', title: words.palette.followUp, keys: 'i', run: () => box.current?.focus() },
    {
      id: 'archive',
      title: archived ? words.palette.unarchive : words.palette.archive,
      run: () => void (archived ? api.unarchive(store.id) : api.archive(store.id)).then((view) => store.adopt(view)),
    },
  ]);
  const actions = useMemo(
    () => ({
      showTurn: (turn: number) => open('changes', turn),
      followUp: () => box.current?.focus(),
      open: (drawer: string) => open(drawer),
    }),
    [open],
  );

  if (loadError) {
    return (
      <main className="mx-auto mt-24 w-full max-w-md px-4">
        <h1 className="mb-3 text-lg font-semibold">
          {loadError.code === 'session_not_found' ? words.session.notThere : words.session.notLoaded}
        </h1>
        <ProblemNote error={loadError}>
          <Button size="small" onClick={() => void store.open()}>
            {words.common.tryAgain}
          </Button>
          <Button size="small" onClick={() => void navigate({ to: '/' })}>
            {words.common.allSessions}
          </Button>
        </ProblemNote>
      </main>
    );
  }
  if (!facts) return <main className="flex-1" aria-busy="true" />;
  return (
    <main className="flex min-w-0 flex-1">
      <div className={`min-w-0 flex-1 flex-col ${shown ? 'hidden lg:flex' : 'flex'}`}>
        <Header stop={{ possible: canStop, run: () => stop.mutate(), pending: stop.isPending, error: stop.error }} />
        <Timeline actions={actions} />
        <FollowUp box={box} />
        <StatusBar />
      </div>
      {shown ? (
        <Drawer>
          {/* Where the drawer takes the whole window, its heading is still the session. */}
          <h1 className="sr-only lg:hidden">{visible(facts.title)}</h1>
          <shown.panel close={close} />
        </Drawer>
      ) : null}
    </main>
  );
}
