/** The drawer with the session's pull request: how it stands on GitHub now, and what can be done with it from here. */

import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, asApiError, type PullRequestChange } from '../api/client';
import type { Checks, PullRequestStanding } from '../api/types';
import { useFacts, useStore } from '../session/view/context';
import { words } from '../text/english';
import { shortCommit } from '../text/format';
import { visible } from '../text/visible';
import { Button, buttonClass } from '../ui/button';
import { Panel, type PanelProps } from '../ui/Drawer';
import { ProblemNote } from '../ui/problem';

/** Between two looks while the drawer is open, in ms. GitHub is asked at each. */
const LOOK_MS = 15_000;

export function ReviewPanel({ close }: PanelProps) {
  const store = useStore();
  const facts = useFacts();
  const queries = useQueryClient();
  const shown = facts?.pull_request ?? null;
  const key = ['pull-request', store.id];
  const standing = useQuery({
    queryKey: [...key, shown?.head],
    queryFn: () => api.pullRequest(store.id),
    enabled: shown !== null,
    refetchInterval: LOOK_MS,
    placeholderData: (previous) => previous,
  });
  const change = useMutation({
    mutationFn: (to: PullRequestChange) => api.changePullRequest(store.id, to),
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: key });
      store.refresh();
    },
  });
  const failure = change.error ?? standing.error;
  return (
    <Panel title={words.review.drawer} shortcut="g" close={close}>
      <div className="min-h-0 flex-1 space-y-4 overflow-y-auto overscroll-contain p-4">
        {failure ? <ProblemNote error={asApiError(failure)} /> : null}
        {shown === null ? <p className="py-6 text-center text-faint">{words.review.none}</p> : null}
        {standing.data ? (
          <>
            <Standing standing={standing.data} own={facts?.checks ?? null} />
            <Actions standing={standing.data} isBusy={change.isPending} run={(to) => change.mutate(to)} />
          </>
        ) : null}
        {shown !== null && standing.isPending ? <p className="text-faint">{words.review.asking}</p> : null}
      </div>
    </Panel>
  );
}

/** What the repository's own checks say, with the commands that did not pass. */
function ownChecks({ state, commit, why, commands }: Checks): string {
  const wrong = state === 'failed' ? commands.filter(({ result }) => result !== null && result !== 'exit 0') : [];
  const said = [why, ...wrong.map(({ command, result }) => `${command} (${result})`)].filter((one) => one !== null);
  const at = state === 'nothing' ? '' : words.review.ownAt(shortCommit(commit));
  return `${words.review.owns[state]}${at}${said.length > 0 ? `: ${said.map(visible).join(', ')}` : ''}`;
}

function Standing({ standing, own }: { standing: PullRequestStanding; own: Checks | null }) {
  const { checks, mergeable, approved_by: approved, changes_wanted_by: wanted } = standing;
  const isOpen = standing.state === 'draft' || standing.state === 'open';
  const rows: [string, string][] = [[words.review.state, words.review.states[standing.state]]];
  if (!standing.is_current) rows.push([words.review.commit, words.review.notCurrent]);
  if (isOpen) {
    const said = mergeable === null ? words.review.unknown : mergeable ? words.review.merges : words.review.conflicts;
    rows.push([words.review.merge, said]);
  }
  if (own) rows.push([words.review.own, ownChecks(own)]);
  if (checks) {
    const names = checks.failed.map(visible).join(', ');
    const failed = checks.failed.length > 0 ? [words.review.failed(names)] : [];
    const running = checks.running > 0 ? [words.review.running(checks.running)] : [];
    rows.push([words.review.checks, [...failed, ...running, words.review.passed(checks.passed)].join(', ')]);
  }
  if (approved.length > 0) rows.push([words.review.approved, approved.map(visible).join(', ')]);
  if (wanted.length > 0) rows.push([words.review.wanted, wanted.map(visible).join(', ')]);
  return (
    <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-2 text-[0.8125rem]">
      {rows.map(([name, value]) => (
        <div key={name} className="contents">
          <dt className="text-soft">{name}</dt>
          <dd className="min-w-0 wrap-anywhere">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

interface ActionsProps {
  standing: PullRequestStanding;
  isBusy: boolean;
  run: (to: PullRequestChange) => void;
}

function Actions({ standing, isBusy, run }: ActionsProps) {
  const isDraft = standing.state === 'draft';
  const isOpen = isDraft || standing.state === 'open';
  const isAddress = standing.url.startsWith('https://') || standing.url.startsWith('http://');
  return (
    <div className="flex flex-wrap gap-2">
      {isDraft ? (
        <Button size="small" look="primary" disabled={isBusy} onClick={() => run('ready')}>
          {words.review.ready}
        </Button>
      ) : null}
      {isOpen ? (
        <Button size="small" disabled={isBusy} onClick={() => run('update')}>
          {words.review.updateBranch}
        </Button>
      ) : null}
      {isOpen ? (
        <Button size="small" disabled={isBusy} onClick={() => run('close')}>
          {words.review.close}
        </Button>
      ) : null}
      {isAddress ? (
        <a href={standing.url} target="_blank" rel="noreferrer" className={buttonClass({ size: 'small' })}>
          {words.review.onGitHub(standing.number)}
        </a>
      ) : null}
    </div>
  );
}
