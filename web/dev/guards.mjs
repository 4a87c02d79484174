/** Guards, as the double has them: what holds of each session, and going on once past what stopped one. */
import { Refused } from './refused.mjs';

export const GUARDS = [
  { guard: 'steps', per: 'turn', limit: 25 },
  { guard: 'failures_in_a_row', per: 'turn', limit: 3 },
  { guard: 'identical_calls', per: 'turn', limit: 3 },
  { guard: 'silence', per: 'turn', limit: 600_000 },
  { guard: 'wall_clock', per: 'turn', limit: 7_200_000 },
  { guard: 'session_tokens', per: 'session', limit: 20_000_000 },
];

/** The policy, of which one rule is only for members. */
export const POLICY = {
  repository: null,
  role: 'owner',
  rule: null,
  guards: GUARDS,
  rules: [
    {
      rule: 1,
      repository: '/srv/code/*',
      role: 'member',
      guards: [
        { guard: 'steps', per: 'turn', limit: 10 },
        { guard: 'session_tokens', per: 'session', limit: 0 },
      ],
    },
  ],
};

/** The guard that has ended the last turn of a session. */
export class Standing {
  tripped = null;
  #continued = 0;

  trip({ guard, detail, limit = null, counted = null }, turn) {
    this.tripped = { guard, per: 'turn', turn, detail, limit, counted, can_be_continued: true };
  }

  /** The session has done all that it may, in a turn that came to its end: nothing has tripped. */
  spend(turn) {
    const detail = 'the 1 tool calls of the whole session are used up';
    this.trip({ guard: 'session_steps', detail, limit: 1, counted: 1 }, turn);
    this.tripped.per = 'session';
  }

  refuseIfSpent() {
    if (this.tripped?.per !== 'session') return;
    const { detail } = this.tripped;
    throw new Refused(
      409,
      'guard_spent',
      `Nothing more begins: ${detail}.`,
      'Let it go on once: the button on its page.',
    );
  }

  begin() {
    this.tripped = null;
  }

  goOn(session, turn, said = '') {
    if (this.#continued === turn && said === '') return;
    if (this.tripped?.turn !== turn || session.turn)
      throw new Refused(409, 'nothing_to_continue', 'No guard keeps this session from going on.', 'Send a prompt.');
    const { detail } = this.tripped;
    this.#continued = turn;
    this.tripped = null;
    const by = session.person.name;
    const go = `Go on with the interrupted work.\n\nIt was stopped because ${detail}. ${by} lets it go on once.`;
    const text = said === '' ? go : said;
    session.continuePrompt(text, (prompt) => ({ type: 'turn_continued', turn, raised: [], prompt, by }));
  }
}
