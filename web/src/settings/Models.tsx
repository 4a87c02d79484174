/** The keys of models, and of a cloud for sandboxes. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useEffect, useRef, useState } from 'react';
import { api, asApiError } from '../api/client';
import { keysQuery, modelsQuery, statusQuery } from '../api/queries';
import type { Key, KeyTest } from '../api/types';
import { words } from '../text/english';
import { exactTime } from '../text/format';
import { visible } from '../text/visible';
import { Button } from '../ui/button';
import { ProblemNote } from '../ui/problem';
import { About } from './parts';

const TITLES: Record<string, string> = { openai: 'OpenAI', anthropic: 'Anthropic', gemini: 'Gemini', e2b: 'E2B' };

/** Of models on this machine; docs/configuration.md has the rest. */
const OWN = `[models.compatible.local]
base = "http://127.0.0.1:11434/v1"
price = "free"`;

export function Models() {
  const keys = useQuery(keysQuery);
  return (
    <>
      <About>{words.keyring.about}</About>
      {keys.error ? <ProblemNote error={asApiError(keys.error)} className="mb-4" /> : null}
      <ul aria-label={words.keyring.label} className="space-y-3">
        {(keys.data?.items ?? []).map((key) => (
          <KeyCard key={key.name} known={key} />
        ))}
      </ul>
      <div className="mt-6 max-w-[40rem] text-[0.8125rem] text-soft">
        <h3 className="mb-1 font-medium text-ink">{words.keyring.ownTitle}</h3>
        <p>{words.keyring.own}</p>
        <pre className="mt-2 overflow-x-auto rounded-lg border border-line bg-sunken px-3 py-2.5 font-mono text-code">
          {OWN}
        </pre>
      </div>
    </>
  );
}

function KeyCard({ known }: { known: Key }) {
  const client = useQueryClient();
  const [typing, setTyping] = useState(false);
  const refresh = () =>
    Promise.all([keysQuery, modelsQuery, statusQuery].map(({ queryKey }) => client.invalidateQueries({ queryKey })));
  const remove = useMutation({ mutationFn: () => api.removeKey(known.name), onSuccess: refresh });
  const test = useMutation({ mutationFn: () => api.testKey(known.name) });
  const title = TITLES[known.name] ?? visible(known.name);
  const failed = remove.error ?? test.error;
  return (
    <li className="rounded-lg border border-line bg-raised px-3 py-2.5">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
        <div className="min-w-0 grow">
          <h3 className="font-medium">{title}</h3>
          <p className="text-[0.8125rem] text-soft">
            <Source known={known} /> · <span className="font-mono text-2xs">{visible(known.base)}</span>
          </p>
        </div>
        {known.source !== 'missing' ? (
          <Button
            size="small"
            disabled={test.isPending}
            aria-label={words.keyring.testOf(title)}
            onClick={() => test.mutate()}
          >
            {test.isPending ? words.keyring.asking : words.keyring.test}
          </Button>
        ) : null}
        <Button
          size="small"
          aria-label={known.source === 'stored' ? words.keyring.replaceOf(title) : words.keyring.setOf(title)}
          aria-expanded={typing}
          onClick={() => setTyping(!typing)}
        >
          {known.source === 'stored' ? words.keyring.replace : words.keyring.set}
        </Button>
        {known.source === 'stored' ? (
          <Button
            size="small"
            look="danger"
            disabled={remove.isPending}
            aria-label={words.keyring.removeOf(title)}
            onClick={() => {
              test.reset();
              remove.mutate();
            }}
          >
            {words.keyring.remove}
          </Button>
        ) : null}
      </div>
      {known.problem ? (
        <p role="alert" className="mt-2 text-[0.8125rem] text-bad">
          {visible(known.problem)}
        </p>
      ) : null}
      {test.data && !typing ? <Tested test={test.data} /> : null}
      {failed ? <ProblemNote error={asApiError(failed)} className="mt-2" /> : null}
      {typing ? (
        <KeyForm
          name={known.name}
          title={title}
          done={async () => {
            setTyping(false);
            await refresh();
            test.mutate();
          }}
        />
      ) : null}
    </li>
  );
}

function Source({ known }: { known: Key }) {
  switch (known.source) {
    case 'stored':
      return (
        <span title={known.set_at ? exactTime(Date.parse(known.set_at)) : undefined}>
          {words.keyring.stored(known.set_at ? day(known.set_at) : '', known.variable ? visible(known.variable) : null)}
        </span>
      );
    case 'configured':
    case 'environment':
      return <span>{words.keyring.from(visible(known.variable ?? words.keyring.theEnvironment))}</span>;
    case 'not_needed':
      return <span>{words.keyring.notNeeded}</span>;
    case 'missing':
      return <span>{words.keyring.missing}</span>;
  }
}

function day(iso: string): string {
  return new Date(iso).toLocaleDateString(undefined, { day: 'numeric', month: 'short', year: 'numeric' });
}

function Tested({ test }: { test: KeyTest }) {
  const good = test.outcome === 'ok';
  return (
    <p role="status" className={`mt-2 text-[0.8125rem] ${good ? 'text-good' : 'text-bad'}`}>
      {good && typeof test.models === 'number' ? words.keyring.works(test.models) : visible(test.detail)}
    </p>
  );
}

function KeyForm({ name, title, done }: { name: string; title: string; done: () => Promise<void> }) {
  const [key, setKey] = useState('');
  const field = useRef<HTMLInputElement>(null);
  // It was just asked for.
  useEffect(() => field.current?.focus(), []);
  const set = useMutation({ mutationFn: () => api.setKey(name, key.trim()), onSuccess: done });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (key.trim() !== '') set.mutate();
  };
  return (
    <form onSubmit={submit} className="mt-3 flex flex-wrap gap-2">
      <input
        ref={field}
        type="password"
        aria-label={words.keyring.keyFor(title)}
        className="field min-w-0 flex-1 font-mono text-code"
        value={key}
        onChange={(event) => setKey(event.target.value)}
        // A password manager would keep it, and offer others.
        autoComplete="off"
        spellCheck={false}
      />
      <Button type="submit" look="primary" disabled={key.trim() === '' || set.isPending}>
        {words.keyring.store}
      </Button>
      {set.error ? <ProblemNote error={asApiError(set.error)} className="basis-full" /> : null}
    </form>
  );
}
