/** How far a guard was when it tripped, and going on past it once. Loaded when there is one. */
import { useMutation } from '@tanstack/react-query';
import { api, asApiError } from '../../api/client';
import { words } from '../../text/english';
import { Button } from '../../ui/button';
import { ProblemNote } from '../../ui/problem';
import { amount } from '../amounts';
import type { GuardItem } from '../items';
import { useFacts, useStore } from './context';

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
      {limit === null || counted === null ? null : (
        <p className="w-full text-soft tabular-nums">{words.policy.of(amount(guard, counted), amount(guard, limit))}</p>
      )}
      {offered ? (
        <Button size="small" disabled={goOn.isPending} onClick={() => goOn.mutate()}>
          {words.policy.continueOnce}
        </Button>
      ) : null}
      {goOn.error ? <ProblemNote error={asApiError(goOn.error)} /> : null}
    </>
  );
}
