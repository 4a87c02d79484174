/** A block of code: highlighted where the language is known, copied with one click, never turned into HTML. */

import type { RootContent } from 'hast';
import { Fragment, memo, type ReactNode, useEffect, useState } from 'react';
import { Button } from '../ui/button';
import { Icon } from '../ui/icons';
import { words } from './english';
import type { Highlight } from './languages';
import { visible } from './visible';

/** Longer code is shown plain: highlighting it would be felt. */
const HIGHLIGHT_LIMIT = 50_000;

/** What highlights a language, null where nothing does. */
const loaded = new Map<string, Highlight | null>();
const loading = new Map<string, Promise<unknown>>();

/** Once for all that show the language; when it cannot be had, whoever shows it next tries again. */
function load(language: string): Promise<unknown> {
  const under = loading.get(language);
  if (under) return under;
  const begun = import('./languages')
    .then((module) => module.load(language))
    .then((highlight) => loaded.set(language, highlight))
    .catch(() => loading.delete(language));
  loading.set(language, begun);
  return begun;
}

/** The highlighter of a language once it is there. Both come in files of their own, on first use. */
export function useHighlight(language: string | null): Highlight | null {
  const [, setCame] = useState<string | null>(null);
  useEffect(() => {
    if (language === null) return;
    let here = true;
    void load(language).then(() => {
      if (here) setCame(language);
    });
    return () => {
      here = false;
    };
  }, [language]);
  return language === null ? null : (loaded.get(language) ?? null);
}

export const CodeBlock = memo(function CodeBlock({ code, language }: { code: string; language: string | null }) {
  const highlight = useHighlight(code.length < HIGHLIGHT_LIMIT ? language : null);
  const tree = highlight?.(visible(code));
  return (
    <div className="group/code relative rounded-lg border border-line bg-sunken">
      <pre className="overflow-x-auto px-3 py-2.5 font-mono text-code" tabIndex={0}>
        <code>{tree ? spans(tree) : visible(code)}</code>
      </pre>
      <CopyButton
        text={code}
        className="absolute top-1 right-1 bg-sunken opacity-0 group-focus-within/code:opacity-100 group-hover/code:opacity-100"
      />
    </div>
  );
});

/** A highlighter's tree as elements. Only text and classes of spans are taken over. */
export function spans(nodes: RootContent[]): ReactNode {
  return nodes.map((node, place) => {
    if (node.type === 'text') return <Fragment key={place}>{node.value}</Fragment>;
    if (node.type !== 'element') return null;
    const names = node.properties.className;
    return (
      <span key={place} className={Array.isArray(names) ? names.join(' ') : ''}>
        {spans(node.children)}
      </span>
    );
  });
}

/** How long the tick stays after copying. */
const COPIED_MS = 1_500;

export function CopyButton({
  text,
  label = words.code.copy,
  className = '',
}: {
  text: string;
  label?: string;
  className?: string;
}) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), COPIED_MS);
    return () => clearTimeout(timer);
  }, [copied]);
  // Pages over plain HTTP on a LAN have no clipboard.
  if (!globalThis.navigator?.clipboard) return null;
  const copy = () => void navigator.clipboard.writeText(text).then(() => setCopied(true));
  return (
    <Button
      look="quiet"
      size="small"
      className={className}
      onClick={copy}
      aria-label={copied ? words.code.copied : label}
      title={label}
    >
      <Icon name={copied ? 'check' : 'copy'} className={`size-3.5 ${copied ? 'text-good' : ''}`} />
    </Button>
  );
}

/** The language of a file, by its name, as the highlighter calls it. */
export function languageOf(path: string): string | null {
  const name = path.split('/').at(-1)?.toLowerCase() ?? '';
  if (name === 'dockerfile' || name === 'makefile') return 'bash';
  const extension = name.includes('.') ? (name.split('.').at(-1) ?? '') : '';
  const known: Record<string, string> = {
    h: 'c',
    hpp: 'cpp',
    cc: 'cpp',
    htm: 'xml',
    html: 'xml',
    svg: 'xml',
    svelte: 'xml',
    vue: 'xml',
    scss: 'css',
    zsh: 'bash',
    lock: 'ini',
    cfg: 'ini',
    kt: 'java',
  };
  return known[extension] ?? (extension || null);
}
