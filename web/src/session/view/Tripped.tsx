/** How far a guard was when it tripped, and going on past it once, in the log and at the box. Loaded when there is one. */
import { useMutation } from '@tanstack/react-query';
import { api, asApiError } from '../../api/client';
import type { SessionView } from '../../api/types';
import { words } from '../../text/english';
import { Button } from '../../ui/button';
import { ProblemNote } from '../../ui/problem';
import { GUARDS } from '../advice';
import { amount } from '../amounts';
import type { GuardItem } from '../items';
import { Card } from './Cards';
import { useFacts, useSession, useStore } from './context';

export function Tripped({ item: { turn, guard, limit, counted } }: { item: GuardItem }) {
  const store = useStore();
  const tripped = useFacts()?.tripped;
  const goOn = useMutation({
    mutationFn: () => api.continueOnce(store.id, turn),
    onSettled: () => store.refresh(),
  });
  const offered = tripped?.turn === turn && tripped.can_be_continued;
  return (
    <>
      <HowFar guard={guard} limit={limit} counted={counted} />
      {offered ? (
        <Button size="small" disabled={goOn.isPending} onClick={() => goOn.mutate()}>
          {words.policy.continueOnce}
        </Button>
      ) : null}
      {goOn.error ? <ProblemNote error={asApiError(goOn.error)} /> : null}
    </>
  );
}

interface SpentProps {
  tripped: NonNullable<SessionView['tripped']>;
  /** Something is written in the box, which is sent with it. */
  said: boolean;
  disabled: boolean;
  goOn: () => void;
}

/** The same at the box: where the log has no word of what keeps the session from going on, or something else is wanted of it. */
export function Spent({ tripped: { turn, guard, per, detail, limit, counted }, said, disabled, goOn }: SpentProps) {
  const isInLog = useSession(({ timeline }) =>
    timeline.items.some((item) => item.kind === 'guard' && item.turn === turn),
  );
  if (isInLog && !(said && per === 'session')) return null;
  const { title, advice } = GUARDS[guard];
  return (
    <Card tone="warn" title={title} detail={detail} advice={advice}>
      <HowFar guard={guard} limit={limit} counted={counted} />
      <Button size="small" disabled={disabled} onClick={goOn}>
        {said ? words.policy.continueWith : words.policy.continueOnce}
      </Button>
    </Card>
  );
}

function HowFar({ guard, limit, counted }: Pick<GuardItem, 'guard' | 'limit' | 'counted'>) {
  if (limit === null || counted === null) return null;
  return (
    <p className="w-full text-soft tabular-nums">{words.policy.of(amount(guard, counted), amount(guard, limit))}</p>
  );
}
