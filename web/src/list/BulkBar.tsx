/** What can be done with several sessions at once. */
import { useMutation } from '@tanstack/react-query';
import { type ApiError, api, asApiError } from '../api/client';
import type { SessionSummary } from '../api/types';
import { words } from '../text/english';
import { Button } from '../ui/button';
import { useKeys } from '../ui/hooks';
import { Icon } from '../ui/icons';
import { isWorking } from '../ui/phase';
import { ProblemNote } from '../ui/problem';

/** Requests at a time. */
const TOGETHER = 4;

interface BulkBarProps {
  sessions: SessionSummary[];
  /** The list is that of the archived ones. */
  archived: boolean;
  clear: () => void;
}

interface Outcome {
  asked: number;
  failures: ApiError[];
}

export function BulkBar({ sessions, archived, clear }: BulkBarProps) {
  const all = useMutation({
    mutationFn: ({ ids, act }: { ids: string[]; act: (id: string) => Promise<unknown> }) => each(ids, act),
    onSuccess: ({ failures }) => {
      if (failures.length === 0) clear();
    },
  });
  const stoppable = sessions.filter(({ phase }) => isWorking(phase) || phase === 'starting' || phase === 'queued');
  const dead = sessions.filter((session) => session.dead);
  const run = (chosen: SessionSummary[], act: (id: string) => Promise<unknown>) => {
    if (chosen.length > 0 && !all.isPending) all.mutate({ ids: chosen.map(({ id }) => id), act });
  };
  const archive = () => run(sessions, archived ? api.unarchive : api.archive);
  useKeys({ e: archive, Escape: clear });
  const failures = all.data?.failures ?? [];
  return (
    <section aria-label={words.list.picked(sessions.length)} className="mx-auto w-full max-w-[68rem] px-3 sm:px-6">
      <div className="flex items-center gap-2 rounded-xl border border-lamp-fill/30 bg-lamp-tint px-3 py-1.5 text-[0.8125rem]">
        <span className="tabular-nums" role="status">
          {words.list.picked(sessions.length)}
        </span>
        <span className="grow" />
        {dead.length > 0 ? (
          <Button size="small" disabled={all.isPending} onClick={() => run(dead, api.retry)}>
            {words.common.tryAgain}
          </Button>
        ) : null}
        <Button
          size="small"
          look="danger"
          disabled={stoppable.length === 0 || all.isPending}
          onClick={() => run(stoppable, api.stop)}
        >
          <Icon name="stop" className="size-3.5" /> {words.list.stop}
        </Button>
        <Button size="small" disabled={all.isPending} onClick={archive} title="e">
          <Icon name="box" className="size-3.5" /> {archived ? words.list.unarchive : words.list.archive}
        </Button>
        <Button size="small" look="quiet" aria-label={words.list.pickNone} title={words.list.pickNone} onClick={clear}>
          <Icon name="cross" className="size-3.5" />
        </Button>
      </div>
      {failures[0] ? (
        <ProblemNote error={failures[0]} className="mt-2">
          {words.list.bulkFailed(failures.length, all.data?.asked ?? 0)}
        </ProblemNote>
      ) : null}
    </section>
  );
}

/** A few at a time; one that fails does not keep the others from being tried. */
async function each(ids: readonly string[], act: (id: string) => Promise<unknown>): Promise<Outcome> {
  const left = [...ids];
  const failures: ApiError[] = [];
  const worker = async () => {
    for (let id = left.shift(); id !== undefined; id = left.shift()) {
      await act(id).catch((thrown: unknown) => failures.push(asApiError(thrown)));
    }
  };
  await Promise.all(Array.from({ length: Math.min(TOGETHER, ids.length) }, worker));
  return { asked: ids.length, failures };
}
