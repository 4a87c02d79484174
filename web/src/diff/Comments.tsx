/** A comment under its line, and at the end of the changes the button that sends all of them. */

import { useMutation } from '@tanstack/react-query';
import { type KeyboardEvent, useEffect, useRef, useSyncExternalStore } from 'react';
import { api, asApiError } from '../api/client';
import { useStore } from '../session/view/context';
import { words } from '../text/english';
import { visible, visibleName } from '../text/visible';
import { Button } from '../ui/button';
import { Icon } from '../ui/icons';
import { ProblemNote } from '../ui/problem';
import { type CommentStore, type LineComment, LONGEST_COMMENT, promptOf } from './comments';

export function CommentBox({ comment, store }: { comment: LineComment; store: CommentStore }) {
  return (
    <div className="sticky left-0 w-[min(36rem,100cqw)] p-2 font-sans text-[0.84375rem] whitespace-normal">
      {comment.open ? <Writing comment={comment} store={store} /> : <Written comment={comment} store={store} />}
    </div>
  );
}

function Writing({ comment, store }: { comment: LineComment; store: CommentStore }) {
  const box = useRef<HTMLTextAreaElement>(null);
  useEffect(() => box.current?.focus(), []);
  const empty = comment.text.trim() === '';
  const done = () => (empty ? store.remove(comment.id) : store.change(comment.id, { open: false }));
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Escape' || (event.key === 'Enter' && (event.ctrlKey || event.metaKey))) {
      event.preventDefault();
      event.stopPropagation();
      done();
    }
  };
  return (
    <div className="rounded-lg border border-line-strong bg-raised p-1 focus-within:border-lamp-fill">
      <textarea
        ref={box}
        rows={2}
        maxLength={LONGEST_COMMENT}
        value={comment.text}
        onChange={(event) => store.change(comment.id, { text: event.target.value })}
        onKeyDown={onKeyDown}
        aria-label={words.comments.about(comment.line, visibleName(comment.path))}
        placeholder={words.comments.hint}
        className="field-sizing-content block max-h-60 min-h-12 w-full resize-none bg-transparent px-2 py-1 outline-none placeholder:text-faint"
      />
      <div className="flex justify-end gap-1">
        <Button look="quiet" size="small" onClick={() => store.remove(comment.id)}>
          {words.comments.discard}
        </Button>
        <Button look="primary" size="small" disabled={empty} onClick={done}>
          {words.comments.keep}
        </Button>
      </div>
    </div>
  );
}

function Written({ comment, store }: { comment: LineComment; store: CommentStore }) {
  return (
    <div className="flex items-start gap-2 rounded-lg border border-lamp-fill/25 bg-lamp-tint py-1 pr-1 pl-2.5">
      <p className="min-w-0 flex-1 py-0.5 break-words whitespace-pre-wrap">{visible(comment.text)}</p>
      <Button
        look="quiet"
        size="small"
        aria-label={words.comments.edit}
        onClick={() => store.change(comment.id, { open: true })}
      >
        <Icon name="edit" className="size-3.5" />
      </Button>
      <Button look="quiet" size="small" aria-label={words.comments.remove} onClick={() => store.remove(comment.id)}>
        <Icon name="cross" className="size-3.5" />
      </Button>
    </div>
  );
}

/** How many there are, those that are about no line that is shown, and the way to the agent. */
export function CommentsBar({ store, shown }: { store: CommentStore; shown: (comment: LineComment) => boolean }) {
  const session = useStore();
  const all = useSyncExternalStore(store.subscribe, store.all);
  const send = useMutation({
    mutationFn: (sent: readonly LineComment[]) => api.prompt(session.id, promptOf(sent)),
    onSuccess: (_, sent) => {
      // What was written or changed since then is still to be sent.
      for (const comment of sent) if (all.includes(comment)) store.remove(comment.id);
      session.refresh();
    },
  });
  const finished = all.filter((comment) => comment.text.trim() !== '');
  const ended = session.getState().timeline.facts?.ended === true;
  if (all.length === 0) return null;
  const elsewhere = all.filter((comment) => !shown(comment));
  return (
    <section aria-label={words.comments.label} className="border-t border-line bg-raised px-3 py-2">
      {send.error ? <ProblemNote error={asApiError(send.error)} className="mb-2" /> : null}
      {elsewhere.length > 0 ? (
        <details className="mb-2 text-[0.8125rem]">
          <summary className="w-fit rounded text-soft select-none">
            {words.comments.elsewhere(elsewhere.length)}
          </summary>
          <ul className="mt-1 max-h-40 space-y-1 overflow-y-auto">
            {elsewhere.map((comment) => (
              <li key={comment.id} className="flex items-start gap-2">
                <span className="min-w-0 flex-1">
                  <bdi className="font-mono text-2xs text-soft">
                    {visibleName(comment.path)}:{comment.line}
                  </bdi>
                  <span className="block break-words whitespace-pre-wrap">{visible(comment.text)}</span>
                </span>
                <Button
                  look="quiet"
                  size="small"
                  aria-label={words.comments.remove}
                  onClick={() => store.remove(comment.id)}
                >
                  <Icon name="cross" className="size-3.5" />
                </Button>
              </li>
            ))}
          </ul>
        </details>
      ) : null}
      <div className="flex items-center gap-2">
        <span className="text-[0.8125rem] text-soft">{words.comments.count(finished.length)}</span>
        <span className="grow" />
        <Button look="quiet" size="small" disabled={send.isPending} onClick={() => store.clear()}>
          {words.comments.discardAll}
        </Button>
        <Button
          look="primary"
          size="small"
          disabled={finished.length === 0 || send.isPending || ended}
          onClick={() => send.mutate(finished)}
        >
          <Icon name="send" className="size-3.5" /> {words.comments.send}
        </Button>
      </div>
    </section>
  );
}
