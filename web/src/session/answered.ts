/** An answer to a question of the agent's, as people read it. */
import type { FieldValue, Question, QuestionField } from '../api/events';

export function choicesOf({ takes }: QuestionField) {
  return takes.kind === 'choice' || takes.kind === 'choices' ? takes.choices : [];
}

/** The titles of what was chosen, and what was typed. */
export function inWords(question: Question, content: Readonly<Record<string, FieldValue>>): string {
  const known = new Map(Object.entries(content));
  const parts = question.fields.flatMap((field) => {
    const value = known.get(field.name);
    return value === undefined ? [] : [said(field, value)];
  });
  return parts.join(' · ');
}

function said(field: QuestionField, value: FieldValue): string {
  if (Array.isArray(value)) return value.map((one) => titleOf(field, one)).join(', ');
  if (typeof value === 'string') return titleOf(field, value);
  const name = field.title ?? field.name;
  return `${name}: ${value}`;
}

function titleOf(field: QuestionField, value: string): string {
  return choicesOf(field).find((choice) => choice.value === value)?.title ?? value;
}
