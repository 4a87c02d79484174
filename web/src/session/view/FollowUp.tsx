/** The box for the next prompt, under it what waits. A draft survives a reload. */

import { useMutation } from '@tanstack/react-query';
import { type KeyboardEvent, lazy, type RefObject, Suspense, useLayoutEffect, useRef } from 'react';
import { api, asApiError, newIdempotencyKey } from '../../api/client';
import type { Attachment } from '../../api/types';
import { AttachButton, ChosenFiles, DropPlace } from '../../attach/Chosen';
import { useFiles } from '../../attach/files';
import { words } from '../../text/english';
import { Button } from '../../ui/button';
import { useDraft } from '../../ui/hooks';
import { Icon } from '../../ui/icons';
import { isBusy, isWorking } from '../../ui/phase';
import { ProblemNote } from '../../ui/problem';
import { useFacts, useSession, useStore } from './context';
import { Queue } from './Queue';

const Spent = lazy(() => import('./Tripped').then((module) => ({ default: module.Spent })));

interface Said {
  text: string;
  attachments: Attachment[];
  /** The turn after which the session is let go on once; null for an ordinary prompt. */
  past: number | null;
}

export function FollowUp({ box }: { box: RefObject<HTMLTextAreaElement | null> }) {
  const store = useStore();
  const facts = useFacts();
  const started = useSession((state) => state.timeline.turns.size > 0 || (state.timeline.facts?.turn ?? 0) > 0);
  const [text, setText] = useDraft(store.id);
  const files = useFiles(store.id);
  // The same once more after an error is one prompt; once it was taken it is another.
  const key = useRef({ said: '', key: '' });
  const send = useMutation({
    mutationFn: (prompt: Said): Promise<unknown> => {
      const said = JSON.stringify(prompt);
      if (key.current.said !== said) key.current = { said, key: newIdempotencyKey() };
      return prompt.past === null
        ? api.prompt(store.id, prompt.text, prompt.attachments, key.current.key)
        : api.continueOnce(store.id, prompt.past, prompt.text, prompt.attachments);
    },
    onSuccess: (_, sent) => {
      key.current = { said: '', key: '' };
      // What was written and attached since then is of the next one.
      const now = text.trimStart();
      setText(now.startsWith(sent.text) ? now.slice(sent.text.length).trimStart() : text);
      files.sent(sent.attachments);
      store.refresh();
    },
  });

  // As tall as what is in it, up to a third of the window.
  // biome-ignore lint/correctness/useExhaustiveDependencies: the height follows the text
  useLayoutEffect(() => {
    const area = box.current;
    if (!area) return;
    area.style.height = 'auto';
    area.style.height = `${Math.min(area.scrollHeight + 2, window.innerHeight / 3)}px`;
  }, [text]);

  if (!facts) return null;
  if (facts.ended) {
    return (
      <p className="border-t border-line px-4 py-3 text-center text-[0.8125rem] text-faint">{words.followUp.ended}</p>
    );
  }
  const running = isWorking(facts.phase) || isBusy(facts.phase);
  const said = text.trim() !== '' || files.ready.length > 0;
  const free = !send.isPending && !files.uploading && !files.failed;
  const ready = said && free;
  const submit = (past: number | null) => send.mutate({ text: text.trim(), attachments: files.ready, past });
  const { tripped } = facts;
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Enter' && !event.shiftKey && !event.nativeEvent.isComposing) {
      event.preventDefault();
      if (ready) submit(null);
    } else if (event.key === 'Escape') {
      box.current?.blur();
    }
  };
  // The first prompt waits in the timeline, where it was said.
  const waiting = started ? facts.queued : facts.queued.slice(1);
  return (
    <div className="px-3 pb-2 sm:px-6">
      <div className="mx-auto max-w-[49rem]">
        <Queue queued={waiting} />
        {tripped?.can_be_continued ? (
          <Suspense fallback={null}>
            <Spent tripped={tripped} said={said} disabled={!free} goOn={() => submit(tripped.turn)} />
          </Suspense>
        ) : null}
        {send.error ? <ProblemNote error={asApiError(send.error)} className="mb-2" /> : null}
        <DropPlace
          files={files}
          className="rounded-xl border border-line-strong bg-raised p-1 shadow-sm shadow-black/5 focus-within:border-lamp-fill"
        >
          <ChosenFiles files={files} className="p-1 pb-2" />
          <div className="flex items-end gap-1">
            <AttachButton files={files} />
            <textarea
              ref={box}
              rows={1}
              value={text}
              onChange={(event) => setText(event.target.value)}
              onKeyDown={onKeyDown}
              aria-label={words.followUp.label}
              placeholder={running ? words.followUp.waits : words.followUp.placeholder}
              className="min-h-9 flex-1 resize-none bg-transparent px-1.5 py-1.5 text-[0.9375rem] outline-none placeholder:text-faint"
            />
            <Button
              look={ready ? 'primary' : 'quiet'}
              size="icon"
              onClick={() => submit(null)}
              disabled={!ready}
              aria-label={running ? words.followUp.queue : words.followUp.send}
            >
              <Icon name="send" />
            </Button>
          </div>
        </DropPlace>
      </div>
    </div>
  );
}
