/** Sessions that wait for a sandbox: put before others, behind them, or taken back. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { api, asApiError } from '../api/client';
import { queueQuery } from '../api/queries';
import type { QueuedSession, QueueList, QueuePlaces } from '../api/types';
import { waitOf } from '../session/view/place';
import { words } from '../text/english';
import { size } from '../text/format';
import { visible } from '../text/visible';
import { Button } from '../ui/button';
import { Icon } from '../ui/icons';
import { ProblemNote } from '../ui/problem';
import { About, Card, NotAnswering, Nothing } from './parts';

/** The most that a session is put before others, or behind them. */
const MOST = 10;

export function Queue() {
  const queue = useQuery(queueQuery);
  const { items = [], waiting = 0, not_answering: silent = [] } = queue.data ?? {};
  const more = Math.max(0, waiting - items.length);
  return (
    <>
      <About>{words.line.about}</About>
      {queue.data ? <Taken queue={queue.data} /> : null}
      {queue.error ? <ProblemNote error={asApiError(queue.error)} className="mb-4" /> : null}
      <NotAnswering servers={silent} means={words.line.missing} />
      {queue.isSuccess && items.length + more + silent.length === 0 ? <Nothing>{words.line.nothing}</Nothing> : null}
      <ol aria-label={words.line.label} className="space-y-3">
        {items.map((queued) => (
          <Row key={queued.id} queued={queued} />
        ))}
      </ol>
      {more > 0 ? <p className="mt-3 text-soft text-[0.8125rem]">{words.line.more(more)}</p> : null}
    </>
  );
}

/** Of all together, then of each server where there are several. */
function Taken({ queue: { places, servers } }: { queue: QueueList }) {
  return (
    <div className="mb-4 text-[0.8125rem] tabular-nums">
      <p>{words.line.taken(takenOf(places))}</p>
      {servers.map((one) => (
        <p key={one.server} className="text-soft">
          {words.line.takenAt(visible(one.server), takenOf(one.places))}
        </p>
      ))}
    </div>
  );
}

function takenOf({ sandboxes, max_sandboxes, memory_bytes, max_memory_bytes }: QueuePlaces): string {
  const memory = max_memory_bytes ? [words.line.memory(size(memory_bytes), size(max_memory_bytes))] : [];
  return [words.line.sandboxes(sandboxes, max_sandboxes), ...memory].join(', ');
}

function Row({ queued }: { queued: QueuedSession }) {
  const client = useQueryClient();
  const onSuccess = () => client.invalidateQueries({ queryKey: queueQuery.queryKey });
  const move = useMutation({ mutationFn: (steps: number) => api.setPriority(queued.id, steps), onSuccess });
  const cancel = useMutation({ mutationFn: () => api.stop(queued.id), onSuccess });
  const title = visible(queued.title);
  const failed = move.error ?? cancel.error;
  return (
    <Card>
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
        <span className="min-w-6 text-right text-soft tabular-nums">{words.line.place(queued.queue_position)}</span>
        <div className="min-w-0 grow">
          <Link to="/sessions/$id" params={{ id: queued.id }} className="font-medium hover:underline">
            {title}
          </Link>
          <p className="text-[0.8125rem] text-soft">
            {waitOf(queued)}
            {queued.server ? ` ${words.line.at(visible(queued.server))}` : null}
            {queued.priority === 0 ? null : ` · ${words.line.priority(queued.priority)}`} · {visible(queued.person)} ·{' '}
            {visible(queued.reason)}
          </p>
        </div>
        <Button
          size="small"
          aria-label={words.line.sooner(title)}
          title={words.line.sooner(title)}
          disabled={move.isPending || queued.priority >= MOST}
          onClick={() => move.mutate(queued.priority + 1)}
        >
          <Icon name="send" />
        </Button>
        <Button
          size="small"
          aria-label={words.line.later(title)}
          title={words.line.later(title)}
          disabled={move.isPending || queued.priority <= -MOST}
          onClick={() => move.mutate(queued.priority - 1)}
        >
          <Icon name="down" />
        </Button>
        <Button
          size="small"
          look="danger"
          aria-label={words.line.cancelOf(title)}
          disabled={cancel.isPending}
          onClick={() => cancel.mutate()}
        >
          {words.line.cancel}
        </Button>
      </div>
      {failed ? <ProblemNote error={asApiError(failed)} className="mt-2" /> : null}
    </Card>
  );
}
