/** What sessions together may cost in a month: as configured, and how much of it is spent. */
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { asApiError } from '../api/client';
import { usageQuery } from '../api/queries';
import { words } from '../text/english';
import { ProblemNote } from '../ui/problem';
import { BudgetList } from '../usage/BudgetList';
import { About, Nothing } from './parts';

export function Budgets() {
  const usage = useQuery(usageQuery('repository', undefined));
  const budgets = usage.data?.budgets ?? [];
  return (
    <>
      <About>
        {words.budgets.about}{' '}
        <Link to="/usage" className="underline underline-offset-2">
          {words.budgets.usage}
        </Link>
      </About>
      {usage.error ? <ProblemNote error={asApiError(usage.error)} className="mb-4" /> : null}
      {usage.isSuccess && budgets.length === 0 ? <Nothing>{words.budgets.nothing}</Nothing> : null}
      <BudgetList budgets={budgets} />
      <p className="mt-4 text-[0.8125rem] text-soft">
        {words.budgets.session} <code className="font-mono text-code">lamplight budget SESSION 5</code>
      </p>
    </>
  );
}
