/** What sections are made of. */
import type { ReactNode } from 'react';
import { words } from '../text/english';
import { visible } from '../text/visible';

/** What a section is about, under its heading. */
export function About({ children }: { children: ReactNode }) {
  return <p className="mt-1 mb-4 max-w-[40rem] text-[0.8125rem] text-soft">{children}</p>;
}

/** One thing of several. */
export function Card({ children }: { children: ReactNode }) {
  return <li className="rounded-lg border border-line bg-raised px-3 py-2.5">{children}</li>;
}

/** Said where there is nothing to show. */
export function Nothing({ children }: { children: ReactNode }) {
  return <p className="py-10 text-center text-faint">{children}</p>;
}

/** Servers of which a list has nothing, and what that means. */
export function NotAnswering({ servers, means }: { servers: string[]; means: string }) {
  return servers.map((server) => (
    <p key={server} role="status" className="mb-4 text-[0.8125rem] text-warn">
      {words.settings.notAnswering(visible(server), means)}
    </p>
  ));
}

/** A name and what it is, one under the other. */
export function Facts({ facts }: { facts: [string, ReactNode][] }) {
  return (
    <dl className="mt-1.5 grid grid-cols-[auto_minmax(0,1fr)] gap-x-4 gap-y-0.5 text-[0.8125rem]">
      {facts.map(([name, what]) => (
        <div key={name} className="contents">
          <dt className="text-faint">{name}</dt>
          <dd className="min-w-0 [overflow-wrap:anywhere]">{what}</dd>
        </div>
      ))}
    </dl>
  );
}
