/**
 * What is being filled into a question of the agent's, and what of it is sent. The server holds it against the question; here it
 * is only kept in the form that inputs have it in.
 */
import type { FieldValue, Question, QuestionField } from '../api/events';
import { choicesOf } from './answered';

/** By the names of the fields: what was typed or chosen, whether it was ticked, or all that was ticked. */
export type Filled = Readonly<Record<string, string | boolean | readonly string[]>>;

/** Choices that are buttons; with more of them a list is easier to read. */
const BUTTONS = 8;

export function atFirst(question: Question): Filled {
  return Object.fromEntries(question.fields.map((field) => [field.name, initial(field)]));
}

function initial({ takes }: QuestionField): Filled[string] {
  switch (takes.kind) {
    case 'text':
    case 'choice':
      return takes.default ?? '';
    case 'number':
    case 'integer':
      return takes.default?.toString() ?? '';
    case 'yes_no':
      return takes.default ?? false;
    case 'choices':
      return takes.default ?? [];
  }
}

/** What was kept of it in a form, as far as it is for this question. */
export function restored(question: Question, kept: string): Filled {
  const first = atFirst(question);
  const before = new Map(Object.entries(parsed(kept)));
  const filled = Object.entries(first).map(([name, value]) => {
    const other = before.get(name);
    return [name, isLike(value, other) ? other : value] as const;
  });
  return Object.fromEntries(filled);
}

function parsed(kept: string): object {
  try {
    const value: unknown = JSON.parse(kept);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}

function isLike(value: Filled[string], other: unknown): other is Filled[string] {
  if (typeof value !== 'object') return typeof other === typeof value;
  return Array.isArray(other) && other.every((one) => typeof one === 'string');
}

/** What is sent: nothing of fields that were left empty. */
export function contentOf(question: Question, filled: Filled): Record<string, FieldValue> {
  const given = question.fields.flatMap((field) => {
    const value = valueFor(field, filled[field.name]);
    return value === undefined ? [] : [[field.name, value] as const];
  });
  return Object.fromEntries(given);
}

function valueFor({ takes, required }: QuestionField, filled: Filled[string] | undefined): FieldValue | undefined {
  if (filled === undefined || filled === '') return undefined;
  switch (takes.kind) {
    case 'number':
    case 'integer': {
      // What is no number is sent as it is, so that the server says what is wrong with it.
      const number = Number(filled);
      return Number.isFinite(number) ? number : String(filled);
    }
    case 'text':
    case 'choice':
      return String(filled);
    case 'yes_no':
      return filled === true;
    case 'choices':
      return typeof filled === 'object' && (filled.length > 0 || required) ? [...filled] : undefined;
  }
}

/** The question as buttons: one choice, and beside it at most texts that may stay empty. Null where it takes a form. */
export function asButtons(question: Question): { choice: QuestionField; texts: QuestionField[] } | null {
  const [choice, ...more] = question.fields.filter(({ takes }) => takes.kind === 'choice');
  const texts = question.fields.filter((field) => field !== choice);
  if (!choice || more.length > 0) return null;
  if (choicesOf(choice).length > BUTTONS) return null;
  return texts.every(({ takes, required }) => takes.kind === 'text' && !required) ? { choice, texts } : null;
}
