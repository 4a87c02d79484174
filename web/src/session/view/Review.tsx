/** The pull request that shows the session's branch, and the way there. */
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { api, asApiError } from '../../api/client';
import type { SessionView } from '../../api/types';
import { shortCommit } from '../../text/format';
import { visible } from '../../text/visible';
import { Button } from '../../ui/button';
import { Dialog } from '../../ui/dialog';
import { ProblemNote } from '../../ui/problem';
import { useStore } from './context';

export function Review({ facts }: { facts: SessionView }) {
  const store = useStore();
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
        <a
          href={isAddress(shown.url) ? shown.url : undefined}
          target="_blank"
          rel="noreferrer"
          title={`${shown.repository}, at ${shortCommit(shown.head)}`}
          className="rounded-lg px-2 py-1.5 text-[0.8125rem] text-link hover:underline"
        >
          {shown.draft ? 'Draft ' : ''}#{shown.number}
        </a>
      ) : null}
      {shown === null || isBehind ? (
        <Button onClick={() => setAsking(true)} title="For review on GitHub">
          {isBehind ? 'Update' : 'Pull request'}
        </Button>
      ) : null}
      {asking ? (
        <Dialog title={isBehind ? 'Update the pull request?' : 'Open a pull request?'} onClose={close}>
          <p className="text-soft">
            <span className="font-mono text-code">{visible(facts.branch)}</span> is pushed to where{' '}
            <span className="font-mono text-code">{visible(facts.repository)}</span> comes from
            {isBehind ? ', and its pull request told what is new.' : ', and a draft pull request opened for it.'}
          </p>
          {publish.error ? <ProblemNote error={asApiError(publish.error)} className="mt-3" /> : null}
          <div className="mt-4 flex justify-end gap-2">
            <Button onClick={close}>Cancel</Button>
            <Button look="primary" disabled={publish.isPending} onClick={() => publish.mutate()}>
              {publish.isPending ? 'Publishing' : 'Publish'}
            </Button>
          </div>
        </Dialog>
      ) : null}
    </>
  );
}

function isAddress(url: string): boolean {
  return url.startsWith('https://') || url.startsWith('http://');
}
