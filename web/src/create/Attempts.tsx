/** To how many sessions the task is given at once, and what each has of its own. */
import { useId } from 'react';
import type { AgentInfo, NewSession } from '../api/types';
import { compareWords as words } from '../text/compare';

/** More beside one another no server takes. */
const MOST = 5;

/** Empty is as all have it. */
export interface Own {
  agent: string;
  model: string;
}

/** Of the request; one is a session like any other. */
export function attemptsOf(own: readonly Own[]): Pick<NewSession, 'attempts'> {
  const said = (text: string) => (text.trim() === '' ? null : text.trim());
  if (own.length < 2) return {};
  return { attempts: own.map(({ agent, model }) => ({ agent: said(agent), model: said(model) })) };
}

interface AttemptsFieldsProps {
  agents: readonly AgentInfo[];
  value: readonly Own[];
  change: (own: Own[]) => void;
}

export function AttemptsFields({ agents, value, change }: AttemptsFieldsProps) {
  const id = useId();
  const resize = (count: number) =>
    change(Array.from({ length: count > 1 ? count : 0 }, (_, place) => value[place] ?? { agent: '', model: '' }));
  const set = (place: number, own: Partial<Own>) =>
    change(value.map((before, n) => (n === place ? { ...before, ...own } : before)));
  return (
    <div className="sm:col-span-2">
      <label htmlFor={id} className="mb-1 block text-[0.8125rem] font-medium">
        {words.number}
        <span className="ml-2 hidden font-normal text-faint sm:inline">{words.numberHint}</span>
      </label>
      <select
        id={id}
        className="field sm:max-w-60"
        value={Math.max(1, value.length)}
        onChange={(event) => resize(Number(event.target.value))}
      >
        {Array.from({ length: MOST }, (_, place) => place + 1).map((count) => (
          <option key={count} value={count}>
            {words.numbers(count)}
          </option>
        ))}
      </select>
      {value.length > 1 ? (
        <ol className="mt-2 space-y-1.5">
          {value.map((own, place) => (
            <li key={place} className="flex items-center gap-2">
              <span className="w-4 text-right text-soft tabular-nums">{place + 1}</span>
              <select
                aria-label={words.own(place + 1)}
                className="field min-w-0 flex-1"
                value={own.agent}
                onChange={(event) => set(place, { agent: event.target.value })}
              >
                <option value="">{words.asAbove}</option>
                {agents.map(({ name, title, installed }) => (
                  <option key={name} value={name} disabled={!installed}>
                    {title}
                  </option>
                ))}
              </select>
              <input
                aria-label={words.ownModel(place + 1)}
                className="field min-w-0 flex-1"
                value={own.model}
                onChange={(event) => set(place, { model: event.target.value })}
                placeholder={own.agent === '' ? words.modelHint : words.agentsDefault}
                spellCheck={false}
                autoComplete="off"
              />
            </li>
          ))}
        </ol>
      ) : null}
    </div>
  );
}
