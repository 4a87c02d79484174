/**
 * What an agent writes, as Markdown. Raw HTML stays text, images become links (nothing is loaded from elsewhere), and
 * links open elsewhere, without telling where from.
 */
import { gfmFromMarkdown } from 'mdast-util-gfm';
import { gfm } from 'micromark-extension-gfm';
import { type ComponentProps, isValidElement, memo, type ReactNode } from 'react';
import ReactMarkdown from 'react-markdown';
import { CodeBlock } from './Code';
import { words } from './english';
import { visible } from './visible';

/** Longer messages are shown as plain text: parsing them again with each piece would be felt. */
const MARKDOWN_LIMIT = 200_000;

const COMPONENTS: ComponentProps<typeof ReactMarkdown>['components'] = {
  a: ({ href, children }) =>
    href ? (
      <>
        <a href={href} target="_blank" rel="noopener noreferrer nofollow" title={href}>
          {children}
        </a>
        {leadsElsewhere(textOf(children), href) ? (
          <span className="text-2xs text-faint"> {words.code.leadsTo(hostOf(href))}</span>
        ) : null}
      </>
    ) : (
      <span>{children}</span>
    ),
  img: ({ src, alt }) =>
    typeof src === 'string' && src !== '' ? (
      <a href={src} target="_blank" rel="noopener noreferrer nofollow" title={src}>
        {words.code.image(alt || src)}
      </a>
    ) : (
      <span>{alt}</span>
    ),
  pre: ({ children }) => <>{children}</>,
  code: ({ className, children }) => {
    const text = String(children ?? '');
    const language = /language-([\w+#-]+)/.exec(className ?? '')?.[1] ?? null;
    // Blocks end with a newline, code inside a line never has one.
    if (language === null && !text.endsWith('\n')) return <code>{text}</code>;
    return <CodeBlock code={text.replace(/\n$/, '')} language={language?.toLowerCase() ?? null} />;
  },
};

/** GitHub's Markdown, as `remark-gfm` reads it. That one also brings what writes it, which nobody here does. */
function readGfm(this: { data: (set: object) => unknown }): void {
  this.data({ micromarkExtensions: [gfm()], fromMarkdownExtensions: [gfmFromMarkdown()] });
}

/** Whether a link that reads like an address leads to another host than it says. */
export function leadsElsewhere(said: string, href: string): boolean {
  const told = /^(?:https?:\/\/)?(?:[^\s/@]*@)?((?:[\p{L}\p{N}-]+\.)+\p{L}{2,})(?:[:/?#]|$)/iu.exec(said.trim())?.[1];
  const host = hostOf(href);
  return told !== undefined && host !== '' && told.toLowerCase().replace(/^www\./, '') !== host.replace(/^www\./, '');
}

function hostOf(href: string): string {
  try {
    return new URL(href).hostname;
  } catch {
    return '';
  }
}

function textOf(node: ReactNode): string {
  if (typeof node === 'string' || typeof node === 'number') return String(node);
  if (Array.isArray(node)) return node.map(textOf).join('');
  return isValidElement<{ children?: ReactNode }>(node) ? textOf(node.props.children) : '';
}

export const Markdown = memo(function Markdown({ text }: { text: string }) {
  const shown = visible(text);
  if (shown.length > MARKDOWN_LIMIT) return <div className="prose whitespace-pre-wrap">{shown}</div>;
  return (
    <div className="prose">
      <ReactMarkdown remarkPlugins={[readGfm]} components={COMPONENTS}>
        {shown}
      </ReactMarkdown>
    </div>
  );
});
