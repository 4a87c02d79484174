/** Records what the dev double plays into fixtures: `node dev/record.mjs`. Run again when a story changes. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { start } from './server.mjs';

const fixtures = new URL('../fixtures/', import.meta.url);
const double = await start({ speed: 40 });
mkdirSync(fixtures, { recursive: true });

/** To the question of the story `choose`. */
const ANSWER = { channel: 'beta', note: 'After lunch, please.' };

const settled = (session, turns) =>
  new Promise((resolve) => {
    const look = ({ event }) => {
      if (event.type === 'permission_asked') setTimeout(() => session.asking.answer(event.request, 'yes'), 5);
      if (event.type === 'question_asked') setTimeout(() => session.asking.reply(event.request, 'accept', ANSWER), 5);
      if (event.type === 'work_committed' && event.turn === turns) setTimeout(resolve, 20);
    };
    session.on('entry', look);
  });

async function record(name, act, turns, spec) {
  const session = double.create({ repository: '/srv/code/stats', ...spec });
  const done = settled(session, turns);
  await act(session);
  await done;
  if (name === 'fix-twice') session.merge();
  writeFileSync(new URL(`${name}.json`, fixtures), `${JSON.stringify({ log: session.log, view: session.view() })}\n`);
}

await record('fix', () => {}, 1, { prompt: 'The test of median fails.' });
await record(
  'fix-twice',
  (session) => {
    session.prompt('Also do the mode.');
    session.removePrompt(session.prompt('No, not this.').prompt);
  },
  2,
  { prompt: 'The test of median fails.' },
);
await record('ask', () => {}, 1, { prompt: 'ask first', permissions: 'ask' });
await record('choose', () => {}, 1, { prompt: 'choose', permissions: 'ask' });
await record('loop', () => {}, 1, { prompt: 'loop' });
await record('fail', () => {}, 1, { prompt: 'fail' });
await record(
  'stopped',
  (session) => {
    session.on(
      'entry',
      ({ event }) => event.type === 'tool_called' && setTimeout(() => session.turn && session.stop(), 5),
    );
  },
  1,
  { prompt: 'slow' },
);
double.close();
process.exit(0);
