/** Highlighting, loaded when the first code is shown, and each language when some of it is. Eighteen rather than two hundred: the rest stays plain. */

import type { RootContent } from 'hast';
import type { LanguageFn } from 'highlight.js';
import { createLowlight } from 'lowlight';

export type Highlight = (code: string) => RootContent[];

const lowlight = createLowlight();

const grammars: Record<string, () => Promise<{ default: LanguageFn }>> = {
  bash: () => import('highlight.js/lib/languages/bash'),
  c: () => import('highlight.js/lib/languages/c'),
  cpp: () => import('highlight.js/lib/languages/cpp'),
  css: () => import('highlight.js/lib/languages/css'),
  go: () => import('highlight.js/lib/languages/go'),
  ini: () => import('highlight.js/lib/languages/ini'),
  java: () => import('highlight.js/lib/languages/java'),
  javascript: () => import('highlight.js/lib/languages/javascript'),
  json: () => import('highlight.js/lib/languages/json'),
  markdown: () => import('highlight.js/lib/languages/markdown'),
  php: () => import('highlight.js/lib/languages/php'),
  python: () => import('highlight.js/lib/languages/python'),
  ruby: () => import('highlight.js/lib/languages/ruby'),
  rust: () => import('highlight.js/lib/languages/rust'),
  sql: () => import('highlight.js/lib/languages/sql'),
  typescript: () => import('highlight.js/lib/languages/typescript'),
  xml: () => import('highlight.js/lib/languages/xml'),
  yaml: () => import('highlight.js/lib/languages/yaml'),
};

/** What people and agents also call them. A grammar knows its other names only once it is loaded. */
const names: Record<string, string> = {
  ...{ sh: 'bash', zsh: 'bash', shell: 'bash', console: 'bash' },
  ...{ h: 'c', cc: 'cpp', cxx: 'cpp', 'c++': 'cpp', hh: 'cpp', hpp: 'cpp', hxx: 'cpp', golang: 'go' },
  ...{ toml: 'ini', jsp: 'java', json5: 'json', jsonc: 'json', md: 'markdown', yml: 'yaml' },
  ...{ js: 'javascript', jsx: 'javascript', mjs: 'javascript', cjs: 'javascript' },
  ...{ ts: 'typescript', tsx: 'typescript', mts: 'typescript', cts: 'typescript' },
  ...{ py: 'python', gyp: 'python', ipython: 'python', rb: 'ruby', gemspec: 'ruby', irb: 'ruby', rs: 'rust' },
  ...{ html: 'xml', xhtml: 'xml', svg: 'xml', rss: 'xml', atom: 'xml', xsd: 'xml', xsl: 'xml', plist: 'xml' },
};

/** What makes a tree of spans of code in this language; null where it is unknown. */
export async function load(language: string): Promise<Highlight | null> {
  const called = language.toLowerCase();
  const name = Object.hasOwn(names, called) ? (names[called] ?? called) : called;
  const grammar = Object.hasOwn(grammars, name) ? grammars[name] : undefined;
  if (!grammar) return null;
  lowlight.register(name, (await grammar()).default);
  return (code) => lowlight.highlight(name, code).children;
}
