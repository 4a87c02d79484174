/** How each kind of item looks. */
import { memo, useId } from 'react';
import { ShownFiles } from '../../attach/Shown';
import { words } from '../../text/english';
import { clock, exactTime, shortCommit, took } from '../../text/format';
import { Markdown } from '../../text/Markdown';
import { Output } from '../../text/Output';
import { oneLine, visible } from '../../text/visible';
import { Button } from '../../ui/button';
import { Icon } from '../../ui/icons';
import { outcomeWords, turnAdvice } from '../advice';
import type {
  CommitItem,
  EndingItem,
  Item,
  LogItem,
  MergedItem,
  PlanItem,
  PromptItem,
  SetupItem,
  ThoughtItem,
} from '../items';
import type { Actions } from './actions';
import { Card, GuardNote, LookInside, SendAgain, Trouble } from './Cards';
import { useFold } from './folds';
import { KeptLine } from './KeptLine';
import { Permission } from './Permission';
import { Question } from './Question';
import { ToolLine } from './ToolLine';

export const ItemView = memo(function ItemView({ item, actions }: { item: Item; actions: Actions }) {
  switch (item.kind) {
    case 'prompt':
      return <Prompt item={item} />;
    case 'message':
      return <Markdown text={item.text} />;
    case 'thought':
      return <Thought item={item} />;
    case 'tool':
      return <ToolLine item={item} />;
    case 'plan':
      return <Plan item={item} />;
    case 'permission':
      return <Permission item={item} />;
    case 'question':
      return <Question item={item} />;
    case 'setup':
      return <Setup item={item} />;
    case 'trouble':
      return <Trouble item={item} actions={actions} />;
    case 'guard':
      return <GuardNote item={item} actions={actions} />;
    case 'ending':
      return <Ending item={item} actions={actions} />;
    case 'commit':
      return <CommitLine item={item} actions={actions} />;
    case 'kept':
      return <KeptLine item={item} />;
    case 'merged':
      return <MergedLine item={item} />;
    case 'note':
      return <p className="px-2 py-0.5 text-[0.8125rem] text-faint">{visible(item.text)}</p>;
    case 'log':
      return <AgentLog item={item} />;
  }
});

function Prompt({ item }: { item: PromptItem }) {
  return (
    <div className="mt-2 rounded-xl border border-lamp-fill/25 bg-lamp-tint px-4 py-3">
      <p className="mb-1 flex items-baseline gap-2 text-2xs text-soft">
        <span className="font-medium">{visible(item.by ?? words.items.prompt)}</span>
        <time dateTime={new Date(item.at).toISOString()} title={exactTime(item.at)}>
          {clock(item.at)}
        </time>
        {item.state === 'removed' ? <span>{words.items.removed}</span> : null}
      </p>
      {item.text === null ? (
        <p className="text-faint">{words.items.promptEarlier}</p>
      ) : (
        <p
          className={`text-[0.9375rem] whitespace-pre-wrap ${item.state === 'removed' ? 'text-faint line-through' : ''}`}
        >
          {visible(item.text)}
        </p>
      )}
      <ShownFiles files={item.files} />
    </div>
  );
}

function Thought({ item }: { item: ThoughtItem }) {
  const lasted = item.until - item.at;
  return (
    <Folded
      name={item.key}
      icon="think"
      label={lasted >= 1_000 ? words.items.thoughtFor(took(lasted)) : words.items.thought}
      hint={oneLine(item.text.slice(0, 200))}
    >
      <div className="text-soft [&_.prose]:text-[0.84375rem]">
        <Markdown text={item.text} />
      </div>
    </Folded>
  );
}

function AgentLog({ item }: { item: LogItem }) {
  return (
    <Folded
      name={item.key}
      icon="list"
      label={words.items.agentLogOf(item.lines)}
      hint={oneLine(item.text.slice(-160))}
    >
      <Output text={item.text} label={words.items.agentLog} />
    </Folded>
  );
}

/** A line like a tool call's that opens. */
function Folded({
  name,
  icon,
  label,
  hint,
  children,
}: {
  /** The item's key. */
  name: string;
  icon: 'think' | 'list' | 'box';
  label: string;
  hint: string;
  children: React.ReactNode;
}) {
  const [open, toggle] = useFold(name);
  const details = useId();
  return (
    <div>
      <button
        type="button"
        aria-expanded={open}
        aria-controls={details}
        onClick={toggle}
        className="flex w-full items-center gap-2 rounded-md px-2 py-1 text-left text-[0.8125rem] text-faint hover:bg-hover"
      >
        <Icon name={icon} className="size-3.5" />
        <span className="shrink-0">{label}</span>
        {open ? <span className="grow" /> : <span className="min-w-0 grow truncate">{hint}</span>}
        <Icon name="chevron" className={`size-3 transition-transform ${open ? 'rotate-90' : ''}`} />
      </button>
      <div id={details} hidden={!open} className="mt-1 mb-3 ml-[1.1rem] border-l border-line pl-3">
        {open ? children : null}
      </div>
    </div>
  );
}

const PLAN_MARKS = {
  pending: { icon: null, text: 'text-soft' },
  in_progress: { icon: 'chevron', text: 'text-ink font-medium' },
  completed: { icon: 'check', text: 'text-faint' },
} as const;

function Plan({ item }: { item: PlanItem }) {
  const done = item.entries.filter((entry) => entry.status === 'completed').length;
  return (
    <section className="my-1 rounded-lg border border-line bg-raised px-3 py-2" aria-label={words.items.plan}>
      <p className="mb-1 text-2xs font-medium text-faint">{words.items.planOf(done, item.entries.length)}</p>
      <ul className="space-y-0.5 text-[0.8125rem]">
        {item.entries.map((entry, place) => {
          const mark = PLAN_MARKS[entry.status];
          return (
            <li key={place} className={`flex items-start gap-2 ${mark.text}`}>
              <span
                className={`mt-[3px] grid size-3.5 shrink-0 place-items-center rounded-[4px] border ${entry.status === 'completed' ? 'border-transparent bg-good-tint text-good' : entry.status === 'in_progress' ? 'border-lamp-fill text-lamp' : 'border-line-strong'}`}
              >
                {mark.icon ? <Icon name={mark.icon} className="size-3" /> : null}
              </span>
              <span>
                {visible(entry.text)} <span className="sr-only">({words.items.planMarks[entry.status]})</span>
              </span>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

function Setup({ item }: { item: SetupItem }) {
  const first = item.steps[0];
  const last = item.steps.at(-1);
  if (!first || !last) return null;
  const withSandbox = first.name === 'sandbox_requested';
  const again = item.attempt > 1 ? words.items.attempt(item.attempt) : '';
  if (item.readyAt === null && item.failure === null) {
    return (
      <p className="flex items-center gap-2 px-2 py-1 text-[0.8125rem] text-soft">
        <Icon name="spinner" className="turning size-3.5 text-lamp" />
        {words.items.steps[last.name]}
        {again}
      </p>
    );
  }
  const until = item.readyAt ?? last.at;
  const label =
    item.failure === null ? (withSandbox ? words.items.bothReady : words.items.agentReady) : words.items.givenUp;
  return (
    <Folded name={item.key} icon="box" label={words.items.readyIn(label, took(until - first.at), again)} hint="">
      <ol className="grid grid-cols-[auto_1fr] gap-x-3 text-[0.8125rem] text-soft">
        {[...item.steps, ...(item.readyAt === null ? [] : [{ name: 'ready' as const, at: item.readyAt }])].map(
          (step) => (
            <li key={`${step.name}${step.at}`} className="contents">
              <span className="text-right font-mono text-2xs leading-5 text-faint tabular-nums">
                +{took(step.at - first.at)}
              </span>
              <span>{step.name === 'ready' ? words.items.ready : words.items.steps[step.name]}</span>
            </li>
          ),
        )}
      </ol>
    </Folded>
  );
}

function Ending({ item, actions }: { item: EndingItem; actions: Actions }) {
  const said = [
    words.items.turnOver(item.turn, outcomeWords(item.outcome)),
    ...(item.steps ? [words.status.steps(item.steps)] : []),
    ...(item.startedAt === null ? [] : [took(item.at - item.startedAt)]),
  ].map(visible);
  return (
    <div>
      {item.outcome.how === 'failed' ? (
        <Card
          tone="bad"
          title={words.items.turnFailed(item.turn)}
          detail={item.outcome.failure.message}
          advice={turnAdvice(item.outcome.failure)}
        >
          {item.outcome.failure.class === 'fatal' ? null : (
            <>
              <SendAgain turn={item.turn} />
              <Button size="small" onClick={actions.followUp}>
                {words.items.followUp}
              </Button>
            </>
          )}
          <LookInside actions={actions} />
        </Card>
      ) : null}
      <p className="flex items-center gap-3 py-1 text-2xs text-faint">
        <span className="h-px grow bg-line" />
        {said.join(' \u00b7 ')}
        <span className="h-px grow bg-line" />
      </p>
    </div>
  );
}

function CommitLine({ item, actions }: { item: CommitItem; actions: Actions }) {
  const { commit } = item;
  if (commit === null) {
    return <p className="flex items-center gap-2 px-2 py-0.5 text-[0.8125rem] text-faint">{words.items.noCommit}</p>;
  }
  return (
    <button
      type="button"
      onClick={() => actions.showTurn(item.turn)}
      className="flex w-full items-center gap-2.5 rounded-lg border border-line bg-raised px-3 py-2 text-left text-[0.8125rem] hover:border-line-strong hover:bg-hover"
    >
      <Icon name="commit" className="text-good" />
      <span>
        {words.items.committed(commit.files)}{' '}
        <span className="font-mono text-2xs text-faint">{shortCommit(commit.id)}</span>
      </span>
      <span className="grow" />
      <span className="font-mono text-2xs tabular-nums">
        <span className="text-good">+{commit.insertions}</span>{' '}
        <span className="text-bad">{`\u2212${commit.deletions}`}</span>
      </span>
      <span className="text-2xs whitespace-nowrap text-faint">{words.items.review}</span>
      <Icon name="chevron" className="size-3 text-faint" />
    </button>
  );
}

function MergedLine({ item }: { item: MergedItem }) {
  return (
    <p className="flex items-center gap-2.5 rounded-lg border border-good/30 bg-good-tint px-3 py-2 text-[0.8125rem]">
      <Icon name="merge" className="text-good" />
      <span>
        {words.items.mergedInto(visible(item.by))} <span className="font-mono text-code">{visible(item.into)}</span>{' '}
        <span className="font-mono text-2xs text-soft">{shortCommit(item.commit)}</span>
      </span>
    </p>
  );
}
