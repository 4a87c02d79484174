/** A question of the agent's. While it is open it is a form, which is loaded with the first; afterwards it is one line. */

import { lazy, Suspense } from 'react';
import { words } from '../../text/english';
import { oneLine } from '../../text/visible';
import { Icon } from '../../ui/icons';
import { inWords } from '../answered';
import type { QuestionItem } from '../items';
import { byWords } from './answeredBy';

const QuestionForm = lazy(() => import('./QuestionForm').then((module) => ({ default: module.QuestionForm })));

export function Question({ item }: { item: QuestionItem }) {
  const message = oneLine(item.question.message);
  if (item.answer) {
    const { reply, by, why } = item.answer;
    const filled = reply.reply === 'accepted' ? oneLine(inWords(item.question, reply.content)) : '';
    return (
      <p className="flex items-center gap-2 px-2 py-1 text-[0.8125rem] text-faint">
        <Icon name="hand" className="size-3.5" />
        <span className="min-w-0 break-words">
          {words.question.replies[reply.reply]} <bdi className="text-soft">{message}</bdi>
          {filled === '' ? null : (
            <>
              {' – '}
              <bdi className="text-soft">{filled}</bdi>
            </>
          )}{' '}
          ({why === null ? byWords(by) : oneLine(why)})
        </span>
      </p>
    );
  }
  if (item.closed) {
    return <p className="px-2 py-1 text-[0.8125rem] text-faint">{words.question.unanswered(message)}</p>;
  }
  return (
    <Suspense fallback={<p className="px-2 py-1">{message}</p>}>
      <QuestionForm item={item} />
    </Suspense>
  );
}
