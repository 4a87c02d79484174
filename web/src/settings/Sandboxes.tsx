/** The sandboxes that there are now: looked at every two seconds as long as this is shown. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { api, asApiError } from '../api/client';
import { meQuery } from '../api/queries';
import type { Sandbox } from '../api/types';
import { words } from '../text/english';
import { baseName, duration, size } from '../text/format';
import { visible } from '../text/visible';
import { Button } from '../ui/button';
import { Dialog } from '../ui/dialog';
import { isWorking, PhaseLabel } from '../ui/phase';
import { ProblemNote } from '../ui/problem';
import { About, Card, NotAnswering, Nothing } from './parts';
import { isAdmin } from './roles';
import { processors, type Seen, seen } from './sandboxUse';

const LOOK_MS = 2_000;
const SANDBOXES = ['sandboxes'];

export function Sandboxes() {
  const client = useQueryClient();
  const list = useQuery({
    queryKey: SANDBOXES,
    // With the look before it, so that what was used meanwhile can be told.
    queryFn: async (): Promise<Seen> => seen(await api.sandboxes(), client.getQueryData<Seen>(SANDBOXES)),
    refetchInterval: LOOK_MS,
    staleTime: 0,
  });
  const { items = [], not_answering: silent = [] } = list.data?.now ?? {};
  return (
    <>
      <About>{words.sandboxes.about}</About>
      {list.error ? <ProblemNote error={asApiError(list.error)} className="mb-4" /> : null}
      <NotAnswering servers={silent} means={words.sandboxes.missing} />
      {list.isSuccess && items.length + silent.length === 0 ? <Nothing>{words.sandboxes.nothing}</Nothing> : null}
      <ul aria-label={words.sandboxes.title} className="space-y-3">
        {items.map((sandbox) => (
          <Card key={`${sandbox.session} ${sandbox.generation}`}>
            <One sandbox={sandbox} cpu={list.data ? processors(list.data, sandbox) : null} />
          </Card>
        ))}
      </ul>
    </>
  );
}

function One({ sandbox, cpu }: { sandbox: Sandbox; cpu: number | null }) {
  const { memory_bytes, memory_limit_bytes, processes, processes_limit, disk_bytes, disk_limit_bytes } = sandbox;
  const limit = sandbox.cpu_limit_thousandths;
  return (
    <>
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1.5">
        <div className="min-w-0 grow basis-48">
          <h3 className="truncate font-medium">
            {sandbox.title === null ? (
              sandbox.lent ? (
                words.sandboxes.lent(visible(sandbox.lent.template))
              ) : (
                words.sandboxes.setup
              )
            ) : (
              <Link
                to="/sessions/$id"
                params={{ id: sandbox.session }}
                className="underline-offset-4 hover:underline"
                title={visible(sandbox.title)}
              >
                {visible(sandbox.title)}
              </Link>
            )}
          </h3>
          <p className="flex flex-wrap items-center gap-x-3 text-2xs text-soft">
            {sandbox.phase ? <PhaseLabel phase={sandbox.phase} /> : null}
            {sandbox.repository ? (
              <bdi title={visible(sandbox.repository)}>{visible(baseName(sandbox.repository))}</bdi>
            ) : null}
            {sandbox.person ? <bdi>{visible(sandbox.person)}</bdi> : null}
            <span>
              {sandbox.state === 'paused' ? words.sandboxes.paused : words.sandboxes.running}
              {sandbox.age_ms === null ? '' : ` ${words.sandboxes.age(duration(sandbox.age_ms))}`}
            </span>
            {sandbox.server ? <bdi>{words.line.at(visible(sandbox.server))}</bdi> : null}
          </p>
        </div>
        {sandbox.title === null ? null : <Stop sandbox={sandbox} title={sandbox.title} />}
        {sandbox.lent ? <TakeBack sandbox={sandbox} /> : null}
      </div>
      <dl className="mt-2 grid grid-cols-2 gap-x-4 gap-y-1.5 sm:grid-cols-4">
        <Amount name={words.sandboxes.memory} used={memory_bytes} limit={memory_limit_bytes} unit={size} />
        <Amount name={words.sandboxes.cpu} used={cpu} limit={limit === null ? null : limit / 1000} unit={decimals} />
        <Amount name={words.sandboxes.processes} used={processes} limit={processes_limit} unit={String} />
        <Amount name={words.sandboxes.disk} used={disk_bytes} limit={disk_limit_bytes} unit={size} />
      </dl>
    </>
  );
}

function decimals(n: number): string {
  return n.toFixed(2);
}

interface AmountProps {
  name: string;
  used: number | null;
  limit: number | null;
  unit: (n: number) => string;
}

function Amount({ name, used, limit, unit }: AmountProps) {
  const said =
    used === null
      ? words.sandboxes.unknown
      : limit === null
        ? unit(used)
        : words.status.spentOf(unit(used), unit(limit));
  return (
    <div className="min-w-0">
      <dt className="text-2xs text-faint">{name}</dt>
      <dd className="text-2xs tabular-nums">
        {said}
        {used === null || limit === null ? null : (
          <meter
            aria-label={`${name}: ${said}`}
            className="mt-0.5 block h-1.5 w-full"
            min={0}
            max={limit}
            low={limit * 0.8}
            high={limit * 0.95}
            optimum={0}
            value={Math.min(used, limit)}
          />
        )}
      </dd>
    </div>
  );
}

/** One that is lent ends for whoever has it: for who lent it, and for admins. */
function TakeBack({ sandbox }: { sandbox: Sandbox }) {
  const client = useQueryClient();
  const me = useQuery(meQuery).data;
  const [asking, setAsking] = useState(false);
  const end = useMutation({
    mutationFn: () => api.takeBack(sandbox.session),
    onSuccess: () => {
      setAsking(false);
      return client.invalidateQueries({ queryKey: SANDBOXES });
    },
  });
  if (!me || !(isAdmin(me) || sandbox.person === me.name)) return null;
  const { end: name, endOf, endAsk, endText, endNow, keepLent } = words.sandboxes;
  return (
    <>
      <Button size="small" look="danger" aria-label={endOf(visible(sandbox.session))} onClick={() => setAsking(true)}>
        {name}
      </Button>
      {end.error ? <ProblemNote error={asApiError(end.error)} className="basis-full" /> : null}
      {asking ? (
        <Dialog title={endAsk} onClose={() => setAsking(false)}>
          <p className="text-soft">{endText}</p>
          <div className="mt-4 flex justify-end gap-2">
            <Button onClick={() => setAsking(false)}>{keepLent}</Button>
            <Button look="danger" disabled={end.isPending} onClick={() => end.mutate()}>
              {endNow}
            </Button>
          </div>
        </Dialog>
      ) : null}
    </>
  );
}

/** A turn that runs is stopped first; then the sandbox can be. */
function Stop({ sandbox, title }: { sandbox: Sandbox; title: string }) {
  const client = useQueryClient();
  const [asking, setAsking] = useState(false);
  const done = () => {
    setAsking(false);
    return client.invalidateQueries({ queryKey: SANDBOXES });
  };
  const stop = useMutation({ mutationFn: () => api.stop(sandbox.session), onSuccess: done });
  const release = useMutation({ mutationFn: () => api.release(sandbox.session), onSuccess: done });
  const works = sandbox.phase !== null && isWorking(sandbox.phase);
  const failed = stop.error ?? release.error;
  return (
    <>
      {works ? (
        <Button
          size="small"
          look="danger"
          disabled={stop.isPending}
          aria-label={words.sandboxes.stopTurnOf(visible(title))}
          onClick={() => stop.mutate()}
        >
          {words.sandboxes.stopTurn}
        </Button>
      ) : (
        <Button
          size="small"
          look="danger"
          aria-label={words.sandboxes.stopOf(visible(title))}
          onClick={() => setAsking(true)}
        >
          {words.sandboxes.stop}
        </Button>
      )}
      {failed ? <ProblemNote error={asApiError(failed)} className="basis-full" /> : null}
      {asking ? (
        <Dialog title={words.sandboxes.stopAsk} onClose={() => setAsking(false)}>
          <p className="text-soft">{words.sandboxes.stopText}</p>
          <div className="mt-4 flex justify-end gap-2">
            <Button onClick={() => setAsking(false)}>{words.sandboxes.keep}</Button>
            <Button look="danger" disabled={release.isPending} onClick={() => release.mutate()}>
              {words.sandboxes.stopNow}
            </Button>
          </div>
        </Dialog>
      ) : null}
    </>
  );
}
