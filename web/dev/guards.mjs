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

  begin() {
    this.tripped = null;
  }

  goOn(session, turn) {
    if (this.#continued === turn) return;
    if (this.tripped?.turn !== turn || session.turn)
      throw new Refused(409, 'nothing_to_continue', 'No guard keeps this session from going on.', 'Send a prompt.');
    const { detail } = this.tripped;
    this.#continued = turn;
    this.tripped = null;
    const by = session.person.name;
    const text = `Go on with the interrupted work.\n\nIt was stopped because ${detail}. ${by} lets it go on once.`;
    session.continuePrompt(text, (prompt) => ({ type: 'turn_continued', turn, raised: [], prompt, by }));
  }
}
