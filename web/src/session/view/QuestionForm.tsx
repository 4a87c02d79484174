/** A question that is open: buttons where it is one choice, else a small form. It keeps what was filled in when it scrolls away. */

import { useMutation } from '@tanstack/react-query';
import { type FormEvent, useId } from 'react';
import { api, asApiError } from '../../api/client';
import type { FieldValue, QuestionChoice, QuestionField } from '../../api/events';
import { words } from '../../text/english';
import { duration } from '../../text/format';
import { visible } from '../../text/visible';
import { Button } from '../../ui/button';
import { useDraft, useNow } from '../../ui/hooks';
import { Icon } from '../../ui/icons';
import { ProblemNote } from '../../ui/problem';
import { choicesOf } from '../answered';
import { asButtons, contentOf, type Filled, restored } from '../filling';
import type { QuestionItem } from '../items';
import { useStore } from './context';
import { FieldInput } from './QuestionField';

/** A button that is as high as its words; marked, as a button says otherwise. */
const TALL = 'h-auto! min-h-8 max-w-full flex-col whitespace-normal! py-1 text-left';

type Sent = { action: 'accept'; content: Record<string, FieldValue> } | { action: 'decline' | 'cancel' };

export function QuestionForm({ item }: { item: QuestionItem }) {
  const { question, request, deadline } = item;
  const store = useStore();
  const title = useId();
  const [kept, keep] = useDraft(`question.${store.id}.${item.key}`);
  const answer = useMutation({
    mutationFn: (sent: Sent) => api.answerQuestion(store.id, { request, ...sent }),
    onSuccess: () => keep(''),
    onSettled: () => store.refresh(),
  });
  const left = deadline - useNow(1_000);
  const done = answer.isPending || answer.isSuccess;
  const filled = restored(question, kept);
  const set = (name: string, value: Filled[string]) => keep(JSON.stringify({ ...filled, [name]: value }));
  const accept = (all: Filled) => answer.mutate({ action: 'accept', content: contentOf(question, all) });
  const buttons = asButtons(question);
  // Beside buttons there is only something to send when something was typed, and no choice is required.
  const typed = buttons?.choice.required === true ? false : buttons?.texts.some(({ name }) => filled[name] !== '');
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (done) return;
    if (!buttons) accept(filled);
    else if (typed) accept({ ...filled, [buttons.choice.name]: '' });
  };
  const inputs = (fields: readonly QuestionField[]) =>
    fields.map((field) => (
      <FieldInput
        key={field.name}
        field={field}
        value={filled[field.name]}
        disabled={done}
        onChange={(value) => set(field.name, value)}
      />
    ));
  return (
    <form
      onSubmit={submit}
      aria-labelledby={title}
      className="my-1 rounded-xl border border-warn/50 bg-lamp-tint px-4 py-3"
    >
      <p id={title} className="flex items-center gap-2 font-medium">
        <Icon name="hand" className="text-warn" />
        {words.question.title}
      </p>
      {question.title ? (
        <p className="mt-1 font-medium">
          <bdi>{visible(question.title)}</bdi>
        </p>
      ) : null}
      <p className="mt-1 whitespace-pre-wrap break-words">
        <bdi>{visible(question.message)}</bdi>
      </p>
      {question.description ? (
        <p className="mt-1 whitespace-pre-wrap break-words text-[0.8125rem] text-soft">
          <bdi>{visible(question.description)}</bdi>
        </p>
      ) : null}
      {buttons ? (
        <Choices
          field={buttons.choice}
          disabled={done}
          onChoose={(value) => accept({ ...filled, [buttons.choice.name]: value })}
        />
      ) : null}
      <div className="mt-3 space-y-3 empty:hidden">{inputs(buttons ? buttons.texts : question.fields)}</div>
      <div className="mt-3 flex flex-wrap gap-2">
        {buttons && !typed ? null : (
          <Button type="submit" look="primary" disabled={done}>
            {question.fields.length === 0 ? words.question.yes : words.question.send}
          </Button>
        )}
        <Button look="quiet" disabled={done} onClick={() => answer.mutate({ action: 'decline' })}>
          {words.question.decline}
        </Button>
        <Button look="quiet" disabled={done} onClick={() => answer.mutate({ action: 'cancel' })}>
          {words.question.cancel}
        </Button>
      </div>
      <p className="mt-2 text-2xs text-soft">
        {left > 0 ? words.question.cancelledIn(duration(left)) : words.permission.over} {words.question.kept}
      </p>
      {answer.error ? <ProblemNote error={asApiError(answer.error)} className="mt-2" /> : null}
    </form>
  );
}

function Choices({
  field,
  disabled,
  onChoose,
}: {
  field: QuestionField;
  disabled: boolean;
  onChoose: (value: string) => void;
}) {
  const heading = field.title ?? field.description;
  const proposed = field.takes.kind === 'choice' ? field.takes.default : null;
  const look = (choice: QuestionChoice) => (choice.value === proposed ? 'primary' : 'outline');
  return (
    <fieldset className="mt-3 flex min-w-0 flex-wrap gap-2">
      <legend className={heading ? 'mb-1 text-[0.8125rem] font-medium' : 'sr-only'}>
        {visible(heading ?? words.question.choices)}
      </legend>
      {field.title && field.description ? (
        <p className="w-full whitespace-pre-wrap break-words text-2xs text-soft">
          <bdi>{visible(field.description)}</bdi>
        </p>
      ) : null}
      {choicesOf(field).map((choice) => (
        <Button
          key={choice.value}
          look={look(choice)}
          disabled={disabled}
          onClick={() => onChoose(choice.value)}
          className={choice.description ? `${TALL} items-start!` : TALL}
        >
          <bdi className="max-w-full break-words">{visible(choice.title)}</bdi>
          {choice.description ? (
            <bdi className="max-w-full break-words text-2xs font-normal">{visible(choice.description)}</bdi>
          ) : null}
        </Button>
      ))}
    </fieldset>
  );
}
