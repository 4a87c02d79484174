/** What the agent of the double asks, one thing at a time: leave to do something, or a question. */
import { Refused } from './refused.mjs';

const NOT_OPEN = 'It may have been answered already.';

export class Asking {
  permission = null;
  question = null;

  constructor(session) {
    this.session = session;
  }

  isOpen() {
    return this.permission !== null || this.question !== null;
  }

  /** Why the session waits for a person; null when it does not. */
  reason() {
    if (this.permission) return `the agent asks leave to ${this.permission.title}`;
    return this.question ? `the agent asks: ${this.question.question.message}` : null;
  }

  /** Whether the event asks something; then it is told from here. */
  take(event) {
    const { spec } = this.session;
    const deadline = Date.now() + spec.limits.permission_ms;
    const until = new Date(deadline).toISOString();
    const { request } = event;
    const asks = spec.permissions === 'ask';
    if (event.type === 'permission_asked') {
      this.permission = { request, title: event.call.title, options: event.options, deadline: until };
      this.session.append({ ...event, deadline });
      if (!asks) this.#answer({ answer: 'selected', option: 'yes' }, { by: 'policy' });
      return true;
    }
    if (event.type !== 'question_asked') return false;
    this.question = { request, question: event.question, deadline: until };
    this.session.append({ ...event, deadline });
    if (!asks) this.#reply({ reply: 'cancelled' }, { by: 'policy' }, 'nobody is asked in this session');
    return true;
  }

  answer(request, option) {
    if (!this.permission || JSON.stringify(this.permission.request) !== JSON.stringify(request))
      throw new Refused(409, 'permission_not_open', 'This request is not open.', NOT_OPEN);
    if (option !== null && !this.permission.options.some((offered) => offered.id === option))
      throw new Refused(400, 'invalid_request', 'The agent does not offer this option.', 'Choose one of its options.');
    this.#answer(option === null ? { answer: 'cancelled' } : { answer: 'selected', option }, this.#person());
  }

  reply(request, action, content) {
    if (!this.question || JSON.stringify(this.question.request) !== JSON.stringify(request))
      throw new Refused(409, 'question_not_open', 'This question is not open.', NOT_OPEN);
    if (action !== 'accept')
      return this.#reply({ reply: action === 'decline' ? 'declined' : 'cancelled' }, this.#person());
    for (const { name, required, takes } of this.question.question.fields) {
      const value = content?.[name];
      const misfit = (why) =>
        new Refused(
          400,
          'answer_does_not_fit',
          `The answer does not fit the question, in "${name}": ${why}`,
          'Fill in what the question asks for.',
        );
      if (value === undefined && required) throw misfit('it is required');
      if (value !== undefined && takes.kind === 'choice' && !takes.choices.some((choice) => choice.value === value))
        throw misfit('the agent did not offer it');
      if (value !== undefined && takes.kind === 'choices' && value.length > (takes.max_items ?? Infinity))
        throw misfit(`at most ${takes.max_items} choices`);
    }
    this.#reply({ reply: 'accepted', content: content ?? {} }, this.#person());
  }

  stop() {
    if (this.permission) this.#answer({ answer: 'cancelled' }, { by: 'stop' });
    if (this.question) this.#reply({ reply: 'cancelled' }, { by: 'stop' });
  }

  #person() {
    return { by: 'person', name: this.session.person.name };
  }

  #answer(answer, by) {
    const { request } = this.permission;
    this.permission = null;
    this.session.append({ type: 'permission_answered', request, answer, by });
    this.session.emit('answered');
  }

  #reply(reply, by, why) {
    const { request } = this.question;
    this.question = null;
    this.session.append({ type: 'question_answered', request, reply, by, ...(why ? { why } : {}) });
    this.session.emit('answered');
  }
}
