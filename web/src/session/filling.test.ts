import { describe, expect, test } from 'vitest';
import type { Question, QuestionField } from '../api/events';
import { inWords } from './answered';
import { asButtons, atFirst, contentOf, restored } from './filling';

const CHOICES = [
  { value: 's', title: 'Stable' },
  { value: 'b', title: 'Beta' },
];
const choice: QuestionField = { name: 'channel', takes: { kind: 'choice', choices: CHOICES } };
const note: QuestionField = { name: 'note', takes: { kind: 'text' } };

function question(...fields: QuestionField[]): Question {
  return { message: 'Which?', fields };
}

const EVERYTHING = question(
  { ...choice, takes: { kind: 'choice', choices: CHOICES, default: 'b' } },
  { name: 'some', takes: { kind: 'choices', choices: CHOICES, default: ['s'] } },
  { name: 'keep', title: 'Kept', takes: { kind: 'integer', default: 3 } },
  { name: 'share', takes: { kind: 'number' } },
  { name: 'sign', takes: { kind: 'yes_no' } },
  note,
);

describe('a form', () => {
  test('begins with what the agent proposes', () => {
    expect(atFirst(EVERYTHING)).toEqual({ channel: 'b', some: ['s'], keep: '3', share: '', sign: false, note: '' });
  });

  test('sends what was filled in, as what it is', () => {
    const filled = { channel: 's', some: ['b', 's'], keep: '4', share: '1.5', sign: true, note: 'now' };
    expect(contentOf(EVERYTHING, filled)).toEqual({ ...filled, keep: 4, share: 1.5 });
  });

  test('sends nothing of what was left empty', () => {
    const filled = { channel: '', some: [], keep: '', share: '', sign: false, note: '' };
    expect(contentOf(EVERYTHING, filled)).toEqual({ sign: false });
    const required = question({ name: 'some', required: true, takes: { kind: 'choices', choices: CHOICES } });
    expect(contentOf(required, { some: [] })).toEqual({ some: [] });
  });

  test('leaves it to the server to say what is wrong', () => {
    expect(contentOf(EVERYTHING, { ...atFirst(EVERYTHING), keep: 'four' })).toMatchObject({ keep: 'four' });
  });

  test('comes back as it was, but for what is of another question', () => {
    const filled = { ...atFirst(EVERYTHING), channel: 's', some: ['b'], sign: true };
    expect(restored(EVERYTHING, JSON.stringify(filled))).toEqual(filled);
    for (const kept of ['', 'null', '7', '{"channel":1,"some":"s","sign":"yes","other":2}', '{"some":[1]}']) {
      expect(restored(EVERYTHING, kept)).toEqual(atFirst(EVERYTHING));
    }
  });

  test('has fields of any name', () => {
    const strange = question({ ...note, name: '__proto__' }, { ...note, name: 'constructor' });
    const filled = restored(strange, JSON.stringify(atFirst(strange)));
    expect(Object.keys(filled)).toEqual(['__proto__', 'constructor']);
    expect(JSON.stringify(contentOf(strange, { ...filled, constructor: 'a' }))).toBe('{"constructor":"a"}');
  });
});

test('one choice, with at most optional texts, is buttons', () => {
  expect(asButtons(question(choice))).toEqual({ choice, texts: [] });
  expect(asButtons(question(choice, note))).toEqual({ choice, texts: [note] });
  expect(asButtons(question(choice, { ...note, required: true }))).toBe(null);
  expect(asButtons(question(choice, { ...choice, name: 'another' }))).toBe(null);
  expect(asButtons(question(choice, { name: 'sign', takes: { kind: 'yes_no' } }))).toBe(null);
  expect(asButtons(question(note))).toBe(null);
  expect(asButtons(question())).toBe(null);
  const many = Array.from({ length: 9 }, (_, n) => ({ value: `${n}`, title: `${n}` }));
  expect(asButtons(question({ ...choice, takes: { kind: 'choice', choices: many } }))).toBe(null);
});

test('an answer is told by the titles of what was chosen', () => {
  const content = { channel: 's', some: ['b', 'gone'], keep: 4, sign: false, note: 'now' };
  expect(inWords(EVERYTHING, content)).toBe('Stable · Beta, gone · Kept: 4 · sign: false · now');
  expect(inWords(EVERYTHING, {})).toBe('');
});
