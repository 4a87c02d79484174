/** What the page says of automations; apart from the other words, so that it is loaded with its section. */
import type { AutomationRun, AutomationTrigger } from '../api/types';

export const automationWords = {
  title: 'Automations',
  about:
    'Sessions that begin by themselves: by the clock, or when something happens on GitHub. They are sessions of whoever made the automation, with their rights and budgets. One that still runs is not begun again, and three failures in a row pause it.',
  list: 'Automations',
  nothing: 'Nothing begins by itself yet.',
  add: 'New automation',
  save: 'Add',
  cancel: 'Cancel',
  name: 'Name',
  nameExample: 'Update dependencies',
  repository: 'Repository',
  repositoryExample: '/home/you/project',
  text: 'What is to be done each time',
  kind: 'When',
  kinds: {
    cron: 'By the clock',
    pushed: 'When a branch is pushed to',
    issue_opened: 'When an issue is opened',
    issue_labelled: 'When an issue gets a label',
    pull_request_opened: 'When a pull request is opened',
    checks_failed: 'When checks of a branch fail',
  } satisfies Record<AutomationTrigger['kind'], string>,
  expression: 'Cron expression',
  expressionHint:
    'Minute, hour, day of the month, month, day of the week: 0 9 * * 1-5 is nine o’clock from Monday to Friday.',
  timezone: 'Time zone',
  branch: 'Branch',
  label: 'Label',
  agent: 'Agent',
  asConfigured: 'as configured',
  run: 'Run now',
  runOf: (name: string) => `Run now: ${name}`,
  pause: 'Pause',
  pauseOf: (name: string) => `Pause: ${name}`,
  resume: 'Resume',
  resumeOf: (name: string) => `Resume: ${name}`,
  remove: 'Remove',
  removeOf: (name: string) => `Remove: ${name}`,
  runs: 'Runs',
  runsOf: (name: string) => `Runs: ${name}`,
  noRuns: 'It has not run yet.',
  when: (trigger: AutomationTrigger): string => {
    switch (trigger.kind) {
      case 'cron':
        return `${trigger.expression} by the clocks of ${trigger.timezone}`;
      case 'pushed':
        return `when ${trigger.branch} is pushed to`;
      case 'issue_opened':
        return 'when an issue is opened';
      case 'issue_labelled':
        return `when an issue gets the label ${trigger.label}`;
      case 'pull_request_opened':
        return 'when a pull request is opened';
      case 'checks_failed':
        return `when checks of ${trigger.branch} fail`;
    }
  },
  next: (at: string) => `next ${at}`,
  paused: (reason: string) => `Paused: ${reason}`,
  states: {
    waiting: 'waiting',
    running: 'running',
    done: 'done',
    failed: 'failed',
    skipped: 'skipped',
  } satisfies Record<AutomationRun['state'], string>,
  session: 'session',
};
