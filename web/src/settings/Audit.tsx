/** Who asked for what to be changed, and what came of it. The filter is in the address, so that it can be sent to somebody. */
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { type FormEvent, useState } from 'react';
import { api, asApiError } from '../api/client';
import { AUDIT_OUTCOMES, type AuditItem, type AuditOutcome } from '../api/types';
import { words } from '../text/english';
import { exactTime } from '../text/format';
import { oneLine, visible } from '../text/visible';
import { Button } from '../ui/button';
import { ProblemNote } from '../ui/problem';
import { About, Nothing } from './parts';

/** What of the log is shown. */
export interface AuditFilter {
  person?: string;
  action?: string;
  subject?: string;
  outcome?: AuditOutcome;
}

const TEXTS = ['person', 'action', 'subject'] as const;

/** What of an address is a filter of this section. */
export function readAuditFilter(search: Record<string, unknown>): AuditFilter {
  const texts = TEXTS.flatMap((name) => {
    const value = search[name];
    return typeof value === 'string' && value !== '' ? [[name, value]] : [];
  });
  const outcome = AUDIT_OUTCOMES.find((known) => known === search.outcome);
  return { ...Object.fromEntries(texts), ...(outcome ? { outcome } : {}) };
}

export function Audit() {
  const filter = readAuditFilter(useSearch({ strict: false }));
  const entries = useInfiniteQuery({
    queryKey: ['audit', filter],
    queryFn: ({ pageParam }) => api.audit(filter, pageParam),
    initialPageParam: null as number | null,
    getNextPageParam: (page) => page.next_cursor,
    placeholderData: (before) => before,
  });
  const items = entries.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <>
      <About>{words.audit.about}</About>
      <Filter key={JSON.stringify(filter)} filter={filter} />
      {entries.error ? (
        <ProblemNote error={asApiError(entries.error)} className="my-4">
          <Button size="small" onClick={() => void entries.refetch()}>
            {words.common.tryAgain}
          </Button>
        </ProblemNote>
      ) : null}
      {entries.isSuccess && items.length === 0 ? <Nothing>{words.audit.nothing}</Nothing> : null}
      <ul
        aria-label={words.audit.title}
        aria-busy={entries.isPlaceholderData}
        className="divide-y divide-line aria-busy:opacity-60"
      >
        {items.map((item) => (
          <Entry key={item.id} item={item} />
        ))}
      </ul>
      {entries.hasNextPage ? (
        <p className="pt-3 text-center">
          <Button size="small" disabled={entries.isFetching} onClick={() => void entries.fetchNextPage()}>
            {words.audit.older}
          </Button>
        </p>
      ) : null}
    </>
  );
}

function Filter({ filter }: { filter: AuditFilter }) {
  const navigate = useNavigate();
  const [typed, setTyped] = useState({ person: '', action: '', subject: '', outcome: '', ...filter });
  const go = (next: Record<string, unknown>) =>
    void navigate({ to: '/settings/$section', params: { section: 'audit' }, search: { ...readAuditFilter(next) } });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    go(typed);
  };
  return (
    <form onSubmit={submit} className="mb-3 flex flex-wrap gap-2">
      {TEXTS.map((name) => (
        <input
          key={name}
          aria-label={words.audit.filters[name]}
          placeholder={words.audit.filters[name]}
          value={typed[name]}
          onChange={(event) => setTyped({ ...typed, [name]: event.target.value })}
          className="field w-36 flex-auto py-1.5 text-[0.8125rem] sm:flex-none"
          spellCheck={false}
          autoComplete="off"
        />
      ))}
      <select
        aria-label={words.audit.filters.outcome}
        value={typed.outcome}
        onChange={(event) => go({ ...typed, outcome: event.target.value })}
        className="field w-auto py-1.5 text-[0.8125rem]"
      >
        <option value="">{words.audit.everything}</option>
        {AUDIT_OUTCOMES.map((outcome) => (
          <option key={outcome} value={outcome}>
            {words.audit.outcomes[outcome]}
          </option>
        ))}
      </select>
      <Button type="submit" size="small" className="h-auto!">
        {words.audit.find}
      </Button>
    </form>
  );
}

const LOOK: Record<AuditOutcome, string> = {
  done: 'text-good',
  refused: 'text-warn',
  failed: 'text-bad',
  unanswered: 'text-bad',
};

function Entry({ item }: { item: AuditItem }) {
  const at = Date.parse(item.at);
  return (
    <li className="py-2 text-[0.8125rem]">
      <p className="flex flex-wrap items-baseline gap-x-3">
        <span className="font-medium">
          <bdi>{item.person === null ? words.audit.nobody : oneLine(item.person)}</bdi>
        </span>
        <span className="font-mono text-code">{oneLine(item.action)}</span>
        <span className={LOOK[item.outcome]}>
          {words.audit.outcomes[item.outcome]}
          {item.code ? <span className="font-mono text-2xs"> {oneLine(item.code)}</span> : null}
        </span>
        <span className="grow" />
        <time dateTime={item.at} className="text-2xs text-faint tabular-nums">
          {exactTime(at)}
        </time>
      </p>
      <p className="flex flex-wrap gap-x-3 text-2xs text-soft">
        {item.subject ? <Subject subject={item.subject} /> : null}
        {item.detail ? <bdi className="min-w-0 [overflow-wrap:anywhere]">{visible(item.detail)}</bdi> : null}
        {item.address ? <span className="text-faint">{words.audit.from(visible(item.address))}</span> : null}
      </p>
    </li>
  );
}

/** A session is led to; any other is a name. */
function Subject({ subject }: { subject: string }) {
  if (!/^[0-9A-Z]{26}$/.test(subject)) return <bdi className="font-mono">{visible(subject)}</bdi>;
  return (
    <Link to="/sessions/$id" params={{ id: subject }} className="font-mono underline underline-offset-2">
      {subject}
    </Link>
  );
}
