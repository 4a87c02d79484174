/** What one attempt changed, under the cards. */

import { useQuery } from '@tanstack/react-query';
import { api, asApiError } from '../api/client';
import type { Attempt } from '../api/types';
import { Files } from '../diff/Files';
import { compareWords as words } from '../text/compare';
import { ProblemNote } from '../ui/problem';
import { numberOf } from './attempts';

export function AttemptChanges({ attempt }: { attempt: Attempt }) {
  const { id, commits } = attempt.session;
  const number = numberOf(attempt);
  const diff = useQuery({
    // A new commit is a new diff.
    queryKey: ['diff', id, null, commits.at(-1)?.id ?? null],
    queryFn: () => api.diff(id, null),
    placeholderData: (previous) => previous,
  });
  const files = diff.data?.files;
  return (
    <section
      aria-label={words.changesOf(number)}
      className="mt-5 overflow-hidden rounded-xl border border-line bg-raised"
    >
      <h2 className="border-b border-line px-3 py-2 text-[0.8125rem] font-semibold">{words.changesOf(number)}</h2>
      {diff.error ? <ProblemNote error={asApiError(diff.error)} className="m-3" /> : null}
      {files?.length === 0 ? <p className="p-6 text-center text-faint">{words.noChanges(number)}</p> : null}
      {files && files.length > 0 ? <Files files={files} commented={[]} /> : null}
      {diff.data?.truncated ? <p className="p-3 text-2xs text-faint">{words.truncated}</p> : null}
    </section>
  );
}
