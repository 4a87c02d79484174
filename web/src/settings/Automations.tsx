/** Sessions that begin by themselves: which there are, when each runs next, and what came of it. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { asApiError } from '../api/client';
import type { Automation, AutomationRun } from '../api/types';
import { automationWords as words } from '../text/automations';
import { exactTime } from '../text/format';
import { visible } from '../text/visible';
import { Button } from '../ui/button';
import { ProblemNote } from '../ui/problem';
import { AddAutomation } from './AddAutomation';
import { automationQuery, automationsApi, automationsQuery } from './automations';
import { About, Card, Nothing } from './parts';

export function Automations() {
  const automations = useQuery(automationsQuery);
  const items = automations.data?.items ?? [];
  const [adding, setAdding] = useState(false);
  return (
    <>
      <About>{words.about}</About>
      {automations.error ? <ProblemNote error={asApiError(automations.error)} className="mb-4" /> : null}
      {adding ? (
        <AddAutomation close={() => setAdding(false)} />
      ) : (
        <Button look="primary" className="mb-4" onClick={() => setAdding(true)}>
          {words.add}
        </Button>
      )}
      {automations.isSuccess && items.length === 0 && !adding ? <Nothing>{words.nothing}</Nothing> : null}
      <ul aria-label={words.list} className="space-y-3">
        {items.map((automation) => (
          <Row key={automation.id} automation={automation} />
        ))}
      </ul>
    </>
  );
}

function Row({ automation }: { automation: Automation }) {
  const { id, paused } = automation;
  const [open, setOpen] = useState(false);
  const client = useQueryClient();
  const onSuccess = () => client.invalidateQueries({ queryKey: automationsQuery.queryKey });
  const run = useMutation({ mutationFn: () => automationsApi.run(id), onSuccess });
  const pause = useMutation({ mutationFn: () => automationsApi.pause(id), onSuccess });
  const resume = useMutation({ mutationFn: () => automationsApi.resume(id), onSuccess });
  const remove = useMutation({ mutationFn: () => automationsApi.remove(id), onSuccess });
  const name = visible(automation.name);
  const failed = run.error ?? pause.error ?? resume.error ?? remove.error;
  return (
    <Card>
      <div className="flex flex-wrap items-center gap-x-2 gap-y-2">
        <div className="min-w-0 grow">
          <p className="truncate font-medium">{name}</p>
          <p className="text-[0.8125rem] text-soft">{about(automation)}</p>
          {paused ? <p className="text-[0.8125rem] text-bad">{words.paused(visible(paused.reason))}</p> : null}
        </div>
        <Button size="small" aria-expanded={open} aria-label={words.runsOf(name)} onClick={() => setOpen(!open)}>
          {words.runs}
        </Button>
        {automation.is_yours ? (
          <>
            <Button
              size="small"
              aria-label={words.runOf(name)}
              disabled={run.isPending}
              onClick={() => {
                setOpen(true);
                run.mutate();
              }}
            >
              {words.run}
            </Button>
            {paused ? (
              <Button
                size="small"
                aria-label={words.resumeOf(name)}
                disabled={resume.isPending}
                onClick={() => resume.mutate()}
              >
                {words.resume}
              </Button>
            ) : (
              <Button
                size="small"
                aria-label={words.pauseOf(name)}
                disabled={pause.isPending}
                onClick={() => pause.mutate()}
              >
                {words.pause}
              </Button>
            )}
            <Button
              size="small"
              look="danger"
              aria-label={words.removeOf(name)}
              disabled={remove.isPending}
              onClick={() => remove.mutate()}
            >
              {words.remove}
            </Button>
          </>
        ) : null}
      </div>
      {failed ? <ProblemNote error={asApiError(failed)} className="mt-2" /> : null}
      {open ? <Runs automation={automation} /> : null}
    </Card>
  );
}

function about({ trigger, next_run_at, repository, github_repository, owner }: Automation): string {
  const parts = [words.when(trigger), ...(next_run_at ? [words.next(exactTime(Date.parse(next_run_at)))] : [])];
  return [...parts, github_repository ?? repository, owner].map(visible).join(' · ');
}

function Runs({ automation }: { automation: Automation }) {
  const shown = useQuery(automationQuery(automation.id));
  const runs = shown.data?.runs ?? [];
  return (
    <>
      {shown.error ? <ProblemNote error={asApiError(shown.error)} className="mt-2" /> : null}
      {shown.isSuccess && runs.length === 0 ? <p className="mt-2 text-[0.8125rem] text-faint">{words.noRuns}</p> : null}
      <ol aria-label={words.runsOf(visible(automation.name))} className="mt-2 space-y-1 text-[0.8125rem]">
        {runs.map((run) => (
          <RunRow key={`${run.at} ${run.cause} ${run.session}`} run={run} />
        ))}
      </ol>
    </>
  );
}

function RunRow({ run }: { run: AutomationRun }) {
  const said = [run.cause, run.detail].filter((text) => text !== '').map(visible);
  return (
    <li className="flex flex-wrap gap-x-2">
      <span className={run.state === 'failed' ? 'text-bad' : 'text-soft'}>{words.states[run.state]}</span>
      <span className="text-faint">{exactTime(Date.parse(run.at))}</span>
      <span className="min-w-0 [overflow-wrap:anywhere]">{said.join(': ')}</span>
      {run.session ? (
        <Link to="/sessions/$id" params={{ id: run.session }} className="underline underline-offset-2">
          {words.session}
        </Link>
      ) : null}
    </li>
  );
}
