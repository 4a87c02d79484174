/** The pull request that shows the session's branch, and the way there. */

import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { api, asApiError } from '../../api/client';
import type { SessionView } from '../../api/types';
import { words } from '../../text/english';
import { Filled } from '../../text/Filled';
import { shortCommit } from '../../text/format';
import { visible } from '../../text/visible';
import { Button } from '../../ui/button';
import { Dialog } from '../../ui/dialog';
import { ProblemNote } from '../../ui/problem';
import { useStore } from './context';
import { useDrawer } from './drawers';

export function Review({ facts }: { facts: SessionView }) {
  const store = useStore();
  const drawer = useDrawer();
  const [asking, setAsking] = useState(false);
  const publish = useMutation({
    mutationFn: () => api.publish(store.id),
    onSuccess: () => {
      setAsking(false);
      store.refresh();
    },
  });
  const last = facts.commits.at(-1);
  if (!last) return null;
  const shown = facts.pull_request;
  const isBehind = shown !== null && shown.head !== last.id;
  const close = () => {
    setAsking(false);
    publish.reset();
  };
  return (
    <>
      {shown ? (
        <Button
          onClick={() => drawer.toggle('review')}
          aria-expanded={drawer.drawer === 'review'}
          title={words.review.at(shown.repository, shortCommit(shown.head))}
        >
          {words.review.number(shown.number, shown.draft)}
        </Button>
      ) : null}
      {shown === null || isBehind ? (
        <Button onClick={() => setAsking(true)} title={words.review.title}>
          {isBehind ? words.review.update : words.review.open}
        </Button>
      ) : null}
      {asking ? (
        <Dialog title={isBehind ? words.review.askUpdate : words.review.askOpen} onClose={close}>
          <p className="text-soft">
            <Filled
              sentence={isBehind ? words.review.textUpdate : words.review.textOpen}
              parts={{
                branch: <span className="font-mono text-code">{visible(facts.branch)}</span>,
                repository: <span className="font-mono text-code">{visible(facts.repository)}</span>,
              }}
            />
          </p>
          {publish.error ? <ProblemNote error={asApiError(publish.error)} className="mt-3" /> : null}
          <div className="mt-4 flex justify-end gap-2">
            <Button onClick={close}>{words.common.cancel}</Button>
            <Button look="primary" disabled={publish.isPending} onClick={() => publish.mutate()}>
              {publish.isPending ? words.review.publishing : words.review.publish}
            </Button>
          </div>
        </Dialog>
      ) : null}
    </>
  );
}
