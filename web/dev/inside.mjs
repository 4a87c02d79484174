/** What there is of a sandbox: nothing runs in the double, so nothing listens and there is nobody to sit at a terminal. */
import { Refused } from './refused.mjs';

const NO_SANDBOX = ['no_sandbox', 'The double has no sandboxes.', 'Run `lamplight serve`.'];
const NO_CODE = [
  'code_not_installed',
  'VS Code is not installed on this machine.',
  'lamplight tools install code-server',
];

const refuse = (words) => () => {
  throw new Refused(409, ...words);
};

/** `find` gives the session of an id. */
export const insideRoutes = (find) => [
  ['GET', /^\/sessions\/(\w+)\/code$/, ({ ids }) => find(ids[0]) && { version: null, running: false, authority: '' }],
  ['POST', /^\/sessions\/(\w+)\/code$/, refuse(NO_CODE)],
  ['GET', /^\/sessions\/(\w+)\/artifacts$/, ({ ids }) => find(ids[0]) && { items: [] }],
  ['GET', /^\/sessions\/(\w+)\/ports$/, ({ ids }) => find(ids[0]) && { items: [] }],
  ['GET', /^\/sessions\/(\w+)\/terminals$/, ({ ids }) => find(ids[0]) && { items: [] }],
  ['POST', /^\/sessions\/(\w+)\/terminals$/, refuse(NO_SANDBOX)],
];
