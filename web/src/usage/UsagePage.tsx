/** What models were asked for and what it cost, over all sessions, and the budgets of this month. */

import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { asApiError } from '../api/client';
import { usageQuery } from '../api/queries';
import { type MonthBudget, USAGE_BY, type UsageBy, type UsageItem } from '../api/types';
import { kindsOf } from '../details/sums';
import { words } from '../text/english';
import { baseName, count } from '../text/format';
import { visible } from '../text/visible';
import { Button, buttonClass } from '../ui/button';
import { useKeys, useTitle } from '../ui/hooks';
import { Icon } from '../ui/icons';
import { ProblemNote } from '../ui/problem';
import { ThemeToggle } from '../ui/theme';
import { BudgetList } from './BudgetList';
import { costs } from './costs';

/** As the API takes it; undefined is the first of this month. */
const STRETCHES: [string | undefined, string][] = [
  [undefined, words.usage.stretches.month],
  ['1d', words.usage.stretches.day],
  ['7d', words.usage.stretches.week],
  ['30d', words.usage.stretches.days30],
  ['365d', words.usage.stretches.year],
];

export interface UsageFilter {
  by?: UsageBy;
  since?: string;
}

export function UsagePage() {
  const filter: UsageFilter = useSearch({ from: '/usage' });
  const navigate = useNavigate({ from: '/usage' });
  const by = filter.by ?? 'repository';
  const usage = useQuery(usageQuery(by, filter.since));
  useTitle(words.usage.pageTitle);
  useKeys({ u: () => void navigate({ to: '/' }) });
  const report = usage.data;
  return (
    <div className="h-full overflow-y-auto">
      <div className="mx-auto max-w-[68rem] px-3 pb-16 sm:px-6">
        <header className="flex items-center gap-2 py-4">
          <Link
            to="/"
            className={buttonClass({ look: 'quiet', size: 'icon' })}
            aria-label={words.common.allSessions}
            title={words.common.allSessionsKey}
          >
            <Icon name="back" />
          </Link>
          <h1 className="text-lg font-semibold tracking-tight">{words.usage.title}</h1>
          <span className="grow" />
          <ThemeToggle />
        </header>
        <main>
          <div className="mb-4 flex gap-2">
            <Choice
              label={words.usage.by}
              value={by}
              options={USAGE_BY.map((each) => [each, words.usage.bys[each]])}
              choose={(value) => void navigate({ search: { ...filter, by: value as UsageBy }, replace: true })}
            />
            <Choice
              label={words.usage.since}
              value={filter.since ?? ''}
              options={STRETCHES.map(([since, said]) => [since ?? '', said])}
              choose={(value) =>
                void navigate({ search: { by, ...(value === '' ? {} : { since: value }) }, replace: true })
              }
            />
          </div>
          {usage.error ? (
            <ProblemNote error={asApiError(usage.error)} className="my-4">
              <Button size="small" onClick={() => void usage.refetch()}>
                {words.common.tryAgain}
              </Button>
            </ProblemNote>
          ) : null}
          {report && report.budgets.length > 0 ? <Budgets budgets={report.budgets} /> : null}
          {report && report.total.requests === 0 ? (
            <p className="py-16 text-center text-soft">{words.usage.nothing}</p>
          ) : null}
          {report && report.total.requests > 0 ? (
            <Sums by={report.by} items={report.items} total={report.total} isCut={report.is_cut} />
          ) : null}
        </main>
      </div>
    </div>
  );
}

function Choice({
  label,
  value,
  options,
  choose,
}: {
  label: string;
  value: string;
  options: [string, string][];
  choose: (value: string) => void;
}) {
  return (
    <select
      aria-label={label}
      className="field w-auto py-1.5 text-[0.8125rem]"
      value={value}
      onChange={(event) => choose(event.target.value)}
    >
      {options.map(([each, said]) => (
        <option key={each} value={each}>
          {said}
        </option>
      ))}
    </select>
  );
}

const NUMBER = 'py-2 pl-4 text-right whitespace-nowrap tabular-nums';

type Kinds = ReturnType<typeof kindsOf>;

const NAMES: Record<Kinds[number], string> = {
  input: words.usage.in,
  cached: words.usage.cached,
  cache_written: words.cost.cache_written,
  output: words.usage.out,
  reasoning: words.cost.reasoning,
};

function Sums({ by, items, total, isCut }: { by: UsageBy; items: UsageItem[]; total: UsageItem; isCut: boolean }) {
  const kinds = kindsOf([total]);
  return (
    <div className="overflow-x-auto">
      <table className="w-full text-[0.8125rem]">
        <thead>
          <tr className="border-b border-line text-left text-2xs text-faint">
            <th scope="col" className="py-2 font-medium">
              {words.usage.columns[by]}
            </th>
            <th scope="col" className={`${NUMBER} font-medium`}>
              {words.usage.requests}
            </th>
            {kinds.map((kind) => (
              <th key={kind} scope="col" className={`${NUMBER} font-medium max-sm:hidden`}>
                {NAMES[kind]}
              </th>
            ))}
            <th scope="col" className={`${NUMBER} font-medium`}>
              {words.cost.title}
            </th>
          </tr>
        </thead>
        <tbody className="divide-y divide-line">
          {items.map((item) => (
            <Sum key={item.key} item={item} kinds={kinds} name={<Name by={by} item={item} />} />
          ))}
        </tbody>
        <tfoot className="border-t border-line-strong font-medium">
          <Sum item={total} kinds={kinds} name={words.usage.all} />
        </tfoot>
      </table>
      {isCut ? <p className="pt-3 text-2xs text-faint">{words.usage.cut}</p> : null}
    </div>
  );
}

function Sum({ item, kinds, name }: { item: UsageItem; kinds: Kinds; name: ReactNode }) {
  const parts = [
    item.unpriced > 0 ? words.usage.unpriced(item.unpriced) : '',
    item.estimated > 0 ? words.usage.estimated(item.estimated) : '',
  ].filter((part) => part !== '');
  return (
    <tr>
      <th scope="row" className="w-full max-w-0 truncate py-2 text-left font-normal">
        {name}
      </th>
      <td className={NUMBER}>{item.requests}</td>
      {kinds.map((kind) => (
        <td key={kind} className={`${NUMBER} max-sm:hidden`}>
          {count(item.tokens[kind])}
        </td>
      ))}
      <td className={NUMBER} title={parts.length > 0 ? parts.join('; ') : undefined}>
        {costs(item.cost)}
      </td>
    </tr>
  );
}

function Name({ by, item }: { by: UsageBy; item: UsageItem }) {
  switch (by) {
    case 'session':
      return (
        <Link to="/sessions/$id" params={{ id: item.key }} className="underline-offset-4 hover:underline">
          {visible(item.title ?? item.key)}
        </Link>
      );
    case 'repository':
      return <span title={visible(item.key)}>{visible(baseName(item.key))}</span>;
    case 'person':
    case 'model':
    case 'day':
      return visible(item.key);
    case 'prices':
      return visible(item.key === '' ? words.usage.unknownPrices : item.key);
  }
}

function Budgets({ budgets }: { budgets: MonthBudget[] }) {
  return (
    <section aria-label={words.usage.budgetsLabel} className="mb-6">
      <h2 className="mb-2 text-2xs font-medium text-faint">{words.usage.budgets}</h2>
      <BudgetList budgets={budgets} />
    </section>
  );
}
