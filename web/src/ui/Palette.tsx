/** Everything that can be done or gone to, by typing: Ctrl+K or ⌘K. */
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { type KeyboardEvent, useEffect, useId, useRef, useState } from 'react';
import { api, signInPath } from '../api/client';
import { meQuery } from '../api/queries';
import type { Phase } from '../api/types';
import { SECTIONS } from '../settings/sections';
import { words } from '../text/english';
import { baseName } from '../text/format';
import { visible } from '../text/visible';
import { allCommands, type PageCommand, score, useCommands } from './commands';
import { useKeys, usePaused } from './hooks';
import { Icon } from './icons';
import { PhaseDot, phaseWord } from './phase';

/** Sessions on offer. */
const SESSIONS = 8;
/** The server is asked once typing pauses. */
const PAUSE_MS = 150;

interface Entry {
  key: string;
  title: string;
  detail: string;
  phase: Phase | null;
  keys: string | undefined;
  run: () => void;
}

export function Palette() {
  const [shown, setShown] = useState(false);
  const navigate = useNavigate();
  // At the door nobody is anybody yet.
  const me = useQuery({ ...meQuery, enabled: window.location.pathname !== signInPath }).data;
  useKeys({ 'mod+k': () => setShown((before) => !before) });
  useCommands([
    { id: 'new', title: words.palette.newSession, keys: 'n', run: () => void navigate({ to: '/new' }) },
    { id: 'list', title: words.palette.allSessions, keys: 'u', run: () => void navigate({ to: '/' }) },
    { id: 'usage', title: words.palette.usage, run: () => void navigate({ to: '/usage' }) },
    ...SECTIONS.filter((section) => !section.shown || (me && section.shown(me))).map(({ id, title }) => ({
      id: `settings ${id}`,
      title: words.palette.settings(title),
      run: () => void navigate({ to: '/settings/$section', params: { section: id } }),
    })),
  ]);
  return shown ? <Open close={() => setShown(false)} /> : null;
}

function Open({ close }: { close: () => void }) {
  const navigate = useNavigate();
  const dialog = useRef<HTMLDialogElement>(null);
  const list = useId();
  const [typed, setTyped] = useState('');
  const [place, setPlace] = useState(0);
  const asked = usePaused(typed.trim(), PAUSE_MS);
  const [commands] = useState(allCommands);
  useEffect(() => {
    const opened = dialog.current;
    opened?.showModal();
    return () => opened?.close();
  }, []);
  const sessions = useQuery({
    queryKey: ['palette', asked],
    queryFn: () => api.sessions(asked ? { q: asked } : {}, null, SESSIONS),
    placeholderData: (previous) => previous,
  });
  // Until the server has answered what is typed now, only what fits by its title.
  const isFresh = asked === typed.trim() && !sessions.isPlaceholderData;
  const found = (sessions.data?.items ?? []).filter(({ title }) => isFresh || score(title, typed) > 1);
  const entries = [
    ...matching(commands, typed).map(
      (command): Entry => ({
        key: command.id,
        title: command.title,
        detail: '',
        phase: null,
        keys: command.keys,
        run: command.run,
      }),
    ),
    ...found.map(
      (session): Entry => ({
        key: session.id,
        title: visible(session.title),
        detail: `${phaseWord(session.phase)} · ${visible(baseName(session.repository))}`,
        phase: session.phase,
        keys: undefined,
        run: () => void navigate({ to: '/sessions/$id', params: { id: session.id } }),
      }),
    ),
  ];
  const at = Math.min(place, Math.max(0, entries.length - 1));
  const choose = (entry: Entry | undefined) => {
    if (!entry) return;
    // First, so that what the command opens keeps the focus.
    close();
    entry.run();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'ArrowDown') setPlace((at + 1) % Math.max(1, entries.length));
    else if (event.key === 'ArrowUp') setPlace((at - 1 + entries.length) % Math.max(1, entries.length));
    else if (event.key === 'Enter') choose(entries[at]);
    else return;
    event.preventDefault();
  };
  return (
    <dialog
      ref={dialog}
      aria-label={words.palette.label}
      onCancel={close}
      onClose={close}
      onClick={(event) => event.target === dialog.current && close()}
      onKeyDown={(event) => event.key === 'Escape' && close()}
      className="mx-auto mt-[12vh] w-[min(36rem,calc(100vw-1.5rem))] overflow-hidden rounded-2xl border border-line-strong bg-raised p-0 text-ink shadow-2xl shadow-black/25 backdrop:bg-black/35"
    >
      <div className="flex items-center gap-2.5 border-b border-line px-4">
        <Icon name="search" className="text-faint" />
        <input
          value={typed}
          onChange={(event) => {
            setTyped(event.target.value);
            setPlace(0);
          }}
          onKeyDown={onKeyDown}
          role="combobox"
          aria-label={words.palette.label}
          aria-expanded="true"
          aria-controls={list}
          aria-activedescendant={entries[at] ? `${list}-${at}` : undefined}
          placeholder={words.palette.placeholder}
          spellCheck={false}
          autoComplete="off"
          className="h-12 flex-1 bg-transparent text-[0.9375rem] outline-none placeholder:text-faint"
        />
      </div>
      <div id={list} role="listbox" aria-label={words.palette.results} className="max-h-[50vh] overflow-y-auto p-1.5">
        {entries.map((entry, n) => (
          // biome-ignore lint/a11y/useFocusableInteractive: the focus stays in the box, which names this one as active
          // biome-ignore lint/a11y/useKeyWithClickEvents: the box has the keys
          <div
            key={entry.key}
            id={`${list}-${n}`}
            role="option"
            aria-selected={n === at}
            ref={n === at ? (element) => element?.scrollIntoView({ block: 'nearest' }) : undefined}
            onClick={() => choose(entry)}
            onPointerMove={() => n !== at && setPlace(n)}
            className={`flex cursor-pointer items-center gap-3 rounded-lg px-3 py-1.5 ${n === at ? 'bg-hover' : ''}`}
          >
            {entry.phase ? (
              <PhaseDot phase={entry.phase} className="mx-1" />
            ) : (
              <Icon name="chevron" className="size-4 text-faint" />
            )}
            <span className="min-w-0 flex-1">
              <span className="block truncate">{entry.title}</span>
              {entry.detail ? <span className="block truncate text-2xs text-faint">{entry.detail}</span> : null}
            </span>
            {entry.keys ? <kbd>{entry.keys}</kbd> : null}
          </div>
        ))}
        {entries.length === 0 ? <p className="px-3 py-4 text-center text-faint">{words.palette.nothing}</p> : null}
      </div>
    </dialog>
  );
}

function matching(commands: readonly PageCommand[], typed: string): PageCommand[] {
  return commands
    .map((command) => ({ command, worth: score(command.title, typed) }))
    .filter(({ worth }) => worth > 0)
    .sort((a, b) => b.worth - a.worth)
    .map(({ command }) => command);
}
