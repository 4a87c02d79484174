import { expect, test } from 'vitest';
import { automationWords } from '../text/automations';
import { type TypedTrigger, triggerOf } from './automations';

const typed: Omit<TypedTrigger, 'kind'> = {
  expression: ' 0 9 * * 1-5 ',
  timezone: 'Europe/Berlin',
  branch: ' main',
  label: 'bug ',
};

test.each([
  ['cron', { expression: '0 9 * * 1-5', timezone: 'Europe/Berlin' }, '0 9 * * 1-5 by the clocks of Europe/Berlin'],
  ['pushed', { branch: 'main' }, 'when main is pushed to'],
  ['checks_failed', { branch: 'main' }, 'when checks of main fail'],
  ['issue_labelled', { label: 'bug' }, 'when an issue gets the label bug'],
  ['issue_opened', {}, 'when an issue is opened'],
  ['pull_request_opened', {}, 'when a pull request is opened'],
] as const)('of what is typed a trigger takes what it needs: %s', (kind, fields, said) => {
  const trigger = triggerOf({ ...typed, kind });
  expect(trigger).toEqual({ kind, ...fields });
  expect(automationWords.when(trigger)).toBe(said);
});
