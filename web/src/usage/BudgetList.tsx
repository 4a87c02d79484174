/** The budgets of this month, each with how much of it is spent. */
import type { MonthBudget } from '../api/types';
import { words } from '../text/english';
import { baseName, dollars } from '../text/format';
import { visible } from '../text/visible';

export function BudgetList({ budgets }: { budgets: MonthBudget[] }) {
  return (
    <ul className="grid gap-3 sm:grid-cols-2 lg:grid-cols-3">
      {budgets.map((budget) => (
        <Budget key={`${budget.whose} ${budget.name}`} budget={budget} />
      ))}
    </ul>
  );
}

function Budget({ budget }: { budget: MonthBudget }) {
  const { spent_micros: spent, budget_micros: whole, reserved_micros: reserved } = budget;
  const name =
    budget.name === null
      ? words.common.allSessions
      : visible(budget.whose === 'repository' ? baseName(budget.name) : budget.name);
  const tone = spent >= whole ? 'text-bad' : spent >= whole * 0.8 ? 'text-warn' : 'text-soft';
  return (
    <li className="rounded-lg border border-line px-3 py-2.5">
      <span className="flex items-baseline gap-3">
        <span className="min-w-0 flex-1 truncate font-medium" title={budget.name ?? undefined}>
          {name}
        </span>
        <span className={`text-2xs tabular-nums ${tone}`}>{words.status.spentOf(dollars(spent), dollars(whole))}</span>
      </span>
      <meter
        aria-label={words.usage.spent(name, dollars(spent), dollars(whole))}
        className="mt-1.5 h-2 w-full"
        min={0}
        max={whole}
        low={whole * 0.8}
        high={whole * 0.999}
        optimum={0}
        value={Math.min(spent, whole)}
      />
      {spent >= whole ? (
        <p className="text-2xs text-faint">{words.usage.refused}</p>
      ) : reserved > 0 ? (
        <p className="text-2xs text-faint">{words.usage.reserved(dollars(reserved))}</p>
      ) : null}
    </li>
  );
}
