/** What this session is, and what can be done with it as a whole. */
import { useMutation } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { lazy, Suspense, useState } from 'react';
import { api, asApiError } from '../../api/client';
import type { SessionView } from '../../api/types';
import { CopyButton } from '../../text/Code';
import { words } from '../../text/english';
import { Filled } from '../../text/Filled';
import { baseName, shortCommit } from '../../text/format';
import { visible } from '../../text/visible';
import { Button } from '../../ui/button';
import { Dialog } from '../../ui/dialog';
import { useTitle } from '../../ui/hooks';
import { Icon } from '../../ui/icons';
import { Menu, MenuItem } from '../../ui/menu';
import { isWorking, PhaseDot, phaseWord } from '../../ui/phase';
import { ProblemNote } from '../../ui/problem';
import { ThemeToggle } from '../../ui/theme';
import { useFacts, useSession, useStore } from './context';
import { DRAWERS, useDrawer } from './drawers';
import { Review } from './Review';
import { Walls } from './Walls';

const ModelChoices = lazy(() => import('./ModelChoices').then((module) => ({ default: module.ModelChoices })));

interface HeaderProps {
  /** The server stops a turn, and before there is one takes the prompts back. */
  stop: { possible: boolean; run: () => void; pending: boolean; error: unknown };
}

export function Header({ stop }: HeaderProps) {
  const facts = useFacts();
  const store = useStore();
  const end = useMutation({ mutationFn: () => api.end(store.id), onSuccess: (view) => store.adopt(view) });
  const pause = useMutation({ mutationFn: () => api.pause(store.id), onSuccess: (view) => store.adopt(view) });
  const resume = useMutation({ mutationFn: () => api.resume(store.id), onSuccess: (view) => store.adopt(view) });
  const archive = useMutation({
    mutationFn: (away: boolean) => (away ? api.archive(store.id) : api.unarchive(store.id)),
    onSuccess: (view) => store.adopt(view),
  });
  const [ending, setEnding] = useState(false);
  useTitle(facts ? words.session.title(phaseWord(facts.phase), facts.title) : words.common.product);
  if (!facts) return null;
  return (
    <header className="@container border-b border-line px-3 pt-2 pb-1.5 sm:px-4">
      <div className="flex flex-wrap items-center gap-x-1.5 gap-y-0.5 sm:gap-x-2">
        <Link
          to="/"
          aria-label={words.common.allSessions}
          title={words.common.allSessionsKey}
          className="-ml-1 rounded-lg p-1.5 text-soft hover:bg-hover"
        >
          <Icon name="back" />
        </Link>
        <PhaseDot phase={facts.phase} className="mx-1" />
        <h1 className="min-w-40 flex-1 truncate text-[0.9375rem] font-semibold" title={visible(facts.title)}>
          {visible(facts.title)}
        </h1>
        {/* A row of their own, below the facts, on a phone and beside a drawer. */}
        <div className="flex items-center gap-1.5 @max-5xl:order-2 @max-5xl:w-full @max-5xl:flex-wrap @max-5xl:pb-0.5 sm:gap-2">
          <Button
            look="danger"
            onClick={stop.run}
            disabled={!stop.possible || stop.pending}
            title={words.header.stopTitle}
            aria-keyshortcuts="Control+."
          >
            <Icon name="stop" className="size-3.5" /> {stop.pending ? words.header.stopping : words.header.stop}
          </Button>
          {facts.sandbox_state === 'paused' ? (
            <Button onClick={() => resume.mutate()} disabled={resume.isPending} title={words.header.resumeTitle}>
              <Icon name="play" className="size-3.5" /> {words.common.resume}
            </Button>
          ) : null}
          <Review facts={facts} />
          <DrawerButtons facts={facts} />
          <Merge facts={facts} />
        </div>
        <ThemeToggle />
        <Menu
          trigger={
            <Button look="quiet" size="icon" aria-label={words.common.more}>
              <Icon name="more" />
            </Button>
          }
        >
          <MenuItem disabled={facts.sandbox_state !== 'running'} onSelect={() => pause.mutate()}>
            <Icon name="pause" className="text-soft" /> {words.header.pause}
          </MenuItem>
          <MenuItem onSelect={() => archive.mutate(!facts.archived)}>
            <Icon name="box" className="text-soft" /> {facts.archived ? words.palette.unarchive : words.palette.archive}
          </MenuItem>
          <MenuItem disabled={facts.ended || isWorking(facts.phase)} onSelect={() => setEnding(true)}>
            <Icon name="trash" className="text-soft" /> {words.header.end}
          </MenuItem>
        </Menu>
        <Facts facts={facts} />
      </div>
      {stop.error ? <ProblemNote error={asApiError(stop.error)} className="mt-2" /> : null}
      {pause.error ? <ProblemNote error={asApiError(pause.error)} className="mt-2" /> : null}
      {resume.error ? <ProblemNote error={asApiError(resume.error)} className="mt-2" /> : null}
      {archive.error ? <ProblemNote error={asApiError(archive.error)} className="mt-2" /> : null}
      {end.error ? <ProblemNote error={asApiError(end.error)} className="mt-2" /> : null}
      {ending ? (
        <Dialog title={words.header.endTitle} onClose={() => setEnding(false)}>
          <p className="text-soft">{words.header.endText}</p>
          <div className="mt-4 flex justify-end gap-2">
            <Button onClick={() => setEnding(false)}>{words.header.keep}</Button>
            <Button
              look="danger"
              onClick={() => {
                setEnding(false);
                end.mutate();
              }}
            >
              {words.header.endNow}
            </Button>
          </div>
        </Dialog>
      ) : null}
    </header>
  );
}

/** One button a drawer; names are not shown where there is little room, that of the first last. */
function DrawerButtons({ facts }: { facts: SessionView }) {
  const { drawer, toggle } = useDrawer();
  return (
    // biome-ignore lint/a11y/useSemanticElements: these are no fields of a form.
    <div role="group" aria-label={words.header.drawers} className="flex">
      {DRAWERS.filter((kind) => !kind.hasNoButton).map(({ id, title, icon, shortcut, shows }, place) => (
        <Button
          key={id}
          onClick={() => toggle(id)}
          aria-expanded={drawer === id}
          title={`${shows} (${shortcut})`}
          className={`px-2.5! max-sm:px-2! not-first:-ml-px not-first:rounded-l-none not-last:rounded-r-none ${drawer === id ? 'bg-hover' : ''}`}
        >
          <Icon name={icon} />
          <span className={`sr-only whitespace-nowrap ${place === 0 ? '@3xl:not-sr-only' : '@7xl:not-sr-only'}`}>
            {title}
          </span>
          {place === 0 ? <Totals facts={facts} /> : null}
        </Button>
      ))}
    </div>
  );
}

function Facts({ facts }: { facts: SessionView }) {
  return (
    <div className="order-1 flex min-h-6 w-full items-center gap-x-3 overflow-hidden text-2xs whitespace-nowrap text-faint">
      <span className="flex min-w-0 items-center gap-1 font-mono">
        <span className="max-w-24 shrink-0 truncate sm:max-w-40 text-soft" title={visible(facts.repository)}>
          {visible(baseName(facts.repository))}
        </span>
        <Icon name="move" className="size-3" />
        <span className="truncate" title={words.header.branchTitle(visible(facts.branch), visible(facts.base))}>
          {visible(facts.branch)}
        </span>
        <CopyButton text={facts.branch} label={words.header.copyBranch} className="-my-1 h-6! px-1!" />
      </span>
      <span className="hidden shrink-0 sm:inline">{visible(facts.agent)}</span>
      <ModelPicker facts={facts} />
      {facts.attempts ? (
        <Link to="/compare/$id" params={{ id: facts.id }} className="shrink-0 text-soft underline underline-offset-4">
          {words.list.attempt(facts.attempts.number, facts.attempts.sessions.length)}
        </Link>
      ) : null}
      {facts.image ? (
        <span className="hidden shrink-0 sm:inline" title={words.header.imageTitle(facts.image.digest)}>
          {words.header.onImage(visible(facts.image.name))}
        </span>
      ) : null}
      <Walls facts={facts} />
    </div>
  );
}

function ModelPicker({ facts }: { facts: SessionView }) {
  const store = useStore();
  const choose = useMutation({
    mutationFn: (model: string) => api.chooseModel(store.id, model),
    onSuccess: (view) => store.adopt(view),
  });
  const name = facts.models.find((model) => model.id === facts.model)?.name ?? facts.model;
  if (facts.models.length === 0) return name ? <span className="truncate">{visible(name)}</span> : null;
  const running = isWorking(facts.phase) || facts.phase === 'starting';
  return (
    <>
      <Menu
        trigger={
          <button
            type="button"
            disabled={running || facts.ended || choose.isPending}
            title={running ? words.header.modelFixed : words.header.chooseModel}
            aria-label={words.header.model(visible(name ?? words.header.defaultModel))}
            className="flex min-w-0 items-center gap-1 rounded px-1 py-0.5 text-soft enabled:hover:bg-hover disabled:opacity-70"
          >
            <span className="truncate">{visible(name ?? words.header.defaultModel)}</span>
            <Icon name="chevron" className="size-3 rotate-90" />
          </button>
        }
      >
        <Suspense fallback={null}>
          <ModelChoices facts={facts} onChoose={(model) => choose.mutate(model)} />
        </Suspense>
      </Menu>
      {choose.error ? (
        <span className="truncate text-bad" role="alert">
          {asApiError(choose.error).message}
        </span>
      ) : null}
    </>
  );
}

function Totals({ facts }: { facts: SessionView }) {
  const last = facts.commits.at(-1);
  if (!last) return null;
  const added = facts.commits.reduce((sum, commit) => sum + commit.insertions, 0);
  const removed = facts.commits.reduce((sum, commit) => sum + commit.deletions, 0);
  return (
    <span className="hidden font-mono text-2xs tabular-nums @md:inline">
      <span className="text-good">+{added}</span> <span className="text-bad">{`\u2212${removed}`}</span>
    </span>
  );
}

function Merge({ facts }: { facts: SessionView }) {
  const store = useStore();
  const [asking, setAsking] = useState(false);
  const merge = useMutation({
    mutationFn: () => api.merge(store.id),
    onSuccess: () => {
      setAsking(false);
      store.refresh();
    },
  });
  const mergedAt = useSession((state) => state.timeline.mergedAt);
  const committedAt = useSession((state) => state.timeline.committedAt);
  // Merged, and nothing committed since.
  if (facts.merged && mergedAt >= committedAt) {
    return (
      <span
        className="flex items-center gap-1.5 rounded-lg bg-good-tint px-2 py-1.5 text-[0.8125rem] text-good"
        title={words.header.mergedAs(facts.merged.commit)}
      >
        <Icon name="merge" />
        <span>{words.header.mergedInto(visible(facts.merged.into))}</span>
        <span className="hidden font-mono text-2xs lg:inline">{shortCommit(facts.merged.commit)}</span>
      </span>
    );
  }
  if (facts.commits.length === 0) return null;
  const running = isWorking(facts.phase);
  return (
    <>
      <Button
        look="primary"
        disabled={running}
        title={running ? words.common.waitForTurn : words.header.mergeInto(facts.base)}
        onClick={() => setAsking(true)}
      >
        <Icon name="merge" />
        {words.header.merge}
      </Button>
      {asking ? (
        <Dialog
          title={words.header.mergeAsk(facts.base)}
          onClose={() => {
            setAsking(false);
            merge.reset();
          }}
        >
          <p className="text-soft">
            <Filled
              sentence={words.header.mergeText(facts.commits.length)}
              parts={{
                branch: <span className="font-mono text-code">{visible(facts.branch)}</span>,
                base: <span className="font-mono text-code">{visible(facts.base)}</span>,
                repository: <span className="font-mono text-code">{visible(facts.repository)}</span>,
              }}
            />
          </p>
          {merge.error ? <ProblemNote error={asApiError(merge.error)} className="mt-3" /> : null}
          <div className="mt-4 flex justify-end gap-2">
            <Button onClick={() => setAsking(false)}>{words.common.cancel}</Button>
            <Button look="primary" disabled={merge.isPending} onClick={() => merge.mutate()}>
              {merge.isPending ? words.header.merging : words.header.merge}
            </Button>
          </div>
        </Dialog>
      ) : null}
    </>
  );
}
