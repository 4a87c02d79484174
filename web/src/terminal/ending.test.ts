import { expect, test } from 'vitest';
import { endingText } from './ending';

test('an end says why, and what to do', () => {
  expect(endingText({ kind: 'exited', exitCode: 3, signal: null })).toBe('The shell ended with exit code 3.');
  expect(endingText({ kind: 'exited', exitCode: null, signal: 9 })).toBe(
    'The shell was ended by signal 9, as everything in the sandbox is when a turn is stopped.',
  );
  expect(endingText({ kind: 'exited', exitCode: null, signal: 1 })).toBe('The shell was ended by signal 1.');
  expect(
    endingText({ kind: 'refused', code: 'no_sandbox', detail: 'there is no sandbox', whatToDo: 'Send a prompt.' }),
  ).toBe('There is no sandbox. Send a prompt.');
});
