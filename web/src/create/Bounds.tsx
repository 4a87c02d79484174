/** What a new session may reach and may cost. */
import { useId } from 'react';
import type { NewSession } from '../api/types';
import { words } from '../text/english';

export interface Bounds {
  /** Empty is as configured. */
  policy: '' | 'open' | 'allowlist' | 'none';
  hosts: string;
  /** In dollars, as typed. */
  budget: string;
}

export const AS_CONFIGURED: Bounds = { policy: '', hosts: '', budget: '' };

/** Of the request that makes the session. */
export function boundsOf({ policy, hosts, budget }: Bounds): Pick<NewSession, 'network' | 'limits'> {
  const dollars = Number(budget.replace(',', '.'));
  return {
    ...(policy === 'allowlist'
      ? { network: { policy, hosts: hosts.split(/[\s,]+/).filter((host) => host !== '') } }
      : policy === ''
        ? {}
        : { network: { policy } }),
    ...(dollars > 0 ? { limits: { budget_micros: Math.round(dollars * 1e6) } } : {}),
  };
}

export function BoundsFields({ value, change }: { value: Bounds; change: (bounds: Bounds) => void }) {
  const network = useId();
  const hosts = useId();
  const budget = useId();
  const label = 'mb-1 block text-[0.8125rem] font-medium';
  return (
    <>
      <div>
        <label htmlFor={network} className={label}>
          {words.create.network}
        </label>
        <select
          id={network}
          className="field"
          value={value.policy}
          onChange={(event) => change({ ...value, policy: event.target.value as Bounds['policy'] })}
        >
          <option value="">{words.create.asConfigured}</option>
          <option value="open">{words.create.open}</option>
          <option value="allowlist">{words.create.allowlist}</option>
          <option value="none">{words.create.none}</option>
        </select>
      </div>
      <div>
        <label htmlFor={budget} className={label}>
          {words.create.budget}
        </label>
        <input
          id={budget}
          inputMode="decimal"
          className="field"
          value={value.budget}
          onChange={(event) => change({ ...value, budget: event.target.value })}
          placeholder={words.create.asConfigured}
          autoComplete="off"
        />
      </div>
      {value.policy === 'allowlist' ? (
        <div className="sm:col-span-2">
          <label htmlFor={hosts} className={label}>
            {words.create.hosts}
          </label>
          <input
            id={hosts}
            className="field font-mono text-code"
            value={value.hosts}
            onChange={(event) => change({ ...value, hosts: event.target.value })}
            placeholder={words.create.hostsExample}
            spellCheck={false}
            autoComplete="off"
          />
        </div>
      ) : null}
    </>
  );
}
