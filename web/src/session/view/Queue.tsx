/** What waits for the turn to end: each prompt can be changed and taken back until it is sent. */
import { useMutation } from '@tanstack/react-query';
import { type KeyboardEvent, useState } from 'react';
import { api, asApiError } from '../../api/client';
import type { QueuedPrompt } from '../../api/types';
import { words } from '../../text/english';
import { visible } from '../../text/visible';
import { Button } from '../../ui/button';
import { Icon } from '../../ui/icons';
import { ProblemNote } from '../../ui/problem';
import { useStore } from './context';

interface Editing {
  prompt: string;
  text: string;
}

export function Queue({ queued }: { queued: QueuedPrompt[] }) {
  const store = useStore();
  const [editing, setEditing] = useState<Editing | null>(null);
  const remove = useMutation({
    mutationFn: (prompt: string) => api.removePrompt(store.id, prompt),
    onSettled: () => store.refresh(),
  });
  const edit = useMutation({
    mutationFn: ({ prompt, text }: Editing) => api.editPrompt(store.id, prompt, text),
    onSuccess: () => setEditing(null),
    onSettled: () => store.refresh(),
  });
  const sent = editing !== null && !queued.some(({ prompt }) => prompt === editing.prompt);
  const again = useMutation({
    mutationFn: (text: string) => api.prompt(store.id, text),
    onSuccess: () => setEditing(null),
    onSettled: () => store.refresh(),
  });
  const error = remove.error ?? (sent ? again.error : edit.error);
  if (queued.length === 0 && editing === null) return null;
  const editor = editing ? (
    <Editor
      text={editing.text}
      change={(text) => setEditing({ ...editing, text })}
      save={() => (sent ? again.mutate(editing.text) : edit.mutate(editing))}
      close={() => setEditing(null)}
      saving={edit.isPending || again.isPending}
      sent={sent}
    />
  ) : null;
  return (
    <section aria-label={words.queue.label} className="mb-1.5">
      {error ? <ProblemNote error={asApiError(error)} className="mb-1.5" /> : null}
      <ul className="space-y-1">
        {queued.map((prompt, place) => (
          <li
            key={prompt.prompt}
            className="rounded-lg border border-dashed border-line-strong bg-sunken text-[0.8125rem]"
          >
            {editing?.prompt === prompt.prompt ? (
              editor
            ) : (
              <div className="flex items-center gap-2 py-1 pr-1 pl-3">
                <Icon name="clock" className="size-3.5 text-faint" />
                <span className="shrink-0 text-faint">{place === 0 ? words.queue.next : words.queue.later}</span>
                <span className="min-w-0 flex-1 truncate" title={visible(prompt.text)}>
                  {visible(prompt.text)}
                </span>
                <span className="flex">
                  <Button
                    look="quiet"
                    size="small"
                    aria-label={words.queue.edit(prompt.text.slice(0, 60))}
                    onClick={() => setEditing({ prompt: prompt.prompt, text: prompt.text })}
                  >
                    <Icon name="edit" className="size-3.5" />
                  </Button>
                  <Button
                    look="quiet"
                    size="small"
                    aria-label={words.queue.remove(prompt.text.slice(0, 60))}
                    disabled={remove.isPending}
                    onClick={() => remove.mutate(prompt.prompt)}
                  >
                    <Icon name="cross" className="size-3.5" />
                  </Button>
                </span>
              </div>
            )}
          </li>
        ))}
      </ul>
      {sent ? <div className="mt-1 rounded-lg border border-warn/40 text-[0.8125rem]">{editor}</div> : null}
    </section>
  );
}

interface EditorProps {
  text: string;
  change: (text: string) => void;
  save: () => void;
  close: () => void;
  saving: boolean;
  /** It went to the agent meanwhile; what was written here is not lost. */
  sent: boolean;
}

function Editor({ text, change, save, close, saving, sent }: EditorProps) {
  const ready = text.trim() !== '' && !saving;
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Escape') close();
    else if (event.key === 'Enter' && (event.ctrlKey || event.metaKey) && ready) save();
    else return;
    event.preventDefault();
  };
  return (
    <div className="space-y-1.5 p-2">
      {sent ? <p className="text-warn">{words.queue.sentMeanwhile}</p> : null}
      <textarea
        aria-label={words.queue.text}
        value={text}
        rows={2}
        // biome-ignore lint/a11y/noAutofocus: somebody has just asked to write here
        autoFocus
        onChange={(event) => change(event.target.value)}
        onKeyDown={onKeyDown}
        className="field field-sizing-content max-h-[30vh] resize-none"
      />
      <div className="flex justify-end gap-1.5">
        <Button size="small" onClick={close}>
          {words.queue.cancel}
        </Button>
        <Button size="small" look="primary" disabled={!ready} onClick={save}>
          {saving ? words.queue.saving : sent ? words.queue.queueAgain : words.queue.save}
        </Button>
      </div>
    </div>
  );
}
