import { createElement } from 'react';
import { renderToStaticMarkup } from 'react-dom/server';
import { expect, test } from 'vitest';
import { parseAnsi } from './ansi';
import { ago, baseName, count, duration, size, took } from './format';
import { load } from './languages';
import { leadsElsewhere, Markdown } from './Markdown';
import { oneLine, visible, visibleName } from './visible';

const flat = (text: string) =>
  parseAnsi(text).map(
    ({ text: part, color, bold }) => `${part}${color === null ? '' : `/${color}`}${bold ? '/b' : ''}`,
  );

test.each([
  ['plain', ['plain']],
  ['\u001b[31mred\u001b[0m not', ['red/1', ' not']],
  ['\u001b[1;32mok\u001b[22m still\u001b[m', ['ok/2/b', ' still/2']],
  ['\u001b[91mbright\u001b[39m', ['bright/9']],
  ['\u001b[38;5;4mfour\u001b[38;2;1;2;3mrgb\u001b[48;5;1mground', ['four/4', 'rgb', 'ground']],
  ['\u001b]0;a title\u0007\u001b[2J\u001b[Hhere', ['here']],
  ['\u001b]8;;javascript:alert(1)\u001b\\link\u001b]8;;\u001b\\', ['link']],
  ['10%\r50%\r100%\ndone\r\n', ['100%\ndone\n']],
  ['cut off \u001b[3', ['cut off ']],
  ['\u001b]never ends', []],
])('terminal output %j', (text, runs) => {
  expect(flat(text)).toEqual(runs);
});

test('characters that deceive are seen', () => {
  expect(visible('evil\u202Egnp.exe')).toBe('evil\u27e8U+202E\u27e9gnp.exe');
  expect(visible('a\u200bb\u0000')).toBe('a\u27e8U+200B\u27e9b\u27e8U+0000\u27e9');
  expect(visible('one\n\ttwo\r\nüñ→🙂')).toBe('one\n\ttwo\nüñ→🙂');
  expect(visibleName('a\nb\tc\u202Ed')).toBe('a\u27e8newline\u27e9b\u27e8tab\u27e9c\u27e8U+202E\u27e9d');
  expect(oneLine('  one\n two\t three ')).toBe('one two three');
});

test('numbers as people read them', () => {
  expect([0, 59_999, 61_000, 3_725_000].map(duration)).toEqual(['0 s', '59 s', '1:01', '1:02:05']);
  expect([12, 640, 9_940, 65_000].map(took)).toEqual(['12 ms', '0.6 s', '9.9 s', '1:05']);
  expect([0, 999, 1_000, 1_250, 12_345, 999_499, 999_500, 2_500_000].map(count)).toEqual([
    '0',
    '999',
    '1k',
    '1.3k',
    '12k',
    '999k',
    '1M',
    '2.5M',
  ]);
  const now = Date.parse('2026-01-02T00:00:00Z');
  expect(['2026-01-01T23:59:30Z', '2026-01-01T23:00:00Z', '2026-01-01T00:00:00Z'].map((at) => ago(at, now))).toEqual([
    'now',
    '1 h',
    '1 d',
  ]);
  expect(['/a/b/', '/', 'x'].map(baseName)).toEqual(['b', '/', 'x']);
});

test.each([
  [0, '0 bytes'],
  [1023, '1023 bytes'],
  [1024, '1 KiB'],
  [1536 << 20, '1.5 GiB'],
  [2 ** 32, '4 GiB'],
])('%s bytes are %s', (bytes, text) => {
  expect(size(bytes)).toBe(text);
});

test.each([
  ['https://github.com/login', 'https://evil.example/login', true],
  ['github.com', 'https://evil.example', true],
  ['github.com', 'https://www.github.com/x', false],
  ['https://user@github.com/', 'https://github.com/', false],
  ['the documentation', 'https://evil.example', false],
  ['main.rs', 'https://code.example/main.rs', true],
  ['readme', 'docs/readme.md', false],
])('whether %s leads to where it says: %s', (said, href, elsewhere) => {
  expect(leadsElsewhere(said, href)).toBe(elsewhere);
});

test.each([
  ['| a | b |\n|---|--:|\n| 1 | 2 |', '<table><thead><tr><th>a</th><th style="text-align:right">b</th></tr></thead>'],
  ['~~gone~~', '<del>gone</del>'],
  ['- [x] done', '<input type="checkbox" disabled="" checked=""/> done'],
  ['See https://example.com.', 'href="https://example.com"'],
  ['Said[^1].\n\n[^1]: There.', '<section data-footnotes="true" class="footnotes">'],
  ['**bold** <b>text</b>', '<strong>bold</strong> &lt;b&gt;text&lt;/b&gt;'],
])('Markdown as GitHub reads it: %j', (text, html) => {
  expect(renderToStaticMarkup(createElement(Markdown, { text }))).toContain(html);
});

const lit = async (language: string, code: string) => {
  const nodes = (await load(language))?.(code) ?? [];
  return nodes.flatMap((node) => (node.type === 'element' ? [node.properties.className] : []));
};

test.each([
  ['rust', 'fn'],
  ['RS', 'fn'],
  ['ts', 'const'],
  ['yml', '- true'],
])('code in %s is lit', async (language, code) => {
  expect(await lit(language, code)).not.toEqual([]);
});

test.each(['brainfuck', '', 'constructor', '__proto__'])('code in %j stays plain', async (language) => {
  expect(await load(language)).toBeNull();
});
