/** The drawer with the files of the sandbox: looked through, opened, saved, and put there. */

import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import { api, asApiError, fileAddress } from '../api/client';
import type { FolderEntry, SessionView } from '../api/types';
import { useFacts, useStore } from '../session/view/context';
import { useDrawer } from '../session/view/drawers';
import { words } from '../text/english';
import { size } from '../text/format';
import { visibleName } from '../text/visible';
import { Button, buttonClass } from '../ui/button';
import { Panel, type PanelProps } from '../ui/Drawer';
import { Icon, type IconName } from '../ui/icons';
import { isWorking } from '../ui/phase';
import { ProblemNote } from '../ui/problem';
import { FileView } from './FileView';
import { isLost, join, parent, partsOf, WORKSPACE } from './paths';

/** While the agent works its files change. */
const LOOK_MS = 5_000;

export function Files({ close }: PanelProps) {
  const facts = useFacts();
  const [folder, setFolder] = useState(WORKSPACE);
  const [file, setFile] = useState<FolderEntry | null>(null);
  if (!facts) return null;
  const go = (path: string) => {
    setFile(null);
    setFolder(path);
  };
  return (
    <Panel title={words.files.title} shortcut="f" close={close}>
      {facts.sandbox_state === 'running' ? (
        <>
          <Where path={folder} file={file} go={go} />
          {file ? (
            <FileView folder={folder} file={file} />
          ) : (
            <Folder path={folder} go={go} open={setFile} working={isWorking(facts.phase)} />
          )}
        </>
      ) : (
        <NotNow facts={facts} />
      )}
    </Panel>
  );
}

function Where({ path, file, go }: { path: string; file: FolderEntry | null; go: (path: string) => void }) {
  const parts = partsOf(path);
  return (
    <nav
      aria-label={words.files.above}
      className="flex flex-wrap items-center border-b border-line px-2 py-1 font-mono text-code"
    >
      {parts.map((part, place) => (
        <span key={part.path} className="flex min-w-0 items-center">
          {place > 1 ? <span className="text-faint">/</span> : null}
          <button
            type="button"
            onClick={() => go(part.path)}
            aria-current={!file && place === parts.length - 1 ? 'page' : undefined}
            className="max-w-52 truncate rounded px-1 py-0.5 text-soft hover:bg-hover aria-[current]:text-ink"
          >
            <bdi>{visibleName(part.name)}</bdi>
          </button>
        </span>
      ))}
      {file ? (
        <span className="flex min-w-0 items-center">
          <span className="text-faint">/</span>
          <bdi className="truncate px-1">{visibleName(file.name)}</bdi>
        </span>
      ) : null}
    </nav>
  );
}

interface FolderProps {
  path: string;
  go: (path: string) => void;
  open: (file: FolderEntry) => void;
  working: boolean;
}

function Folder({ path, go, open, working }: FolderProps) {
  const store = useStore();
  const listing = useQuery({
    queryKey: ['files', store.id, path],
    queryFn: () => api.files(store.id, path),
    refetchInterval: working ? LOOK_MS : false,
  });
  const entries = [...(listing.data?.entries ?? [])].sort((a, b) => Number(isFolder(b)) - Number(isFolder(a)));
  return (
    <>
      <div className="min-h-0 flex-1 overflow-y-auto overscroll-contain">
        {listing.error ? (
          <ProblemNote error={asApiError(listing.error)} className="m-3">
            <Button size="small" onClick={() => void listing.refetch()}>
              {words.common.tryAgain}
            </Button>
          </ProblemNote>
        ) : null}
        {listing.isSuccess && entries.length === 0 ? (
          <p className="p-6 text-center text-faint">{words.files.nothing}</p>
        ) : null}
        <ul aria-label={words.files.title} className="p-1.5">
          {path === '/' ? null : (
            <li>
              <button
                type="button"
                onClick={() => go(parent(path))}
                className="flex w-full items-center gap-2 rounded-md px-1.5 py-1 text-left font-mono text-code text-soft hover:bg-hover"
              >
                <Icon name="back" className="size-3.5" /> ..<span className="sr-only"> {words.files.parent}</span>
              </button>
            </li>
          )}
          {entries.map((entry) => (
            <li key={entry.name}>
              <Entry entry={entry} act={() => (isFolder(entry) ? go(join(path, entry.name)) : open(entry))} />
            </li>
          ))}
        </ul>
        {listing.data?.truncated ? (
          <p className="px-3 pb-3 text-2xs text-faint">{words.files.truncated(entries.length)}</p>
        ) : null}
      </div>
      <Uploads folder={path} />
    </>
  );
}

function isFolder({ kind, leads_to }: FolderEntry): boolean {
  return kind === 'folder' || leads_to === 'folder';
}

function iconOf(entry: FolderEntry): IconName {
  if (isFolder(entry)) return 'folder';
  return entry.kind === 'file' || entry.leads_to === 'file' ? 'read' : 'other';
}

function Entry({ entry, act }: { entry: FolderEntry; act: () => void }) {
  const what = entry.leads_to ?? entry.kind;
  // Neither a pipe nor a link to nowhere can be opened, nor what has lost its name on the way.
  const opens = (what === 'file' || what === 'folder') && !isLost(entry.name);
  const words =
    entry.kind === 'link' ? (entry.leads_to ? '' : 'leads nowhere') : entry.kind === 'other' ? 'no file' : '';
  return (
    <button
      type="button"
      disabled={!opens}
      onClick={act}
      title={visibleName(entry.name)}
      className="flex w-full items-center gap-2 rounded-md px-1.5 py-1 text-left font-mono text-code enabled:hover:bg-hover disabled:text-faint"
    >
      <Icon name={iconOf(entry)} className={`size-3.5 ${isFolder(entry) ? 'text-lamp' : 'text-faint'}`} />
      <bdi className="min-w-0 truncate">{visibleName(entry.name)}</bdi>
      {entry.target === null ? null : (
        <bdi className="min-w-0 truncate text-2xs text-faint">
          {'\u2192'} {visibleName(entry.target)}
        </bdi>
      )}
      <span className="grow" />
      <span className="shrink-0 text-2xs text-faint tabular-nums">
        {words || (isFolder(entry) ? '' : entry.kind === 'file' ? size(entry.bytes) : '')}
      </span>
    </button>
  );
}

function Uploads({ folder }: { folder: string }) {
  const store = useStore();
  const client = useQueryClient();
  const input = useRef<HTMLInputElement>(null);
  const upload = useMutation({
    mutationFn: async (files: File[]) => {
      for (const file of files) await api.uploadFile(store.id, join(folder, file.name), file);
      return files.length;
    },
    onSettled: () => client.invalidateQueries({ queryKey: ['files', store.id] }),
  });
  const take = (files: Iterable<File>) => {
    const chosen = Array.from(files);
    if (chosen.length > 0) upload.mutate(chosen);
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: a second way to what the button does
    <div
      className="border-t border-line px-3 py-2"
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault();
        take(event.dataTransfer.files);
      }}
    >
      {upload.error ? <ProblemNote error={asApiError(upload.error)} className="mb-2" /> : null}
      <input
        ref={input}
        type="file"
        multiple
        hidden
        aria-label={words.files.choose}
        onChange={(event) => {
          take(event.target.files ?? []);
          event.target.value = '';
        }}
      />
      <div className="flex items-center gap-3">
        <Button size="small" disabled={upload.isPending} onClick={() => input.current?.click()}>
          <Icon name="send" className="size-3.5" /> {upload.isPending ? words.files.uploading : words.files.upload}
        </Button>
        <span role="status" className="text-2xs text-faint">
          {upload.isSuccess ? words.files.uploaded(upload.data) : null}
        </span>
      </div>
    </div>
  );
}

/** What can be done while there is no sandbox to look into. */
function NotNow({ facts }: { facts: SessionView }) {
  const store = useStore();
  const drawer = useDrawer();
  const resume = useMutation({ mutationFn: () => api.resume(store.id), onSuccess: (view) => store.adopt(view) });
  const paused = facts.sandbox_state === 'paused';
  const why = {
    running: '',
    paused: words.files.paused,
    starting: words.files.starting,
    stopped: words.files.stopped,
    none: facts.ended ? words.files.ended : words.files.none,
  }[facts.sandbox_state];
  return (
    <div className="space-y-3 p-6 text-center">
      <p className="text-soft">{why}</p>
      {resume.error ? <ProblemNote error={asApiError(resume.error)} className="text-left" /> : null}
      <p className="flex justify-center gap-2">
        {paused ? (
          <Button look="primary" size="small" disabled={resume.isPending} onClick={() => resume.mutate()}>
            <Icon name="play" className="size-3.5" /> {words.common.resume}
          </Button>
        ) : null}
        <Button size="small" onClick={() => drawer.open('changes')}>
          <Icon name="diff" className="size-3.5" /> {words.files.changes}
        </Button>
      </p>
    </div>
  );
}

/** Saves a file, whatever it is. */
export function SaveLink({ path, name }: { path: string; name: string }) {
  const store = useStore();
  return (
    <a
      href={fileAddress(store.id, path, true)}
      download={name}
      className={buttonClass({ look: 'outline', size: 'small' })}
    >
      <Icon name="down" className="size-3.5" /> {words.common.save}
    </a>
  );
}
