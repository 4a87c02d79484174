/** One session: header, timeline, follow-up box, status bar; the changes beside it. */
import { useMutation } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { type Dispatch, lazy, type SetStateAction, Suspense, useEffect, useMemo, useRef, useState } from 'react';
import { api } from '../../api/client';
import { Sidebar } from '../../list/Sidebar';
import { words } from '../../text/english';
import { visible } from '../../text/visible';
import { Button } from '../../ui/button';
import { useCommands } from '../../ui/commands';
import { useKeys, useMedia } from '../../ui/hooks';
import { isWorking } from '../../ui/phase';
import { ProblemNote } from '../../ui/problem';
import { SessionStore } from '../store';
import { SessionContext, useFacts, useSession, useStore } from './context';
import { FollowUp } from './FollowUp';
import { Header } from './Header';
import { StatusBar } from './StatusBar';
import { Timeline } from './Timeline';

const Changes = lazy(() => import('../../diff/Changes').then((module) => ({ default: module.Changes })));

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
  const [changes, setChanges] = useState<ShownChanges>({ open: false, turn: null });
  // Next to the changes there is room for the sidebar only on the widest windows.
  const wide = useMedia(changes.open ? '(min-width: 110rem)' : '(min-width: 80rem)');
  return (
    <div className="flex h-full">
      {wide ? <Sidebar current={id} /> : null}
      {store?.id === id ? (
        <SessionContext.Provider value={store}>
          <Session changes={changes} setChanges={setChanges} />
        </SessionContext.Provider>
      ) : null}
    </div>
  );
}

interface ShownChanges {
  open: boolean;
  /** Null is the whole branch. */
  turn: number | null;
}

interface SessionProps {
  changes: ShownChanges;
  setChanges: Dispatch<SetStateAction<ShownChanges>>;
}

function Session({ changes, setChanges }: SessionProps) {
  const store = useStore();
  const navigate = useNavigate();
  const facts = useFacts();
  const loadError = useSession((state) => state.loadError);
  const box = useRef<HTMLTextAreaElement>(null);
  const toggleChanges = () => setChanges((now) => ({ open: !now.open, turn: null }));
  const stop = useMutation({
    mutationFn: () => api.stop(store.id),
    onSuccess: (view) => store.adopt(view),
    onSettled: () => store.refresh(),
  });
  const canStop = facts !== null && (isWorking(facts.phase) || facts.phase === 'starting' || facts.phase === 'queued');
  useKeys({
    'mod+.': () => canStop && !stop.isPending && stop.mutate(),
    d: toggleChanges,
    i: () => box.current?.focus(),
    u: () => void navigate({ to: '/' }),
    n: () => void navigate({ to: '/new' }),
  });
  const archived = facts?.archived ?? false;
  useCommands([
    ...(canStop ? [{ id: 'stop', title: words.palette.stop, keys: 'Ctrl+.', run: () => stop.mutate() }] : []),
    { id: 'changes', title: words.palette.changes, keys: 'd', run: toggleChanges },
    { id: 'follow-up', title: words.palette.followUp, keys: 'i', run: () => box.current?.focus() },
    {
      id: 'archive',
      title: archived ? words.palette.unarchive : words.palette.archive,
      run: () => void (archived ? api.unarchive(store.id) : api.archive(store.id)).then((view) => store.adopt(view)),
    },
  ]);
  const actions = useMemo(
    () => ({
      showTurn: (turn: number) => setChanges({ open: true, turn }),
      followUp: () => box.current?.focus(),
    }),
    [setChanges],
  );

  if (loadError) {
    return (
      <main className="mx-auto mt-24 w-full max-w-md px-4">
        <h1 className="mb-3 text-lg font-semibold">
          {loadError.code === 'session_not_found' ? 'No such session' : 'The session could not be loaded'}
        </h1>
        <ProblemNote error={loadError}>
          <Button size="small" onClick={() => void store.open()}>
            Try again
          </Button>
          <Button size="small" onClick={() => void navigate({ to: '/' })}>
            All sessions
          </Button>
        </ProblemNote>
      </main>
    );
  }
  if (!facts) return <main className="flex-1" aria-busy="true" />;
  return (
    <main className="flex min-w-0 flex-1">
      <div className={`min-w-0 flex-1 flex-col ${changes.open ? 'hidden lg:flex' : 'flex'}`}>
        <Header
          changesOpen={changes.open}
          toggleChanges={toggleChanges}
          stop={{ possible: canStop, run: () => stop.mutate(), pending: stop.isPending, error: stop.error }}
        />
        <Timeline actions={actions} />
        <FollowUp box={box} />
        <StatusBar />
      </div>
      {changes.open ? (
        <aside className="w-full border-line lg:w-[46%] lg:max-w-[56rem] lg:border-l">
          {/* Where the changes take the whole window, its heading is still the session. */}
          <h1 className="sr-only lg:hidden">{visible(facts.title)}</h1>
          <Suspense fallback={null}>
            <Changes
              turn={changes.turn}
              chooseTurn={(turn) => setChanges({ open: true, turn })}
              close={() => setChanges({ open: false, turn: null })}
            />
          </Suspense>
        </aside>
      ) : null}
    </main>
  );
}
