/**
 * What the dev double's agent does for a prompt: a list of [wait in ms, event without its turn], recorded-like. Words in
 * the prompt choose the story, by the names in STORIES; anything else is the ordinary fix of a failing test.
 */

import { CHOOSE, QUESTIONNAIRE } from './questions.mjs';

export const MODELS = [
  { id: 'scripted-1', name: 'Scripted one' },
  { id: 'scripted-2', name: 'Scripted two' },
];

const BEFORE = `export function median(values) {
  const sorted = values.sort();
  const middle = Math.floor(sorted.length / 2);
  return sorted[middle];
}
`;
const AFTER = `/** The middle of a list of numbers; of an even number of them, the mean of the two in the middle. */
export function median(values) {
  if (values.length === 0) throw new RangeError('median of nothing');
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
`;
const FAILING = `\u001b[2m> node --test\u001b[0m
\u001b[31m\u2716 median of an even number of values\u001b[0m \u001b[2m(1.2ms)\u001b[0m
  AssertionError: Expected values to be strictly equal:
  \u001b[32m+ actual\u001b[39m \u001b[31m- expected\u001b[39m

  \u001b[32m+ 3\u001b[39m
  \u001b[31m- 2.5\u001b[39m
\u001b[32m\u2714 median of one value\u001b[0m \u001b[2m(0.3ms)\u001b[0m

tests 6, pass 4, \u001b[31mfail 2\u001b[0m
`;
const PASSING = `\u001b[2m> node --test\u001b[0m
\u001b[32m\u2714 median of one value\u001b[0m \u001b[2m(0.3ms)\u001b[0m
\u001b[32m\u2714 median of an even number of values\u001b[0m \u001b[2m(0.2ms)\u001b[0m
\u001b[32m\u2714 median does not change its input\u001b[0m \u001b[2m(0.2ms)\u001b[0m

tests 6, \u001b[32mpass 6\u001b[0m, fail 0
`;

/** What the ordinary story leaves behind. */
export const FILES = [
  {
    path: 'src/median.js',
    old_path: null,
    status: 'modified',
    insertions: 5,
    deletions: 3,
    binary: false,
    patch: `diff --git a/src/median.js b/src/median.js
index 3f1c2aa..9b02d11 100644
--- a/src/median.js
+++ b/src/median.js
@@ -1,5 +1,7 @@
+/** The middle of a list of numbers; of an even number of them, the mean of the two in the middle. */
 export function median(values) {
-  const sorted = values.sort();
+  if (values.length === 0) throw new RangeError('median of nothing');
+  const sorted = [...values].sort((a, b) => a - b);
   const middle = Math.floor(sorted.length / 2);
-  return sorted[middle];
+  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
 }
`,
  },
  {
    path: 'test/median.test.js',
    old_path: null,
    status: 'modified',
    insertions: 6,
    deletions: 0,
    binary: false,
    patch: `diff --git a/test/median.test.js b/test/median.test.js
--- a/test/median.test.js
+++ b/test/median.test.js
@@ -14,2 +14,8 @@ test('median of an even number of values', () => {
   assert.equal(median([1, 2, 3, 4]), 2.5);
 });
+
+test('median does not change its input', () => {
+  const values = [3, 1, 2];
+  median(values);
+  assert.deepEqual(values, [3, 1, 2]);
+});
`,
  },
  {
    path: 'docs/stats.md',
    old_path: 'docs/statistics.md',
    status: 'renamed',
    insertions: 0,
    deletions: 0,
    binary: false,
    patch:
      'diff --git a/docs/statistics.md b/docs/stats.md\nsimilarity index 100%\nrename from docs/statistics.md\nrename to docs/stats.md\n',
  },
  { path: 'docs/shape.png', old_path: null, status: 'added', insertions: 0, deletions: 0, binary: true, patch: '' },
];

const say = (text, wait = 40) =>
  text.match(/\S+\s*/g).map((word) => [wait, { type: 'agent_spoke', text: word, message: `m${text.length}` }]);
const think = (text, wait = 30) => text.match(/\S+\s*/g).map((word) => [wait, { type: 'agent_thought', text: word }]);
const call = (wait, fields) => [wait, { type: 'tool_called', call: fields }];
const plan = (...done) => [
  50,
  {
    type: 'plan_changed',
    entries: ['See what fails', 'Find the cause', 'Fix it', 'Run all tests'].map((text, place) => ({
      text,
      priority: 'medium',
      status: done[place] ?? 'pending',
    })),
  },
];
const tokens = (input, output, cached) => [
  0,
  { type: 'tokens_used', model: 'scripted-1', tokens: { input, output, cached }, cost_micros: 3 * input + 15 * output },
];

function fix() {
  return [
    ...think(
      'The person says that a test fails. I look at the test first, then at the code it tests, before I change anything.',
    ),
    plan('in_progress'),
    tokens(4_120, 92, 0),
    call(200, {
      id: 'c1',
      name: 'shell',
      title: 'npm test',
      kind: 'execute',
      status: 'in_progress',
      input: { command: 'npm test' },
    }),
    call(900, { id: 'c1', status: 'failed', content: [{ show: 'text', text: FAILING }] }),
    tokens(5_300, 61, 4_096),
    ...say('Two tests fail, both about `median`. Let me look at it.'),
    call(150, {
      id: 'c2',
      name: 'read',
      title: 'Read src/median.js',
      kind: 'read',
      status: 'pending',
      locations: [{ path: 'src/median.js', line: 1 }],
    }),
    call(120, { id: 'c2', status: 'completed', content: [{ show: 'text', text: BEFORE }] }),
    call(60, {
      id: 'c3',
      name: 'grep',
      title: 'Search for median(',
      kind: 'search',
      status: 'completed',
      input: { pattern: 'median\\(', path: 'src' },
      output: {
        output: 'src/median.js:1:export function median(values) {\nsrc/report.js:9:  const m = median(times);\n',
      },
    }),
    plan('completed', 'completed', 'in_progress'),
    [0, { type: 'agent_logged', text: 'warning: no cache directory, using memory\n' }],
    ...say(
      "Three things are wrong:\n\n1. `sort()` without a comparator sorts **as text**, so `[10, 9, 1]` comes out wrong.\n2. It sorts the *caller's* array.\n3. Of an even number of values it takes the upper middle.\n\n",
    ),
    call(200, {
      id: 'c4',
      name: 'edit',
      title: 'Edit src/median.js',
      kind: 'edit',
      status: 'in_progress',
      input: { path: 'src/median.js' },
      content: [{ show: 'diff', path: 'src/median.js', old: BEFORE, new: AFTER }],
    }),
    call(250, { id: 'c4', status: 'completed' }),
    call(100, {
      id: 'c5',
      name: 'edit',
      title: 'Edit test/median.test.js',
      kind: 'edit',
      status: 'completed',
      content: [
        { show: 'diff', path: 'test/median.test.js', new: "test('median does not change its input', () => {});\n" },
      ],
    }),
    tokens(7_010, 410, 4_096),
    plan('completed', 'completed', 'completed', 'in_progress'),
    call(100, {
      id: 'c6',
      name: 'shell',
      title: 'npm test',
      kind: 'execute',
      status: 'in_progress',
      input: { command: 'npm test' },
    }),
    call(1_300, { id: 'c6', status: 'completed', content: [{ show: 'text', text: PASSING }] }),
    plan('completed', 'completed', 'completed', 'completed'),
    tokens(7_650, 180, 6_144),
    ...say(
      'All six tests pass now.\n\n| case | before | after |\n|---|---|---|\n| `[1, 2, 3, 4]` | 3 | **2.5** |\n| `[10, 9, 1]` | 10 | **9** |\n| `[]` | `undefined` | `RangeError` |\n\n```js\nreturn sorted.length % 2 === 1\n  ? sorted[middle]\n  : (sorted[middle - 1] + sorted[middle]) / 2;\n```\n\nThe empty list throws now; `report.js` never passes one.',
    ),
  ];
}

const ask = () => [
  ...say('I would like to remove the old build first.'),
  [
    200,
    {
      type: 'permission_asked',
      request: 'ask-1',
      call: { id: 'p1', title: 'rm -rf build', kind: 'execute', status: 'pending', input: { command: 'rm -rf build' } },
      options: [
        { id: 'yes', name: 'Allow once', kind: 'allow_once' },
        { id: 'always', name: 'Always allow', kind: 'allow_always' },
        { id: 'no', name: 'Reject', kind: 'reject_once' },
      ],
    },
  ],
  call(100, {
    id: 'p1',
    name: 'shell',
    title: 'rm -rf build',
    kind: 'execute',
    status: 'completed',
    input: { command: 'rm -rf build' },
    output: { stdout: '' },
  }),
  ...say('Done.'),
];

/** As agents ask that let people say something of their own: buttons, and a text. */
const choose = () => [...say('Before I go on:'), [200, CHOOSE], ...say('Then I do it like that.')];

/** One field of each kind. */
const questionnaire = () => [[200, QUESTIONNAIRE], ...say('Thank you.')];

const loop = () => [
  ...think('Once more.'),
  ...[1, 2, 3].flatMap((n) => [
    call(200, {
      id: `l${n}`,
      name: 'shell',
      title: 'cat missing.txt',
      kind: 'execute',
      status: 'in_progress',
      input: { command: 'cat missing.txt' },
    }),
    call(200, {
      id: `l${n}`,
      status: 'failed',
      content: [{ show: 'text', text: 'cat: missing.txt: No such file or directory\n' }],
    }),
  ]),
  [
    50,
    {
      type: 'guard_tripped',
      guard: 'identical_calls',
      detail: 'shell was called 3 times in a row with the same input',
      limit: 3,
      counted: 3,
    },
  ],
];

/** Its one tool call is all that the session may do. */
const spend = () => [
  call(100, {
    id: 'sp1',
    name: 'shell',
    title: 'make',
    kind: 'execute',
    status: 'completed',
    input: { command: 'make' },
  }),
  ...say('It is built.'),
];

const slow = () => [
  ...say('This will take a while.'),
  call(100, {
    id: 's1',
    name: 'shell',
    title: 'cargo build --release',
    kind: 'execute',
    status: 'in_progress',
    input: { command: 'cargo build --release' },
  }),
  call(3_600_000, { id: 's1', status: 'completed' }),
];

const fail = () => [
  ...say('Let me ask the model'),
  [
    300,
    {
      type: 'turn_ended',
      outcome: {
        how: 'failed',
        failure: {
          side: 'agent',
          class: 'needs_you',
          message: 'The model refused the key (401). Set OPENAI_API_KEY for `lamplight serve` and start it again.',
        },
      },
    },
  ],
];

function long() {
  const steps = [];
  for (let n = 1; n <= 700; n += 1) {
    steps.push(...say(`Step ${n} of many, with a few words to it.`, 0));
    steps.push(
      call(0, {
        id: `n${n}`,
        name: 'shell',
        title: `make part-${n}`,
        kind: 'execute',
        status: 'in_progress',
        input: { command: `make part-${n}` },
      }),
    );
    steps.push(
      call(1, { id: `n${n}`, status: 'completed', content: [{ show: 'text', text: `part ${n}\n`.repeat(20) }] }),
    );
  }
  return steps;
}

const hostile = () => [
  ...say(
    '<script>window.hacked = 1</script> <img src=x onerror="window.hacked=1">\n\n[click](javascript:window.hacked=1) ![pic](https://example.com/track.png) [ok](https://example.com/)',
  ),
  call(10, {
    id: '<b>x</b>',
    name: 'shell',
    title: 'rm \u202Egnp.exe\u202C <script>window.hacked=1</script>',
    kind: 'execute',
    status: 'completed',
    content: [
      {
        show: 'text',
        text: `\u001b]0;title\u0007\u001b]8;;javascript:window.hacked=1\u0007link\u001b]8;;\u0007\u001b[2J\u001b[31mred\u001b[0m ${'x'.repeat(2_000_000)}`,
      },
    ],
  }),
  call(10, {
    id: 'h2',
    title: 'a'.repeat(5_000),
    status: 'completed',
    content: [
      {
        show: 'diff',
        path: '../../<img src=x onerror=alert(1)>',
        old: 'a\n',
        new: '<script>window.hacked=1</script>\n',
      },
    ],
  }),
];

const STORIES = { ask, choose, questionnaire, loop, spend, slow, fail, long, hostile };

const storyOf = (prompt) => Object.keys(STORIES).find((name) => new RegExp(`\\b${name}\\b`, 'i').test(prompt));

export function storyFor(prompt) {
  const word = storyOf(prompt);
  return word ? STORIES[word]() : fix();
}

export const spendsAll = (prompt) => storyOf(prompt) === 'spend';

/** The phase after it. */
export function resting(outcome) {
  if (outcome.how === 'stopped') return ['paused', `stopped by ${outcome.by}; prompt to go on`];
  if (outcome.how === 'tripped') return ['stuck', `${outcome.detail}; prompt to go on`];
  if (outcome.how === 'failed') return ['failed', outcome.failure.message];
  return ['done', null];
}
