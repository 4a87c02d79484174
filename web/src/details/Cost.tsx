/** The drawer with what models cost: by model, turn by turn, and the budget. */

import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, asApiError } from '../api/client';
import type { SessionUsageItem } from '../api/types';
import { BudgetDialog } from '../session/view/BudgetDialog';
import { useFacts, useStore } from '../session/view/context';
import { words } from '../text/english';
import { count, dollars } from '../text/format';
import { visible } from '../text/visible';
import { Button } from '../ui/button';
import { Panel, type PanelProps } from '../ui/Drawer';
import { ProblemNote } from '../ui/problem';
import { byModel, byTurn, kindsOf, type Sum } from './sums';

/** While a turn runs its sum is asked for again. */
const RUNNING_MS = 5_000;

export function Cost({ close }: PanelProps) {
  const store = useStore();
  const facts = useFacts();
  const [asking, setAsking] = useState(false);
  const usage = useQuery({
    queryKey: ['session-usage', store.id, facts?.turn, facts?.tokens.output],
    queryFn: () => api.sessionUsage(store.id),
    placeholderData: (previous) => previous,
    staleTime: RUNNING_MS,
  });
  if (!facts) return null;
  const items = usage.data?.items ?? [];
  return (
    <Panel title={words.cost.title} shortcut="c" close={close}>
      <div className="min-h-0 flex-1 space-y-6 overflow-y-auto overscroll-contain p-4">
        <section aria-label={words.cost.whole} className="flex items-end gap-3">
          <p>
            <span className="block text-2xl font-semibold tabular-nums">{cost(facts.cost)}</span>
            <span className="text-2xs text-soft">
              {facts.budget_micros > 0 ? words.cost.ofBudget(dollars(facts.budget_micros)) : words.cost.noBudget},{' '}
              {words.status.tokens(count(facts.tokens.input + facts.tokens.output))}
            </span>
          </p>
          <span className="grow" />
          <Button size="small" disabled={facts.ended} onClick={() => setAsking(true)}>
            {words.cost.setBudget}
          </Button>
        </section>
        {usage.error ? <ProblemNote error={asApiError(usage.error)} /> : null}
        {usage.isSuccess && items.length === 0 ? (
          <p className="py-6 text-center text-faint">{words.cost.nothing}</p>
        ) : null}
        {items.length > 0 ? (
          <>
            <Sums title={words.cost.byModel} first={words.cost.model} sums={byModel(items)} />
            <Sums title={words.cost.byTurn} first={words.cost.turn} sums={byTurn(items)} models={items} />
          </>
        ) : null}
        <p className="text-2xs text-faint">{words.cost.prices}</p>
      </div>
      {asking ? <BudgetDialog facts={facts} close={() => setAsking(false)} /> : null}
    </Panel>
  );
}

function cost({ micros, is_partial }: Sum['cost']): string {
  if (is_partial) return micros > 0 ? words.status.over(dollars(micros)) : words.status.unknown;
  return dollars(micros);
}

interface SumsProps {
  title: string;
  first: string;
  sums: Sum[];
  /** Of which models a turn's sum is made, where that is more than one. */
  models?: SessionUsageItem[];
}

const NAMES: Record<keyof Sum['tokens'], string> = {
  input: words.cost.in,
  cached: words.cost.cached,
  cache_written: words.cost.cache_written,
  output: words.cost.out,
  reasoning: words.cost.reasoning,
};

function Sums({ title, first, sums, models = [] }: SumsProps) {
  const kinds = kindsOf(sums);
  const number = 'py-1 pl-3 text-right font-mono text-2xs tabular-nums';
  return (
    <div>
      <h3 className="mb-1 text-[0.8125rem] font-semibold">{title}</h3>
      <section className="overflow-x-auto" tabIndex={0} aria-label={title}>
        <table className="w-full border-collapse text-[0.8125rem]">
          <thead>
            <tr className="border-b border-line text-2xs text-soft">
              <th className="py-1 text-left font-normal">{first}</th>
              <th className="py-1 pl-3 text-right font-normal">{words.cost.requests}</th>
              {kinds.map((kind) => (
                <th key={kind} className="py-1 pl-3 text-right font-normal">
                  {NAMES[kind]}
                </th>
              ))}
              <th className="py-1 pl-3 text-right font-normal">{words.cost.title}</th>
            </tr>
          </thead>
          <tbody>
            {sums.map((sum) => {
              const of = models.filter((item) => `${item.turn}` === sum.name).map((item) => visible(item.model));
              return (
                <tr key={sum.name} className="border-b border-line">
                  <th scope="row" className="max-w-48 py-1 text-left font-normal">
                    <bdi className="block truncate" title={visible(sum.name)}>
                      {visible(sum.name)}
                    </bdi>
                    {of.length > 1 ? <span className="block truncate text-2xs text-faint">{of.join(', ')}</span> : null}
                  </th>
                  <td className={number} title={words.cost.requestsOf(sum.requests)}>
                    {sum.requests}
                  </td>
                  {kinds.map((kind) => (
                    <td key={kind} className={number}>
                      {count(sum.tokens[kind])}
                    </td>
                  ))}
                  <td className={number}>{cost(sum.cost)}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </section>
    </div>
  );
}
