/** The form of a new automation. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, type ReactNode, useId, useState } from 'react';
import { asApiError } from '../api/client';
import { agentsQuery, repositoriesQuery } from '../api/queries';
import type { AutomationTrigger } from '../api/types';
import { AS_CONFIGURED, BoundsFields, boundsOf } from '../create/Bounds';
import { automationWords as words } from '../text/automations';
import { Button } from '../ui/button';
import { ProblemNote } from '../ui/problem';
import { automationsApi, automationsQuery, type TypedTrigger, triggerOf } from './automations';

const KINDS = Object.keys(words.kinds) as AutomationTrigger['kind'][];
const EVERY_WORKDAY = '0 9 * * 1-5';

export function AddAutomation({ close }: { close: () => void }) {
  const client = useQueryClient();
  const [name, setName] = useState('');
  const [repository, setRepository] = useState('');
  const [text, setText] = useState('');
  const [agent, setAgent] = useState('');
  const [bounds, setBounds] = useState(AS_CONFIGURED);
  const [trigger, setTrigger] = useState<TypedTrigger>({
    kind: 'cron',
    expression: EVERY_WORKDAY,
    timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    branch: 'main',
    label: '',
  });
  const add = useMutation({
    mutationFn: () => {
      const { network, limits } = boundsOf(bounds);
      return automationsApi.add({
        name,
        repository: repository.trim(),
        text,
        trigger: triggerOf(trigger),
        ...(agent === '' ? {} : { agent }),
        ...(network ? { network } : {}),
        ...(limits?.budget_micros ? { budget_micros: limits.budget_micros } : {}),
      });
    },
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: automationsQuery.queryKey });
      close();
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    add.mutate();
  };
  return (
    <form aria-label={words.add} onSubmit={submit} className="mb-4 grid gap-3 sm:grid-cols-2">
      <Field label={words.name}>
        {(id) => (
          <input
            id={id}
            className="field"
            value={name}
            onChange={(event) => setName(event.target.value)}
            placeholder={words.nameExample}
            autoComplete="off"
            required
          />
        )}
      </Field>
      <Repository value={repository} change={setRepository} />
      <Field label={words.text} wide>
        {(id) => (
          <textarea
            id={id}
            className="field min-h-24 py-1.5"
            value={text}
            onChange={(event) => setText(event.target.value)}
            required
          />
        )}
      </Field>
      <TriggerFields value={trigger} change={setTrigger} />
      <Agent value={agent} change={setAgent} />
      <BoundsFields value={bounds} change={setBounds} />
      {add.error ? <ProblemNote error={asApiError(add.error)} className="sm:col-span-2" /> : null}
      <div className="flex gap-2 sm:col-span-2">
        <Button type="submit" look="primary" disabled={add.isPending}>
          {words.save}
        </Button>
        <Button onClick={close}>{words.cancel}</Button>
      </div>
    </form>
  );
}

function Field({ label, wide, children }: { label: string; wide?: boolean; children: (id: string) => ReactNode }) {
  const id = useId();
  return (
    <div className={wide ? 'sm:col-span-2' : ''}>
      <label htmlFor={id} className="mb-1 block text-[0.8125rem] font-medium">
        {label}
      </label>
      {children(id)}
    </div>
  );
}

function Repository({ value, change }: { value: string; change: (path: string) => void }) {
  const known = useId();
  const repositories = useQuery(repositoriesQuery).data?.items ?? [];
  return (
    <Field label={words.repository}>
      {(id) => (
        <>
          <input
            id={id}
            list={known}
            className="field font-mono text-code"
            value={value}
            onChange={(event) => change(event.target.value)}
            placeholder={words.repositoryExample}
            spellCheck={false}
            autoComplete="off"
            required
          />
          <datalist id={known}>
            {repositories.map(({ path }) => (
              <option key={path} value={path} />
            ))}
          </datalist>
        </>
      )}
    </Field>
  );
}

function Agent({ value, change }: { value: string; change: (agent: string) => void }) {
  const agents = (useQuery(agentsQuery).data?.items ?? []).filter(({ installed }) => installed);
  return (
    <Field label={words.agent}>
      {(id) => (
        <select id={id} className="field" value={value} onChange={(event) => change(event.target.value)}>
          <option value="">{words.asConfigured}</option>
          {agents.map(({ name, title }) => (
            <option key={name} value={name}>
              {title}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

function TriggerFields({ value, change }: { value: TypedTrigger; change: (trigger: TypedTrigger) => void }) {
  const typed = (label: string, name: 'expression' | 'timezone' | 'branch' | 'label') => (
    <Field label={label}>
      {(id) => (
        <input
          id={id}
          className="field font-mono text-code"
          value={value[name]}
          onChange={(event) => change({ ...value, [name]: event.target.value })}
          spellCheck={false}
          autoComplete="off"
          required
        />
      )}
    </Field>
  );
  return (
    <>
      <Field label={words.kind}>
        {(id) => (
          <select
            id={id}
            className="field"
            value={value.kind}
            onChange={(event) => change({ ...value, kind: event.target.value as TypedTrigger['kind'] })}
          >
            {KINDS.map((kind) => (
              <option key={kind} value={kind}>
                {words.kinds[kind]}
              </option>
            ))}
          </select>
        )}
      </Field>
      {value.kind === 'cron' ? (
        <>
          {typed(words.expression, 'expression')}
          {typed(words.timezone, 'timezone')}
          <p className="text-[0.8125rem] text-faint sm:col-span-2">{words.expressionHint}</p>
        </>
      ) : null}
      {value.kind === 'pushed' || value.kind === 'checks_failed' ? typed(words.branch, 'branch') : null}
      {value.kind === 'issue_labelled' ? typed(words.label, 'label') : null}
    </>
  );
}
