/** A new session: where, what, and who does it. */

import { useMutation, useQuery } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { type FormEvent, type KeyboardEvent, type ReactNode, useEffect, useId, useRef, useState } from 'react';
import { api, asApiError, named, newIdempotencyKey } from '../api/client';
import { agentsQuery, repositoriesQuery, statusQuery } from '../api/queries';
import type { AgentInfo, NewSession } from '../api/types';
import { AttachButton, ChosenFiles, DropPlace } from '../attach/Chosen';
import { useFiles } from '../attach/files';
import { words } from '../text/english';
import { Filled } from '../text/Filled';
import { baseName } from '../text/format';
import { visible } from '../text/visible';
import { Button } from '../ui/button';
import { readStorage, useDraft, useKeys, useTitle, writeStorage } from '../ui/hooks';
import { Icon } from '../ui/icons';
import { ProblemNote } from '../ui/problem';
import { ThemeToggle } from '../ui/theme';
import { Ahead } from './Ahead';
import { AttemptsFields, attemptsOf, type Own } from './Attempts';
import { AS_CONFIGURED, BoundsFields, boundsOf } from './Bounds';
import { ModelField } from './ModelField';
import { Template } from './Template';

/** Recent repositories on offer. */
const RECENT = 5;
const LAST_AGENT = 'lamplight.agent';

type Permissions = 'allow' | 'ask' | 'reject';

/** The checkpoint that the new session is to go on from; without one it starts from a repository. */
export interface ForkSearch {
  fork?: string;
  checkpoint?: number;
}

export function NewPage({ from }: { from: ForkSearch }) {
  useTitle(from.fork ? words.create.fork : words.create.title);
  const navigate = useNavigate();
  const agents = useQuery(agentsQuery);
  const repositories = useQuery(repositoriesQuery);
  const status = useQuery(statusQuery);
  const [prompt, setPrompt] = useDraft(from.fork ? `fork:${from.fork}` : 'new');
  const files = useFiles(from.fork ? `fork:${from.fork}` : 'new');
  const [repository, setRepository] = useState<string | null>(null);
  const [agent, setAgent] = useState<string | null>(null);
  const [model, setModel] = useState('');
  const [base, setBase] = useState('');
  const [permissions, setPermissions] = useState<Permissions>('allow');
  const [image, setImage] = useState('');
  const [steps, setSteps] = useState('');
  const [bounds, setBounds] = useState(AS_CONFIGURED);
  const [attempts, setAttempts] = useState<Own[]>([]);
  const text = useRef<HTMLTextAreaElement>(null);
  // The same task sent twice by accident is one session; another task is another.
  const key = useRef({ spec: '', key: '' });
  const create = useMutation({
    mutationFn: (spec: NewSession) => {
      const written = JSON.stringify(spec);
      if (key.current.spec !== written) key.current = { spec: written, key: newIdempotencyKey() };
      return api.create(spec, key.current.key);
    },
    onSuccess: (session) => {
      setPrompt('');
      files.sent(files.ready);
      const to = session.attempts ? '/compare/$id' : '/sessions/$id';
      void navigate({ to, params: { id: session.id } });
    },
  });
  useEffect(() => text.current?.focus(), []);
  useKeys({ u: () => void navigate({ to: '/' }) });

  const recent = (repositories.data?.items ?? []).slice(0, RECENT);
  const origin = useQuery({
    queryKey: ['session', from.fork],
    queryFn: () => api.session(from.fork ?? ''),
    enabled: from.fork !== undefined,
  });
  const chosenRepository = repository ?? recent[0]?.path ?? '';
  const chosenAgent = agent ?? origin.data?.agent ?? initialAgent(agents.data?.items ?? []);
  const sameAgent = origin.data?.agent === chosenAgent;
  const placed = from.fork !== undefined || chosenRepository.trim() !== '';
  const said = prompt.trim() !== '' || files.ready.length > 0;
  const ready = placed && said && !create.isPending && !files.uploading && !files.failed;
  const asked = boundsOf(bounds);
  const like = {
    repository: chosenRepository.trim(),
    ...(chosenAgent ? { agent: chosenAgent } : {}),
    ...(base.trim() ? { base: base.trim() } : {}),
    ...(image.trim() ? { image: image.trim() } : {}),
    ...(asked.network ? { network: asked.network } : {}),
  };
  const submit = (event?: FormEvent) => {
    event?.preventDefault();
    if (!ready) return;
    if (chosenAgent) writeStorage(localStorage, LAST_AGENT, chosenAgent);
    create.mutate({
      ...(from.fork === undefined
        ? {
            repository: chosenRepository.trim(),
            permissions,
            ...(image.trim() ? { image: image.trim() } : {}),
          }
        : { fork: { session: from.fork, checkpoint: from.checkpoint ?? null } }),
      prompt: prompt.trim(),
      attachments: files.ready.map(named),
      ...(chosenAgent ? { agent: chosenAgent } : {}),
      ...(model.trim() ? { model: model.trim() } : {}),
      ...(base.trim() ? { base: base.trim() } : {}),
      ...asked,
      ...attemptsOf(attempts),
      ...(Number(steps) > 0 ? { limits: { ...asked.limits, steps: Number(steps) } } : {}),
    });
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) submit();
  };
  return (
    <div className="h-full overflow-y-auto">
      <div className="mx-auto max-w-[44rem] px-3 pb-16 sm:px-6">
        <header className="flex items-center gap-2 py-4">
          <Link
            to="/"
            aria-label={words.common.allSessions}
            title={words.common.allSessionsKey}
            className="-ml-1.5 rounded-lg p-1.5 text-soft hover:bg-hover"
          >
            <Icon name="back" />
          </Link>
          <h1 className="text-lg font-semibold tracking-tight">{from.fork ? words.create.fork : words.create.title}</h1>
          <span className="grow" />
          <ThemeToggle />
        </header>
        <main>
          <form onSubmit={submit} onKeyDown={onKeyDown} className="space-y-5">
            <Labelled label={words.create.task}>
              {(id) => (
                <DropPlace files={files} className="rounded-lg">
                  <div className="relative">
                    <textarea
                      id={id}
                      ref={text}
                      rows={6}
                      value={prompt}
                      onChange={(event) => setPrompt(event.target.value)}
                      placeholder={words.create.taskHint}
                      className="field field-sizing-content max-h-[50vh] min-h-36 resize-none pb-10! text-[0.9375rem]"
                    />
                    <AttachButton files={files} className="absolute bottom-1.5 left-1.5" />
                  </div>
                  <ChosenFiles files={files} className="mt-2" />
                </DropPlace>
              )}
            </Labelled>
            {from.fork === undefined ? (
              <Template repository={chosenRepository} written={prompt} take={setPrompt} />
            ) : null}
            {from.fork === undefined ? (
              <Labelled label={words.create.repository} hint={words.create.repositoryHint}>
                {(id) => (
                  <>
                    <input
                      id={id}
                      value={chosenRepository}
                      onChange={(event) => setRepository(event.target.value)}
                      placeholder={words.create.repositoryExample}
                      spellCheck={false}
                      autoComplete="off"
                      className="field font-mono text-code"
                    />
                    {recent.length > 1 ? (
                      <fieldset className="mt-2 flex flex-wrap gap-1.5" aria-label={words.create.recent}>
                        {recent.map(({ path }) => (
                          <Button
                            key={path}
                            size="small"
                            aria-pressed={path === chosenRepository}
                            title={visible(path)}
                            onClick={() => setRepository(path)}
                            className={path === chosenRepository ? 'border-lamp-fill! text-lamp!' : 'text-soft!'}
                          >
                            {visible(baseName(path))}
                          </Button>
                        ))}
                      </fieldset>
                    ) : null}
                  </>
                )}
              </Labelled>
            ) : (
              <p className="rounded-lg border border-line bg-raised px-3 py-2 text-[0.8125rem] text-soft">
                <Filled
                  sentence={words.create.forkOf(sameAgent, from.checkpoint ?? 0)}
                  parts={{
                    session: (
                      <Link
                        to="/sessions/$id"
                        params={{ id: from.fork }}
                        className="text-ink underline underline-offset-4"
                      >
                        {origin.data ? visible(origin.data.title) : words.create.anotherSession}
                      </Link>
                    ),
                  }}
                />
              </p>
            )}
            <div className="grid gap-5 sm:grid-cols-2">
              <Labelled label={words.create.agent}>
                {(id) => (
                  <select
                    id={id}
                    className="field"
                    value={chosenAgent ?? ''}
                    onChange={(event) => setAgent(event.target.value)}
                  >
                    {(agents.data?.items ?? []).map((offered) => (
                      <option key={offered.name} value={offered.name} disabled={!offered.installed}>
                        {offered.title}
                        {offered.installed
                          ? offered.version
                            ? ` ${offered.version}`
                            : ''
                          : ` ${words.create.notInstalled}`}
                      </option>
                    ))}
                  </select>
                )}
              </Labelled>
              <Labelled label={words.create.model}>
                {(id) => (
                  <ModelField
                    id={id}
                    agent={agents.data?.items.find(({ name }) => name === chosenAgent)}
                    scripted={status.data?.scripted_model === true}
                    value={model}
                    change={setModel}
                  />
                )}
              </Labelled>
            </div>
            <details className="group">
              <summary className="flex w-fit items-center gap-1.5 rounded text-[0.8125rem] text-soft select-none">
                <Icon name="chevron" className="size-3 transition-transform group-open:rotate-90" /> {words.common.more}
              </summary>
              <div className="mt-3 grid gap-5 sm:grid-cols-2">
                {from.fork === undefined ? (
                  <>
                    <Labelled label={words.create.base}>
                      {(id) => (
                        <input
                          id={id}
                          className="field"
                          value={base}
                          onChange={(event) => setBase(event.target.value)}
                          placeholder={words.create.baseHint}
                          spellCheck={false}
                          autoComplete="off"
                        />
                      )}
                    </Labelled>
                    <Labelled label={words.create.image}>
                      {(id) => (
                        <input
                          id={id}
                          className="field"
                          value={image}
                          onChange={(event) => setImage(event.target.value)}
                          placeholder={words.create.imageHint}
                          spellCheck={false}
                          autoComplete="off"
                        />
                      )}
                    </Labelled>
                    <Labelled label={words.create.permissions}>
                      {(id) => (
                        <select
                          id={id}
                          className="field"
                          value={permissions}
                          onChange={(event) => setPermissions(event.target.value as Permissions)}
                        >
                          <option value="allow">{words.create.allow}</option>
                          <option value="ask">{words.create.ask}</option>
                          <option value="reject">{words.create.reject}</option>
                        </select>
                      )}
                    </Labelled>
                  </>
                ) : null}
                <AttemptsFields agents={agents.data?.items ?? []} value={attempts} change={setAttempts} />
                <BoundsFields value={bounds} change={setBounds} />
                <Labelled label={words.create.steps}>
                  {(id) => (
                    <input
                      id={id}
                      type="number"
                      min={1}
                      className="field"
                      value={steps}
                      onChange={(event) => setSteps(event.target.value)}
                      placeholder="25"
                    />
                  )}
                </Labelled>
              </div>
            </details>
            {origin.error ? <ProblemNote error={asApiError(origin.error)} /> : null}
            {agents.error ? <ProblemNote error={asApiError(agents.error)} /> : null}
            {create.error ? <ProblemNote error={asApiError(create.error)} /> : null}
            <div className="flex items-center gap-3">
              <Button type="submit" look="primary" disabled={!ready} className="px-4">
                {create.isPending ? words.create.starting : words.create.start}
              </Button>
              <span className="hidden text-2xs text-faint sm:inline">
                <kbd>{words.create.ctrl}</kbd> <kbd>{words.create.enter}</kbd>
              </span>
              {from.fork === undefined ? <Ahead begun={said} like={like} /> : null}
              {status.data?.scripted_model ? <span className="text-2xs text-soft">{words.create.scripted}</span> : null}
            </div>
          </form>
        </main>
      </div>
    </div>
  );
}

/** The agent used last, if it is still there, or the server's default. */
function initialAgent(agents: AgentInfo[]): string | null {
  const usable = agents.filter((agent) => agent.installed);
  const last = readStorage(localStorage, LAST_AGENT);
  return (
    (usable.find((agent) => agent.name === last) ?? usable.find((agent) => agent.default) ?? usable[0])?.name ?? null
  );
}

function Labelled({ label, hint, children }: { label: string; hint?: string; children: (id: string) => ReactNode }) {
  const id = useId();
  return (
    <div>
      <label htmlFor={id} className="mb-1 block text-[0.8125rem] font-medium">
        {label}
        {hint ? <span className="ml-2 hidden font-normal text-faint sm:inline">{hint}</span> : null}
      </label>
      {children(id)}
    </div>
  );
}
