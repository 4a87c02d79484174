/** The calls of the API that this section alone makes. */
import { queryOptions } from '@tanstack/react-query';
import { call } from '../api/client';
import type { Automation, AutomationRun, AutomationTrigger, AutomationWithRuns, NewAutomation } from '../api/types';

/** Runs begin and end by themselves. */
const AGAIN_MS = 3_000;

const one = (id: string) => `/automations/${encodeURIComponent(id)}`;

export const automationsApi = {
  list: (): Promise<{ items: Automation[] }> => call('GET', '/automations'),
  show: (id: string): Promise<AutomationWithRuns> => call('GET', one(id)),
  add: (automation: NewAutomation): Promise<Automation> => call('POST', '/automations', automation),
  pause: (id: string): Promise<Automation> => call('POST', `${one(id)}/pause`),
  resume: (id: string): Promise<Automation> => call('POST', `${one(id)}/resume`),
  run: (id: string): Promise<AutomationRun> => call('POST', `${one(id)}/run`),
  remove: (id: string): Promise<void> => call('DELETE', one(id)),
};

export const automationsQuery = queryOptions({
  queryKey: ['automations'],
  queryFn: automationsApi.list,
  refetchInterval: AGAIN_MS,
});

export const automationQuery = (id: string) =>
  queryOptions({
    queryKey: ['automations', id],
    queryFn: () => automationsApi.show(id),
    refetchInterval: AGAIN_MS,
  });

/** What is typed of a trigger; of each kind only what it needs counts. */
export interface TypedTrigger {
  kind: AutomationTrigger['kind'];
  expression: string;
  timezone: string;
  branch: string;
  label: string;
}

export function triggerOf({ kind, expression, timezone, branch, label }: TypedTrigger): AutomationTrigger {
  switch (kind) {
    case 'cron':
      return { kind, expression: expression.trim(), timezone: timezone.trim() };
    case 'pushed':
    case 'checks_failed':
      return { kind, branch: branch.trim() };
    case 'issue_labelled':
      return { kind, label: label.trim() };
    case 'issue_opened':
    case 'pull_request_opened':
      return { kind };
  }
}
