/** What a session may cost, set by a person. */

import { useMutation } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { api, asApiError } from '../../api/client';
import type { SessionView } from '../../api/types';
import { words } from '../../text/english';
import { Button } from '../../ui/button';
import { Dialog } from '../../ui/dialog';
import { ProblemNote } from '../../ui/problem';
import { useStore } from './context';

export function BudgetDialog({ facts, close }: { facts: SessionView; close: () => void }) {
  const store = useStore();
  const [text, setText] = useState(facts.budget_micros > 0 ? String(facts.budget_micros / 1e6) : '');
  const set = useMutation({
    mutationFn: (micros: number) => api.setBudget(store.id, micros),
    onSuccess: (view) => {
      store.adopt(view);
      close();
    },
  });
  const amount = text.trim() === '' ? 0 : Number(text);
  const wrong = !Number.isFinite(amount) || amount < 0;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!wrong) set.mutate(Math.round(amount * 1e6));
  };
  return (
    <Dialog title={words.budget.title} onClose={close}>
      <form onSubmit={submit}>
        <label className="block text-soft">
          {words.budget.label}
          <input
            inputMode="decimal"
            value={text}
            onChange={(event) => setText(event.target.value)}
            placeholder={words.budget.none}
            aria-invalid={wrong}
            className="field mt-1.5"
          />
        </label>
        <p className="mt-2 text-2xs text-faint">{words.budget.hint}</p>
        {set.error ? <ProblemNote error={asApiError(set.error)} className="mt-3" /> : null}
        <div className="mt-4 flex justify-end gap-2">
          <Button onClick={close}>{words.common.cancel}</Button>
          <Button type="submit" look="primary" disabled={wrong || set.isPending}>
            {words.budget.set}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
