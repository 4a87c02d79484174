/** What the double's agent asks, as events without their turn and deadline. */

const CHANNELS = [
  { value: 'stable', title: 'Stable', description: 'For everybody, after a week in beta' },
  { value: 'beta', title: 'Beta', description: 'For those who asked for it' },
];

export const CHOOSE = {
  type: 'question_asked',
  request: 'ask-2',
  question: {
    message: 'How should this be released?',
    fields: [
      { name: 'channel', title: 'Channel', takes: { kind: 'choice', choices: CHANNELS } },
      { name: 'note', title: 'Other', description: 'Your own answer, or a note', takes: { kind: 'text' } },
    ],
  },
};

/** Its words are hostile where words may be. */
export const QUESTIONNAIRE = {
  type: 'question_asked',
  request: 7,
  question: {
    message: 'A few things about the <b>release</b>.\nNothing is published before.',
    title: 'Release \u202egnp.exe',
    fields: [
      { name: 'channel', title: 'Channel', required: true, takes: { kind: 'choice', choices: CHANNELS } },
      {
        name: 'systems',
        title: 'Systems',
        takes: {
          kind: 'choices',
          max_items: 1,
          default: ['linux'],
          choices: [
            { value: 'linux', title: 'Linux' },
            { value: 'macos', title: 'macOS' },
          ],
        },
      },
      { name: 'mail', title: 'Tell whom', required: true, takes: { kind: 'text', format: 'email' } },
      { name: 'day', title: 'On which day', takes: { kind: 'text', format: 'date' } },
      { name: 'keep', title: 'Old ones to keep', takes: { kind: 'integer', minimum: 0, maximum: 9, default: 3 } },
      { name: 'share', title: 'Share of people, in %', takes: { kind: 'number', minimum: 0.5, maximum: 100 } },
      { name: 'sign', title: 'Sign it', description: 'With the key of the team', takes: { kind: 'yes_no' } },
    ],
  },
};
