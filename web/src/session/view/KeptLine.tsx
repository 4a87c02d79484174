/** A moment that the session can go back to, or that another session can start from. */

import { useMutation } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { api, asApiError } from '../../api/client';
import { words } from '../../text/english';
import { Button, buttonClass } from '../../ui/button';
import { Dialog } from '../../ui/dialog';
import { Icon } from '../../ui/icons';
import { isWorking } from '../../ui/phase';
import { ProblemNote } from '../../ui/problem';
import type { KeptItem } from '../items';
import { useFacts, useStore } from './context';

export function KeptLine({ item }: { item: KeptItem }) {
  const facts = useFacts();
  const store = useStore();
  const [asking, setAsking] = useState(false);
  const restore = useMutation({
    mutationFn: () => api.restore(store.id, item.checkpoint),
    onSuccess: (view) => {
      setAsking(false);
      store.adopt(view);
    },
  });
  const there =
    facts !== null && !facts.ended && facts.checkpoints.some(({ checkpoint }) => checkpoint === item.checkpoint);
  const busy = facts !== null && (isWorking(facts.phase) || facts.phase === 'starting');
  return (
    <div className="group flex min-h-7 items-center gap-2 px-2 text-[0.8125rem] text-faint">
      <span>{words.kept.line(item.checkpoint)}</span>
      {there ? (
        // Seen by those who look for them: with a pointer here, with the keyboard in here, or on a screen that is touched.
        <span className="flex items-center gap-1 transition-opacity group-focus-within:opacity-100 group-hover:opacity-100 [@media(hover:hover)]:opacity-0">
          <Button
            look="quiet"
            size="small"
            disabled={busy}
            title={busy ? words.common.waitForTurn : words.kept.restoreTitle}
            onClick={() => setAsking(true)}
          >
            <Icon name="rewind" className="size-3.5" /> {words.kept.restore}
          </Button>
          <Link
            to="/new"
            search={{ fork: store.id, checkpoint: item.checkpoint }}
            className={buttonClass({ look: 'quiet', size: 'small' })}
            title={words.kept.forkTitle}
          >
            <Icon name="fork" className="size-3.5" /> {words.create.fork}
          </Link>
        </span>
      ) : null}
      {asking ? (
        <Dialog
          title={words.kept.ask(item.checkpoint)}
          onClose={() => {
            setAsking(false);
            restore.reset();
          }}
        >
          <p className="text-soft">{words.kept.text}</p>
          {restore.error ? <ProblemNote error={asApiError(restore.error)} className="mt-3" /> : null}
          <div className="mt-4 flex justify-end gap-2">
            <Button onClick={() => setAsking(false)}>{words.common.cancel}</Button>
            <Button look="primary" disabled={restore.isPending} onClick={() => restore.mutate()}>
              {restore.isPending ? words.kept.goingBack : words.kept.goBack}
            </Button>
          </div>
        </Dialog>
      ) : null}
    </div>
  );
}
