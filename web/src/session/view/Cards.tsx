/** What went wrong, where it did, and what can be done about it. */
import { useMutation } from '@tanstack/react-query';
import { lazy, Suspense } from 'react';
import { api, asApiError } from '../../api/client';
import { words } from '../../text/english';
import { visible } from '../../text/visible';
import { Button } from '../../ui/button';
import { Icon } from '../../ui/icons';
import { ProblemNote } from '../../ui/problem';
import { failureAdvice, GUARDS, TROUBLES } from '../advice';
import type { GuardItem, PromptItem, TroubleItem } from '../items';
import type { Actions } from './actions';
import { useFacts, useSession, useStore } from './context';

const Tripped = lazy(() => import('./Tripped').then((module) => ({ default: module.Tripped })));

export function Trouble({ item, actions }: { item: TroubleItem; actions: Actions }) {
  const advice = failureAdvice(item.failure);
  const transient = item.failure?.class === 'transient';
  return (
    <Card
      tone={transient || item.what === 'sandbox_lost' ? 'warn' : 'bad'}
      title={TROUBLES[item.what]}
      detail={item.detail}
      advice={advice}
    >
      {item.failure && !transient && item.failure.class !== 'fatal' ? (
        <Button size="small" onClick={actions.followUp}>
          {words.items.followUp}
        </Button>
      ) : null}
      <LookInside actions={actions} />
    </Card>
  );
}

export function GuardNote({ item, actions }: { item: GuardItem; actions: Actions }) {
  const { title, advice } = GUARDS[item.guard];
  return (
    <Card tone="warn" title={title} detail={item.detail} advice={advice}>
      <Suspense fallback={null}>
        <Tripped item={item} />
      </Suspense>
      <SendAgain turn={item.turn} />
      <Button size="small" onClick={actions.followUp}>
        {words.items.followUp}
      </Button>
      <LookInside actions={actions} />
    </Card>
  );
}

/** The prompt of a turn that went wrong once more, as long as nothing came after it; a dead letter's before what waits. */
export function SendAgain({ turn }: { turn: number }) {
  const store = useStore();
  const dead = useSession(({ timeline: { facts } }) => facts?.turn === turn && facts.dead === true);
  const latest = useSession(({ timeline: { facts } }) => facts?.turn === turn && facts.queued.length === 0);
  const prompt = useSession(({ timeline }) =>
    timeline.items.find((item): item is PromptItem => item.kind === 'prompt' && item.turn === turn),
  );
  const send = useMutation<unknown, Error, PromptItem>({
    mutationFn: ({ text, files }) => (dead ? api.retry(store.id) : api.prompt(store.id, text ?? '', files)),
    onSettled: () => store.refresh(),
  });
  if (!(dead || latest) || !prompt || prompt.text === null) return null;
  return (
    <>
      <Button size="small" disabled={send.isPending || send.isSuccess} onClick={() => send.mutate(prompt)}>
        {words.items.sendAgain}
      </Button>
      {send.error ? <ProblemNote error={asApiError(send.error)} /> : null}
    </>
  );
}

/** Where something went wrong, as long as there is a sandbox to look into. */
export function LookInside({ actions }: { actions: Actions }) {
  const sandbox = useFacts()?.sandbox_state;
  if (sandbox !== 'running' && sandbox !== 'paused') return null;
  return (
    <>
      <Button size="small" onClick={() => actions.open('terminal')}>
        <Icon name="execute" className="size-3.5" /> {words.items.openTerminal}
      </Button>
      <Button size="small" onClick={() => actions.open('code')}>
        <Icon name="code" className="size-3.5" /> {words.items.openCode}
      </Button>
    </>
  );
}

export function Card({
  tone,
  title,
  detail,
  advice,
  children,
}: {
  tone: 'warn' | 'bad';
  title: string;
  detail: string;
  advice: string;
  children?: React.ReactNode;
}) {
  return (
    <section
      aria-label={title}
      className={`my-1 flex gap-2.5 rounded-lg border px-3 py-2.5 text-[0.84375rem] ${tone === 'bad' ? 'border-bad/35 bg-bad-tint' : 'border-warn/35 bg-lamp-tint'}`}
    >
      <Icon name="alert" className={`mt-0.5 ${tone === 'bad' ? 'text-bad' : 'text-warn'}`} />
      <div className="min-w-0 flex-1 space-y-1">
        <p className="font-medium">{title}</p>
        {detail && detail !== title ? <p className="whitespace-pre-wrap">{visible(detail)}</p> : null}
        {advice ? <p className="text-soft">{advice}</p> : null}
        {children ? <div className="flex flex-wrap gap-2 pt-1">{children}</div> : null}
      </div>
    </section>
  );
}
