/** Which sessions are listed, and in which groups. */
import { useQuery } from '@tanstack/react-query';
import { type RefObject, useEffect, useRef, useState } from 'react';
import { repositoriesQuery } from '../api/queries';
import { PHASES, type Phase } from '../api/types';
import { words } from '../text/english';
import { baseName } from '../text/format';
import { visible } from '../text/visible';
import { Icon } from '../ui/icons';
import { phaseWord } from '../ui/phase';
import type { ListFilter } from './filter';
import { GROUPINGS, type Grouping } from './rows';

/** Typing in the filter asks the server once it pauses. */
const FILTER_PAUSE_MS = 200;

interface FiltersProps {
  filter: ListFilter;
  change: (filter: ListFilter) => void;
  box: RefObject<HTMLInputElement | null>;
  onFocus: () => void;
}

const select = 'field w-auto max-w-44 shrink-0 py-1 pr-1 text-[0.8125rem]';

export function Filters({ filter, change, box, onFocus }: FiltersProps) {
  const repositories = useQuery(repositoriesQuery).data?.items ?? [];
  const known = repositories.map(({ path }) => path);
  if (filter.repository && !known.includes(filter.repository)) known.push(filter.repository);
  return (
    <search className="mx-auto mb-1 block w-full max-w-[68rem] space-y-2 px-3 sm:px-6">
      <SearchBox box={box} value={filter.q ?? ''} change={(q) => change({ ...filter, q })} onFocus={onFocus} />
      <div className="flex items-center gap-1.5 overflow-x-auto px-0.5 py-0.5">
        <Toggle on={filter.mine === true} set={(mine) => change({ ...filter, mine })} label={words.list.mine} />
        <Toggle
          on={filter.archived === true}
          set={(archived) => change({ ...filter, archived })}
          label={words.list.archived}
        />
        <Toggle on={filter.dead === true} set={(dead) => change({ ...filter, dead })} label={words.list.dead} />
        <select
          aria-label={words.list.phase}
          className={select}
          value={filter.phase ?? ''}
          onChange={(event) => change({ ...filter, phase: event.target.value as Phase })}
        >
          <option value="">{words.list.allPhases}</option>
          {PHASES.map((phase) => (
            <option key={phase} value={phase}>
              {phaseWord(phase)}
            </option>
          ))}
        </select>
        <select
          aria-label={words.list.repository}
          className={select}
          value={filter.repository ?? ''}
          onChange={(event) => change({ ...filter, repository: event.target.value })}
        >
          <option value="">{words.list.allRepositories}</option>
          {known.map((path) => (
            <option key={path} value={path} title={path}>
              {visible(baseName(path))}
            </option>
          ))}
        </select>
        <span className="grow" />
        <select
          aria-label={words.list.group}
          className={select}
          value={filter.group ?? 'day'}
          onChange={(event) => change({ ...filter, group: event.target.value as Grouping })}
        >
          {GROUPINGS.map((grouping) => (
            <option key={grouping} value={grouping}>
              {words.list.groupings[grouping]}
            </option>
          ))}
        </select>
      </div>
    </search>
  );
}

function Toggle({ on, set, label }: { on: boolean; set: (on: boolean) => void; label: string }) {
  return (
    <button
      type="button"
      aria-pressed={on}
      onClick={() => set(!on)}
      className={`h-7 shrink-0 rounded-lg border px-2.5 text-[0.8125rem] ${on ? 'border-lamp-fill bg-lamp-tint text-lamp' : 'border-line-strong bg-raised text-soft hover:bg-hover'}`}
    >
      {label}
    </button>
  );
}

interface SearchBoxProps {
  box: RefObject<HTMLInputElement | null>;
  value: string;
  change: (q: string) => void;
  onFocus: () => void;
}

function SearchBox({ box, value, change, onFocus }: SearchBoxProps) {
  const [text, setText] = useState(value);
  const latest = useRef(change);
  useEffect(() => {
    latest.current = change;
  });
  useEffect(() => {
    if (text.trim() === value) return;
    const timer = setTimeout(() => latest.current(text.trim()), FILTER_PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text, value]);
  return (
    <div className="relative">
      <Icon name="search" className="absolute top-1/2 left-3 -translate-y-1/2 text-faint" />
      <input
        ref={box}
        type="search"
        value={text}
        onFocus={onFocus}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => event.key === 'Escape' && box.current?.blur()}
        placeholder={words.list.searchPlaceholder}
        aria-label={words.list.search}
        className="field py-1.5 pl-9"
      />
    </div>
  );
}
