/** Words that people read are found wherever they are written in a source, by the compiler's own reading of it. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the examples are sources
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import ts from 'typescript';
import { expect, test } from 'vitest';

/** Attributes and fields that people read or hear, those of our own components among them. */
const SHOWN = new Set([
  'title',
  'aria-label',
  'aria-description',
  'placeholder',
  'alt',
  'label',
  'hint',
  'shows',
  'does',
]);
const SOURCES = join(import.meta.dirname, '..');
/** Where words live, and what is generated. */
const EXEMPT = /(^|\/)text\/(english|automations|compare|family)\.ts$|\.test\.tsx?$|(^|\/)api\/openapi\.ts$/;
const LETTERS = /\p{L}{2}/u;
/** Two words with a space between them, the first of them as a sentence or a label begins. */
const SENTENCE = /^\s*\p{Lu}[\p{L}’'`]*,? [\p{L}`]/u;

test('every word that the page shows is in english.ts', () => {
  const found = sources(SOURCES).flatMap((file) => literals(file, readFileSync(join(SOURCES, file), 'utf8')));
  expect(found).toEqual([]);
});

test.each([
  ['text', '<p>Nothing yet</p>'],
  ['a choice', '<p>{some ? "Stop" : other}</p>'],
  ['a template', '<p>{`${some} files`}</p>'],
  ['a title', '<p title="Stop" />'],
  ['a chosen label', '<p aria-label={some ? `Stop ${some}` : undefined} />'],
  ['a field', 'const some = { title: "Stop" }'],
  ['a sentence elsewhere', 'const some = fail("Something went wrong")'],
])('a word left in a component is found: %s', (_, code) => {
  expect(literals('x.tsx', code)).toHaveLength(1);
});

test.each([
  ['a class', '<p className="flex grow" />'],
  ['punctuation', '<p>, · {some}</p>'],
  ['a comparison', '<p>{some === "ended" && <b />}</p>'],
  ['a command', '<code>git diff {some}</code>'],
  ['a property', '<p>{words["list"].some}</p>'],
])('what nobody reads is left alone: %s', (_, code) => {
  expect(literals('x.tsx', code)).toEqual([]);
});

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => relative(folder, join(folder, name)).replaceAll('\\', '/'))
    .filter((name) => /\.tsx?$/.test(name) && !EXEMPT.test(name));
}

/** The literals of a source that somebody will read, each with its place. */
function literals(file: string, code: string): string[] {
  const source = ts.createSourceFile(file, code, ts.ScriptTarget.Latest, true, ts.ScriptKind.TSX);
  const found: string[] = [];
  const say = (node: ts.Node, text: string) => {
    const { line } = source.getLineAndCharacterOfPosition(node.getStart());
    found.push(`${file}:${line + 1} ${text.trim()}`);
  };
  const visit = (node: ts.Node) => {
    const text = literal(node);
    if (ts.isJsxText(node)) {
      if (LETTERS.test(node.text) && !isCode(node.parent)) say(node, node.text);
    } else if (text !== null && !ts.isLiteralTypeNode(node.parent)) {
      if (LETTERS.test(text) && isShown(node)) say(node, text);
      else if (SENTENCE.test(text)) say(node, text);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** The words of a string or template, without what is put into it. */
function literal(node: ts.Node): string | null {
  if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) return node.text;
  if (ts.isTemplateExpression(node))
    return [node.head, ...node.templateSpans.map((span) => span.literal)].map((part) => part.text).join('…');
  return null;
}

/** Whether the value of an expression becomes text of the page: directly, or as one side of a choice. */
function isShown(node: ts.Node): boolean {
  const { parent } = node;
  if (ts.isParenthesizedExpression(parent)) return isShown(parent);
  if (ts.isConditionalExpression(parent)) return parent.condition !== node && isShown(parent);
  if (ts.isBinaryExpression(parent)) {
    const passes = [
      ts.SyntaxKind.AmpersandAmpersandToken,
      ts.SyntaxKind.BarBarToken,
      ts.SyntaxKind.QuestionQuestionToken,
      ts.SyntaxKind.PlusToken,
    ];
    return passes.includes(parent.operatorToken.kind) && isShown(parent);
  }
  if (ts.isTemplateSpan(parent)) return isShown(parent.parent);
  if (ts.isJsxExpression(parent)) return isJsxContent(parent) || isShown(parent);
  if (ts.isPropertyAssignment(parent)) return parent.initializer === node && SHOWN.has(parent.name.getText());
  if (ts.isJsxAttribute(parent)) return SHOWN.has(parent.name.getText());
  return false;
}

/** Commands are the same in every language. */
function isCode(node: ts.Node): boolean {
  return ts.isJsxElement(node) && node.openingElement.tagName.getText() === 'code';
}

function isJsxContent(node: ts.JsxExpression): boolean {
  return ts.isJsxElement(node.parent) || ts.isJsxFragment(node.parent);
}
