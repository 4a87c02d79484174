/** One field of a question. Its name, its help and its choices are the agent's words, shown as text and nothing else. */

import { type ComponentProps, type InputHTMLAttributes, useId } from 'react';
import type { QuestionField } from '../../api/events';
import { words } from '../../text/english';
import { visible } from '../../text/visible';
import { choicesOf } from '../answered';
import type { Filled } from '../filling';

const MARK = 'mt-0.5 size-4 shrink-0 accent-(--lamp-fill)';

interface Field {
  field: QuestionField;
  value: Filled[string] | undefined;
  disabled: boolean;
  onChange: (value: Filled[string]) => void;
}

export function FieldInput(props: Field) {
  switch (props.field.takes.kind) {
    case 'text':
    case 'number':
    case 'integer':
      return <Typed {...props} />;
    case 'yes_no':
      return <YesNo {...props} />;
    case 'choice':
    case 'choices':
      return <Chosen {...props} />;
  }
}

function Typed({ field, value, disabled, onChange }: Field) {
  const [id, help] = [useId(), useId()];
  return (
    <div>
      <label htmlFor={id} className="mb-1 block text-[0.8125rem] font-medium">
        <Name field={field} />
      </label>
      <input
        id={id}
        className="field"
        {...attributes(field)}
        required={field.required ?? false}
        aria-describedby={field.description ? help : undefined}
        value={typeof value === 'string' ? value : ''}
        disabled={disabled}
        autoComplete="off"
        onChange={(event) => onChange(event.target.value)}
      />
      <Help field={field} id={help} />
    </div>
  );
}

/** What the browser can look at before the server does. */
function attributes({ takes }: QuestionField): InputHTMLAttributes<HTMLInputElement> {
  switch (takes.kind) {
    case 'text': {
      const bounds = { minLength: takes.min_length ?? undefined, maxLength: takes.max_length ?? undefined };
      if (takes.format === 'email') return { ...bounds, type: 'email' };
      if (takes.format === 'uri')
        return { ...bounds, type: 'text', inputMode: 'url', placeholder: words.question.address };
      if (takes.format === 'date') return { type: 'date' };
      if (takes.format === 'date_time') return { ...bounds, type: 'text', placeholder: words.question.instant };
      return { ...bounds, type: 'text' };
    }
    case 'number':
    case 'integer': {
      const bounds = { min: takes.minimum ?? undefined, max: takes.maximum ?? undefined };
      return { ...bounds, type: 'number', step: takes.kind === 'integer' ? 1 : 'any' };
    }
    default:
      return {};
  }
}

function YesNo({ field, value, disabled, onChange }: Field) {
  const help = useId();
  return (
    <div>
      <label className="flex items-start gap-2 text-[0.8125rem] font-medium">
        <input
          type="checkbox"
          className={MARK}
          aria-describedby={field.description ? help : undefined}
          checked={value === true}
          disabled={disabled}
          onChange={(event) => onChange(event.target.checked)}
        />
        <bdi>{visible(field.title ?? field.name)}</bdi>
      </label>
      <Help field={field} id={help} />
    </div>
  );
}

/** One of them, or any. One that need not be chosen can be given up again. */
function Chosen({ field, value, disabled, onChange }: Field) {
  const [group, help] = [useId(), useId()];
  const several = field.takes.kind === 'choices';
  const chosen = typeof value === 'object' ? value : [];
  const toggle = (one: string, on: boolean) =>
    onChange(on ? [...chosen, one] : chosen.filter((other) => other !== one));
  return (
    <fieldset className="min-w-0" aria-describedby={field.description ? help : undefined}>
      <legend className="mb-1 text-[0.8125rem] font-medium">
        <Name field={field} />
      </legend>
      <Help field={field} id={help} />
      {choicesOf(field).map((choice) => (
        <Option
          key={choice.value}
          title={visible(choice.title)}
          description={choice.description}
          type={several ? 'checkbox' : 'radio'}
          name={group}
          checked={several ? chosen.includes(choice.value) : value === choice.value}
          required={!several && (field.required ?? false)}
          disabled={disabled}
          onChange={(event) => (several ? toggle(choice.value, event.target.checked) : onChange(choice.value))}
        />
      ))}
      {several || field.required ? null : (
        <Option
          title={words.question.none}
          type="radio"
          name={group}
          checked={value === ''}
          disabled={disabled}
          onChange={() => onChange('')}
        />
      )}
    </fieldset>
  );
}

/** What is ticked, and beside it what that means. */
function Option({
  title,
  description,
  ...input
}: Omit<ComponentProps<'input'>, 'title'> & { title: string; description?: string | null | undefined }) {
  return (
    <label className="flex items-start gap-2 py-0.5 text-[0.8125rem]">
      <input className={MARK} {...input} />
      <span className="min-w-0 break-words">
        <bdi>{title}</bdi>
        {description ? <bdi className="block text-2xs text-soft">{visible(description)}</bdi> : null}
      </span>
    </label>
  );
}

function Name({ field }: { field: QuestionField }) {
  return (
    <>
      <bdi>{visible(field.title ?? field.name)}</bdi>
      {field.required ? null : <span className="ml-2 font-normal text-soft">{words.question.optional}</span>}
    </>
  );
}

function Help({ field, id }: { field: QuestionField; id: string }) {
  if (!field.description) return null;
  return (
    <p id={id} className="mb-1 whitespace-pre-wrap break-words text-2xs text-soft">
      <bdi>{visible(field.description)}</bdi>
    </p>
  );
}
