/** The drawer with the files that a session offers as results: a list, and one of them shown. */
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, asApiError, attachmentAddress } from '../api/client';
import type { Artifact } from '../api/types';
import { useFacts, useStore } from '../session/view/context';
import { CodeBlock, languageOf } from '../text/Code';
import { words } from '../text/english';
import { size } from '../text/format';
import { visibleName } from '../text/visible';
import { Button, buttonClass } from '../ui/button';
import { Panel, type PanelProps } from '../ui/Drawer';
import { Icon } from '../ui/icons';
import { ProblemNote } from '../ui/problem';

/** Characters that are shown; a browser with more in one block is no longer a pleasure. */
const MOST_CHARACTERS = 300_000;

export function Artifacts({ close }: PanelProps) {
  const store = useStore();
  const facts = useFacts();
  const [name, show] = useState<string | null>(null);
  // They are kept before the phase says that a turn is over.
  const list = useQuery({
    queryKey: ['artifacts', store.id, facts?.phase, facts?.turn],
    queryFn: () => api.artifacts(store.id),
    placeholderData: (before) => before,
    staleTime: 0,
  });
  const items = list.data?.items ?? [];
  const shown = items.find((artifact) => artifact.name === name);
  return (
    <Panel title={words.artifacts.title} shortcut="a" close={close}>
      {list.error ? <ProblemNote error={asApiError(list.error)} className="m-3" /> : null}
      {shown ? <Shown key={shown.id} artifact={shown} back={() => show(null)} /> : null}
      {list.data && items.length === 0 ? (
        <p className="m-auto max-w-80 p-6 text-center text-soft">{words.artifacts.nothing}</p>
      ) : null}
      {shown ? null : (
        <ul aria-label={words.artifacts.label} className="min-h-0 flex-1 overflow-y-auto p-1.5">
          {items.toReversed().map((artifact) => (
            <Row key={artifact.name} artifact={artifact} show={() => show(artifact.name)} />
          ))}
        </ul>
      )}
    </Panel>
  );
}

function Row({ artifact, show }: { artifact: Artifact; show: () => void }) {
  const isImage = artifact.media_type.startsWith('image/');
  return (
    <li className="flex items-center gap-2 rounded-md pr-1 hover:bg-hover">
      <button type="button" onClick={show} className="flex min-w-0 flex-1 items-center gap-2.5 px-2 py-1 text-left">
        {isImage ? (
          <img
            src={attachmentAddress(artifact.id)}
            alt=""
            loading="lazy"
            decoding="async"
            className="size-9 shrink-0 rounded border border-line object-cover"
          />
        ) : (
          <span className="grid size-9 shrink-0 place-items-center">
            <Icon name="read" className="text-soft" />
          </span>
        )}
        <bdi className="min-w-0 truncate font-mono text-code">{visibleName(artifact.name)}</bdi>
        <span className="ml-auto shrink-0 text-2xs text-faint">
          {words.artifacts.of(size(artifact.bytes), artifact.turn)}
        </span>
      </button>
      <Save artifact={artifact} />
    </li>
  );
}

function Save({ artifact }: { artifact: Artifact }) {
  return (
    <a
      href={attachmentAddress(artifact.id)}
      download={artifact.name.split('/').at(-1)}
      className={buttonClass({ look: 'quiet', size: 'small' })}
    >
      <Icon name="down" className="size-3.5" /> {words.common.save}
      <span className="sr-only">{visibleName(artifact.name)}</span>
    </a>
  );
}

function Shown({ artifact, back }: { artifact: Artifact; back: () => void }) {
  const content = useQuery({
    queryKey: ['artifact', artifact.id],
    queryFn: () => api.keptText(artifact.id, MOST_CHARACTERS),
  });
  const shown = content.data;
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <div className="flex items-center gap-2 border-b border-line px-2 py-1 text-2xs text-soft">
        <Button look="quiet" size="small" onClick={back}>
          <Icon name="back" className="size-3.5" /> {words.artifacts.back}
        </Button>
        <bdi className="min-w-0 flex-1 truncate font-mono">{visibleName(artifact.name)}</bdi>
        <Save artifact={artifact} />
      </div>
      <div className="min-h-0 flex-1 overflow-auto overscroll-contain p-3">
        {content.error ? (
          <ProblemNote error={asApiError(content.error)}>
            <Button size="small" onClick={() => void content.refetch()}>
              {words.common.tryAgain}
            </Button>
          </ProblemNote>
        ) : null}
        {shown?.kind === 'image' ? (
          <img src={attachmentAddress(artifact.id)} alt={visibleName(artifact.name)} className="max-w-full" />
        ) : null}
        {shown?.kind === 'other' ? <p className="py-6 text-center text-faint">{words.artifacts.other}</p> : null}
        {shown?.kind === 'text' && shown.text === '' ? (
          <p className="py-6 text-center text-faint">{words.artifacts.empty}</p>
        ) : null}
        {shown?.kind === 'text' && shown.text !== '' ? (
          <CodeBlock code={shown.text} language={languageOf(artifact.name)} />
        ) : null}
        {shown?.kind === 'text' && !shown.whole ? (
          <p className="pt-2 text-2xs text-faint">{words.artifacts.beginning}</p>
        ) : null}
      </div>
    </div>
  );
}
