/** Addresses that are told what happens to sessions: added, tried, and what they could not be told tried again. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { type FormEvent, useState } from 'react';
import { api, asApiError } from '../api/client';
import type { Hook, HookDelivery } from '../api/types';
import { words } from '../text/english';
import { exactTime } from '../text/format';
import { visible } from '../text/visible';
import { Button } from '../ui/button';
import { ProblemNote } from '../ui/problem';
import { Once } from './Once';
import { About, Card, Nothing } from './parts';

const KEY = ['hooks'];
/** What a hook may be told of instead of everything. */
const NEEDS_SOMEBODY = ['person.needed', 'turn.failed', 'turn.tripped'];

export function Hooks() {
  const hooks = useQuery({ queryKey: KEY, queryFn: api.hooks });
  const items = hooks.data?.items ?? [];
  return (
    <>
      <About>{words.hooks.about}</About>
      <NewHook />
      {hooks.error ? <ProblemNote error={asApiError(hooks.error)} className="mb-4" /> : null}
      {hooks.isSuccess && items.length === 0 ? <Nothing>{words.hooks.nothing}</Nothing> : null}
      <ul aria-label={words.hooks.title} className="space-y-3">
        {items.map((hook) => (
          <Card key={hook.id}>
            <HookCard hook={hook} />
          </Card>
        ))}
      </ul>
    </>
  );
}

function NewHook() {
  const client = useQueryClient();
  const [url, setUrl] = useState('');
  const [all, setAll] = useState(true);
  const add = useMutation({
    mutationFn: () => api.addHook(url.trim(), all ? [] : NEEDS_SOMEBODY),
    onSuccess: () => {
      setUrl('');
      return client.invalidateQueries({ queryKey: KEY });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (url.trim() !== '') add.mutate();
  };
  return (
    <form onSubmit={submit} className="mb-3 flex flex-wrap gap-2">
      <input
        className="field min-w-40 flex-1"
        aria-label={words.hooks.address}
        placeholder={words.hooks.begins}
        value={url}
        onChange={(event) => setUrl(event.target.value)}
        autoComplete="off"
        spellCheck={false}
      />
      <select
        className="field max-w-60"
        aria-label={words.hooks.toldOf}
        value={String(all)}
        onChange={(event) => setAll(event.target.value === 'true')}
      >
        <option value="true">{words.hooks.everything}</option>
        <option value="false">{words.hooks.needsSomebody}</option>
      </select>
      <Button type="submit" look="primary" disabled={url.trim() === '' || add.isPending}>
        {words.hooks.add}
      </Button>
      {add.error ? <ProblemNote error={asApiError(add.error)} className="basis-full" /> : null}
      {add.data ? <Once text={add.data.secret} about={words.hooks.once} /> : null}
    </form>
  );
}

function HookCard({ hook }: { hook: Hook }) {
  const client = useQueryClient();
  const [open, setOpen] = useState(false);
  const test = useMutation({ mutationFn: () => api.testHook(hook.id) });
  const retry = useMutation({
    mutationFn: () => api.retryHook(hook.id),
    onSuccess: () => client.invalidateQueries({ queryKey: KEY }),
  });
  const remove = useMutation({
    mutationFn: () => api.removeHook(hook.id),
    // The list alone: what a removed hook was sent is not there to be asked for.
    onSuccess: () => client.invalidateQueries({ queryKey: KEY, exact: true }),
  });
  const failed = test.error ?? retry.error ?? remove.error;
  const url = visible(hook.url);
  return (
    <>
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
        <div className="min-w-0 grow">
          <h3 className="font-mono text-code [overflow-wrap:anywhere]">{url}</h3>
          <p className="text-[0.8125rem] text-soft">
            {hook.events.length === 0 ? words.hooks.everything : hook.events.map(visible).join(', ')} ·{' '}
            {words.hooks.standing(hook.waiting, hook.dead)}
          </p>
        </div>
        <Button
          size="small"
          disabled={test.isPending}
          aria-label={words.hooks.of(words.keyring.test, url)}
          onClick={() => test.mutate()}
        >
          {words.keyring.test}
        </Button>
        <Button
          size="small"
          aria-expanded={open}
          aria-label={words.hooks.of(words.hooks.deliveries, url)}
          onClick={() => setOpen(!open)}
        >
          {words.hooks.deliveries}
        </Button>
        {hook.disabled !== null || hook.dead > 0 ? (
          <Button
            size="small"
            disabled={retry.isPending}
            aria-label={words.hooks.of(words.common.tryAgain, url)}
            onClick={() => retry.mutate()}
          >
            {words.common.tryAgain}
          </Button>
        ) : null}
        <Button
          size="small"
          look="danger"
          disabled={remove.isPending}
          aria-label={words.hooks.of(words.keyring.remove, url)}
          onClick={() => remove.mutate()}
        >
          {words.keyring.remove}
        </Button>
      </div>
      {hook.disabled !== null ? (
        <p role="alert" className="mt-2 text-[0.8125rem] text-bad">
          {words.hooks.disabled(visible(hook.disabled))}
        </p>
      ) : null}
      {test.data ? (
        <p role="status" className={`mt-2 text-[0.8125rem] ${test.data.delivered ? 'text-good' : 'text-bad'}`}>
          {visible(test.data.outcome)}
        </p>
      ) : null}
      {failed ? <ProblemNote error={asApiError(failed)} className="mt-2" /> : null}
      {open ? <Deliveries hook={hook} /> : null}
    </>
  );
}

const LOOK: Record<HookDelivery['status'], string> = {
  waiting: 'text-warn',
  delivered: 'text-good',
  dead: 'text-bad',
};

function Deliveries({ hook }: { hook: Hook }) {
  const deliveries = useQuery({ queryKey: [...KEY, hook.id], queryFn: () => api.hookDeliveries(hook.id) });
  if (deliveries.error) return <ProblemNote error={asApiError(deliveries.error)} className="mt-2" />;
  return (
    <ul aria-label={words.hooks.deliveries} className="mt-2 divide-y divide-line text-[0.8125rem]">
      {(deliveries.data?.items ?? []).map((delivery) => (
        <li key={delivery.id} className="flex flex-wrap items-baseline gap-x-3 py-1.5">
          <Link
            to="/sessions/$id"
            params={{ id: delivery.session_id }}
            className="font-mono text-code underline underline-offset-2"
          >
            {visible(delivery.event)}
          </Link>
          <span className={LOOK[delivery.status]}>{words.hooks.statuses[delivery.status]}</span>
          <span className="min-w-0 text-soft [overflow-wrap:anywhere]">{visible(delivery.outcome ?? '')}</span>
          <span className="grow" />
          <time dateTime={delivery.at} className="text-2xs text-faint tabular-nums">
            {exactTime(Date.parse(delivery.at))}
          </time>
        </li>
      ))}
    </ul>
  );
}
