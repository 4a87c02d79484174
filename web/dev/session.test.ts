import { expect, test } from 'vitest';
import openapi from '../../docs/openapi.json';
import { Session } from './session.mjs';

/** What the API's description says of these must be there, and nothing that it does not know. */
test.each(['SessionView', 'SessionSummary'] as const)('the double tells a %s as the server does', (name) => {
  const session = new Session(
    { repository: '/r', prompt: 'Say hello.' },
    { name: 'Ada', email: 'ada@example.invalid' },
    1,
  );
  const told = Object.keys(name === 'SessionView' ? session.view() : session.summary());
  const { required, properties } = openapi.components.schemas[name];
  expect(required.filter((key) => !told.includes(key))).toEqual([]);
  expect(told.filter((key) => !(key in properties))).toEqual([]);
});
