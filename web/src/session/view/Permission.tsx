/** A request for permission. While it is open it has buttons and says when it answers itself; afterwards it is one line. */

import { useMutation } from '@tanstack/react-query';
import { api, asApiError } from '../../api/client';
import type { Answer, OptionKind } from '../../api/events';
import { TextChange } from '../../diff/DiffView';
import { words } from '../../text/english';
import { duration } from '../../text/format';
import { oneLine, visible } from '../../text/visible';
import { Button } from '../../ui/button';
import { useNow } from '../../ui/hooks';
import { Icon } from '../../ui/icons';
import { ProblemNote } from '../../ui/problem';
import { titleOf } from '../facts';
import type { PermissionItem } from '../items';
import { byWords } from './answeredBy';
import { useStore } from './context';
import { ToolInput } from './ToolLine';

const LOOKS: Record<OptionKind, 'primary' | 'outline' | 'danger'> = {
  allow_once: 'primary',
  allow_always: 'outline',
  reject_once: 'danger',
  reject_always: 'danger',
};

export function Permission({ item }: { item: PermissionItem }) {
  const title = oneLine(titleOf(item.call));
  if (item.answer) {
    return (
      <p className="flex items-center gap-2 px-2 py-1 text-[0.8125rem] text-faint">
        <Icon name="hand" className="size-3.5" />
        <span>
          {answerWords(item, item.answer.answer)} <bdi className="text-soft">{title}</bdi> ({byWords(item.answer.by)})
        </span>
      </p>
    );
  }
  if (item.closed) {
    return <p className="px-2 py-1 text-[0.8125rem] text-faint">{words.permission.unanswered(title)}</p>;
  }
  return <Open item={item} title={title} />;
}

function Open({ item, title }: { item: PermissionItem; title: string }) {
  const store = useStore();
  const now = useNow(1_000);
  const answer = useMutation({
    mutationFn: (option: string | null) => api.answerPermission(store.id, item.request, option),
    onSettled: () => store.refresh(),
  });
  const { input } = item.call;
  const content = item.call.content ?? [];
  const left = item.deadline - now;
  return (
    <section
      aria-label={words.permission.label}
      className="my-1 rounded-xl border border-warn/50 bg-lamp-tint px-4 py-3"
    >
      <p className="flex items-center gap-2 font-medium">
        <Icon name="hand" className="text-warn" />
        {words.permission.title}
      </p>
      <p className="mt-1">
        <bdi>{title}</bdi>
      </p>
      <div className="mt-2 space-y-2 empty:hidden">
        {input !== undefined && input !== null ? <ToolInput input={input} /> : null}
        {content.map((part, place) =>
          part.show === 'diff' ? (
            <TextChange key={place} path={part.path} before={part.old ?? null} after={part.new} />
          ) : null,
        )}
      </div>
      <div className="mt-3 flex flex-wrap gap-2">
        {item.options.map((option) => (
          <Button
            key={option.id}
            look={LOOKS[option.kind]}
            disabled={answer.isPending || answer.isSuccess}
            onClick={() => answer.mutate(option.id)}
          >
            {visible(option.name)}
          </Button>
        ))}
        <Button look="quiet" disabled={answer.isPending || answer.isSuccess} onClick={() => answer.mutate(null)}>
          {words.permission.cancel}
        </Button>
      </div>
      <p className="mt-2 text-2xs text-soft">
        {left > 0 ? words.permission.rejectedIn(duration(left)) : words.permission.over}
      </p>
      {answer.error ? <ProblemNote error={asApiError(answer.error)} className="mt-2" /> : null}
    </section>
  );
}

function answerWords(item: PermissionItem, answer: Answer): string {
  if (answer.answer === 'cancelled') return words.permission.cancelled;
  const option = item.options.find((offered) => offered.id === answer.option);
  return option?.kind.startsWith('allow') ? words.permission.allowed : words.permission.rejected;
}
