/** One tool call: a quiet line that opens to what went in and what came out. */

import { memo, useId } from 'react';
import type { Json, ToolCall, ToolContent } from '../../api/events';
import { TextChange } from '../../diff/DiffView';
import { CodeBlock } from '../../text/Code';
import { words } from '../../text/english';
import { took } from '../../text/format';
import { Output } from '../../text/Output';
import { oneLine, visible } from '../../text/visible';
import { useNow } from '../../ui/hooks';
import { Icon, type IconName } from '../../ui/icons';
import { titleOf } from '../facts';
import type { ToolItem } from '../items';
import { useFold } from './folds';

const KINDS: Record<string, IconName> = {
  read: 'read',
  edit: 'edit',
  delete: 'trash',
  move: 'move',
  search: 'search',
  execute: 'execute',
  think: 'think',
  fetch: 'fetch',
};

/** For agents that tell no kind: what the names of their tools begin with. */
const NAMES: [RegExp, IconName][] = [
  [/^(write|edit|str_?replace|apply_?patch|create|insert|text_editor)/i, 'edit'],
  [/^(read|view|cat|open)/i, 'read'],
  [/^(shell|bash|run|exec|terminal|command|developer__shell)/i, 'execute'],
  [/^(grep|glob|find|search|rg|ls|list|tree|analyze)/i, 'search'],
  [/^(web|fetch|http|browser)/i, 'fetch'],
  [/^(think|todo|plan)/i, 'think'],
];

function iconOf({ kind, name }: ToolCall): IconName {
  return KINDS[kind ?? ''] ?? NAMES.find(([pattern]) => pattern.test(name ?? ''))?.[1] ?? 'other';
}

export const ToolLine = memo(function ToolLine({ item }: { item: ToolItem }) {
  const [open, toggle] = useFold(item.key);
  const details = useId();
  const { call } = item;
  const title = oneLine(atHome(titleOf(call)));
  const argument = oneLine(atHome(mainArgument(item)));
  const change = changedLines(call.content ?? []);
  return (
    <div>
      <button
        type="button"
        aria-expanded={open}
        aria-controls={details}
        onClick={toggle}
        className="group flex w-full items-center gap-2 rounded-md px-2 py-1 text-left text-[0.8125rem] text-soft hover:bg-hover"
      >
        <Icon name={iconOf(call)} className="size-3.5 text-faint" />
        <bdi className="max-w-[70%] shrink-0 truncate text-ink" title={title}>
          {title}
        </bdi>
        {argument && !title.includes(argument) ? (
          <bdi className="min-w-0 truncate font-mono text-2xs text-faint">{argument}</bdi>
        ) : null}
        <span className="grow" />
        {change ? (
          <span className="shrink-0 font-mono text-2xs tabular-nums">
            <span className="text-good">+{change.added}</span>{' '}
            <span className="text-bad">{`\u2212${change.removed}`}</span>
          </span>
        ) : null}
        <ToolState item={item} />
        <Icon name="chevron" className={`size-3 text-faint transition-transform ${open ? 'rotate-90' : ''}`} />
      </button>
      <div id={details} hidden={!open}>
        {open ? <ToolDetails item={item} /> : null}
      </div>
    </div>
  );
});

function ToolState({ item }: { item: ToolItem }) {
  const running = item.endedAt === null;
  const now = useNow(running ? 1_000 : null);
  const elapsed = (item.endedAt ?? now) - item.at;
  const failed = item.call.status === 'failed';
  const time =
    elapsed >= 1_000 ? <span className="font-mono text-2xs text-faint tabular-nums">{took(elapsed)}</span> : null;
  if (running) {
    return (
      <span className="flex shrink-0 items-center gap-1.5">
        {time}
        <Icon name="spinner" className="turning size-3.5 text-lamp" />
        <span className="sr-only">{words.tool.running}</span>
      </span>
    );
  }
  if (item.interrupted) return <span className="shrink-0 text-2xs text-faint">{words.tool.interrupted}</span>;
  return (
    <span className="flex shrink-0 items-center gap-1.5">
      {time}
      <Icon name={failed ? 'cross' : 'check'} className={`size-3.5 ${failed ? 'text-bad' : 'text-faint'}`} />
      <span className="sr-only">{failed ? words.tool.failed : words.tool.done}</span>
    </span>
  );
}

function ToolDetails({ item }: { item: ToolItem }) {
  const { input, output, printed } = item.call;
  const content = item.call.content ?? [];
  const locations = item.call.locations ?? [];
  const told = content.filter((part) => part.show === 'text').map((part) => part.text);
  const texts = told.length === 0 && printed ? [printed] : told;
  const rest = content.filter((part) => part.show === 'diff' || part.show === 'other');
  // Agents often tell the same output twice, as content and as raw output; the content is meant for people.
  const raw = texts.length === 0 && output !== undefined && output !== null ? asText(output) : '';
  return (
    <div className="mt-1 mb-3 ml-[1.1rem] space-y-2 border-l border-line pl-3">
      {input !== undefined && input !== null ? <ToolInput input={input} /> : null}
      {rest.map((part, place) =>
        part.show === 'diff' ? (
          <TextChange key={place} path={atHome(part.path)} before={part.old ?? null} after={part.new} />
        ) : (
          <Output key={place} text={JSON.stringify(part.raw, null, 2)} label={words.tool.other} />
        ),
      )}
      {texts.map((text, place) => (
        <Output key={place} text={unfence(text)} label={words.tool.output} />
      ))}
      {raw ? <Output text={raw} label={words.tool.output} /> : null}
      {locations.length > 0 ? (
        <p className="font-mono text-2xs text-faint">
          {locations.map(({ path, line }) => visible(atHome(line ? `${path}:${line}` : path))).join('  \u00b7  ')}
        </p>
      ) : null}
      {!hasValue(input) && texts.length + rest.length === 0 && !raw ? (
        <p className="text-[0.8125rem] text-faint">{words.tool.nothing}</p>
      ) : null}
    </div>
  );
}

/** What goes into a call: a command as it is typed, anything else as JSON. */
export function ToolInput({ input }: { input: Json }) {
  const command = commandOf(input);
  if (command !== null) return <CodeBlock code={command} language="bash" />;
  return <CodeBlock code={typeof input === 'string' ? input : JSON.stringify(input, null, 2)} language="json" />;
}

/** Where every sandbox has the repository. */
const WORKSPACE = '/workspace/';

/** Paths of the repository as people know them. */
function atHome(text: string): string {
  return text.replaceAll(WORKSPACE, '');
}

function hasValue(value: Json | undefined): boolean {
  return value !== undefined && value !== null;
}

/** The command line, where running one is all that the input says. */
function commandOf(input: Json): string | null {
  if (input === null || typeof input !== 'object' || Array.isArray(input)) return null;
  const command = input.command ?? input.cmd;
  if (typeof command === 'string') return command;
  if (Array.isArray(command) && command.every((part) => typeof part === 'string')) return command.join(' ');
  return null;
}

/** What tells one call from the next, where the title does not: a command, a path, a pattern. */
function mainArgument({ call }: ToolItem): string {
  const path = call.locations?.[0]?.path;
  if (call.input === undefined || call.input === null || typeof call.input !== 'object' || Array.isArray(call.input)) {
    return path ?? '';
  }
  const { input } = call;
  const told =
    commandOf(input) ?? input.path ?? input.file_path ?? input.filePath ?? input.pattern ?? input.query ?? input.url;
  return typeof told === 'string' ? told : (path ?? '');
}

function changedLines(content: ToolContent[]): { added: number; removed: number } | null {
  const diffs = content.filter((part) => part.show === 'diff');
  if (diffs.length === 0) return null;
  let added = 0;
  let removed = 0;
  for (const part of diffs) {
    // A multiset difference: cheap enough for every line of the timeline, and right but for lines that only moved.
    const counts = new Map<string, number>();
    for (const line of lines(part.old ?? '')) counts.set(line, (counts.get(line) ?? 0) + 1);
    for (const line of lines(part.new)) {
      const left = counts.get(line) ?? 0;
      if (left > 0) counts.set(line, left - 1);
      else added += 1;
    }
    for (const left of counts.values()) removed += left;
  }
  return { added, removed };
}

function lines(text: string): string[] {
  return text === '' ? [] : text.replace(/\n$/, '').split('\n');
}

function asText(output: Json): string {
  if (typeof output === 'string') return output;
  if (output !== null && typeof output === 'object' && !Array.isArray(output)) {
    for (const field of ['output', 'stdout', 'text', 'formatted_output']) {
      const told = output[field];
      if (typeof told === 'string' && told !== '') return told;
    }
  }
  return JSON.stringify(output, null, 2);
}

/** Some agents wrap output into a Markdown fence; it is output all the same. */
function unfence(text: string): string {
  return /^```[\w-]*\n([\s\S]*?)\n?```\s*$/.exec(text)?.[1] ?? text;
}
