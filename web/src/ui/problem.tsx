/** A failure where it happened: what, and what to do. */
import type { ReactNode } from 'react';
import type { ApiError } from '../api/client';
import { Icon } from './icons';

export function ProblemNote({
  error,
  children,
  className = '',
}: {
  error: ApiError;
  children?: ReactNode;
  className?: string;
}) {
  return (
    <div
      role="alert"
      className={`flex gap-2.5 rounded-lg border border-bad/35 bg-bad-tint px-3 py-2 text-[0.8125rem] ${className}`}
    >
      <Icon name="alert" className="mt-0.5 text-bad" />
      <div className="min-w-0 flex-1">
        <p>{error.message}</p>
        {error.whatToDo ? <p className="text-soft">{error.whatToDo}</p> : null}
        {children ? <div className="mt-2 flex flex-wrap gap-2">{children}</div> : null}
      </div>
    </div>
  );
}
