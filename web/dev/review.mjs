/** The pull request of a session in the double: opened by hand, with one check that never ends and a person who approves. */
import { Refused } from './refused.mjs';

const REPOSITORY = 'acme/stats';

/** How it stands; what has a conflict says so in its title, as for merging. */
function standing(session) {
  const shown = session.pull_request;
  if (!shown) throw new Refused(404, 'no_pull_request', 'The session has no pull request.', 'Publish it first.');
  return {
    number: shown.number,
    url: shown.url,
    state: session.pull_state,
    mergeable: !/conflict/.test(session.spec.title),
    is_current: shown.head === session.commits.at(-1).id,
    checks: { passed: 3, running: 1, failed: /fail/.test(session.spec.title) ? ['lint'] : [] },
    approved_by: ['grace'],
    changes_wanted_by: [],
  };
}

function publish(session) {
  const head = session.commits.at(-1)?.id;
  if (!head)
    throw new Refused(
      409,
      'nothing_to_publish',
      'The branch has no commit.',
      'Wait for a turn that changes something.',
    );
  const draft = session.pull_request?.draft ?? true;
  const url = `https://github.com/${REPOSITORY}/pull/7`;
  session.pull_request = { repository: REPOSITORY, number: 7, url, draft, head };
  session.pull_state ??= 'draft';
  told(session);
  return session.pull_request;
}

function told(session) {
  const { pull_request } = session;
  session.append({ type: 'pull_request_published', pull_request, by: session.person.name });
}

function ready(session) {
  if (standing(session).state === 'draft') {
    session.pull_state = 'open';
    session.pull_request = { ...session.pull_request, draft: false };
    told(session);
  }
  return standing(session);
}

function update(session) {
  if (!standing(session).mergeable)
    throw new Refused(409, 'merge_conflict', 'Both sides changed a file.', 'Prompt the agent to merge.');
  const commit = { id: 'b'.repeat(40), files: 1, insertions: 2, deletions: 0 };
  const { turn } = session.commits.at(-1);
  session.commits.push({ turn, ...commit });
  session.append({ type: 'branch_updated', turn, commit, by: session.person.name });
  publish(session);
  return standing(session);
}

function close(session) {
  standing(session);
  session.pull_state = 'closed';
  return standing(session);
}

/** `find` gives the session of an id. */
export const reviewRoutes = (find) => [
  ['GET', /^\/sessions\/(\w+)\/pull-request$/, ({ ids }) => standing(find(ids[0]))],
  ['POST', /^\/sessions\/(\w+)\/pull-request$/, ({ ids }) => publish(find(ids[0]))],
  ['POST', /^\/sessions\/(\w+)\/pull-request\/ready$/, ({ ids }) => ready(find(ids[0]))],
  ['POST', /^\/sessions\/(\w+)\/pull-request\/update$/, ({ ids }) => update(find(ids[0]))],
  ['POST', /^\/sessions\/(\w+)\/pull-request\/close$/, ({ ids }) => close(find(ids[0]))],
];

/** What the repository's own checks say of a commit: the test fails where the task says so. */
export function checked(turn, commit, title) {
  const passes = !/conflict/.test(title);
  const commands = [
    { command: 'npm run lint', result: 'exit 0', ms: 900, said: null },
    { command: 'npm test', result: passes ? 'exit 0' : 'exit 1', ms: 4200, said: null },
  ];
  return { turn, commit, state: passes ? 'passed' : 'failed', why: null, detected: 'package.json', commands };
}
