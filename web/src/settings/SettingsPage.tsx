/** Settings and what goes on in the server, a section at a time. */
import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { Suspense } from 'react';
import { asApiError } from '../api/client';
import { meQuery } from '../api/queries';
import { words } from '../text/english';
import { useKeys, useTitle } from '../ui/hooks';
import { Icon } from '../ui/icons';
import { ProblemNote } from '../ui/problem';
import { ThemeToggle } from '../ui/theme';
import { SECTIONS, type Section } from './sections';

/** `id` is of the address; without it the first section is shown. */
export function SettingsPage({ id }: { id: string | undefined }) {
  const me = useQuery(meQuery);
  const known = me.data;
  const sections = known ? SECTIONS.filter(({ shown }) => shown?.(known) ?? true) : [];
  const section = id === undefined ? sections[0] : sections.find((one) => one.id === id);
  const navigate = useNavigate();
  useTitle(section ? words.settings.pageTitle(section.title) : words.settings.title);
  useKeys({ u: () => void navigate({ to: '/' }) });
  return (
    <div className="h-full overflow-y-auto">
      <div className="mx-auto max-w-[68rem] px-3 pb-16 sm:px-6">
        <header className="flex items-center gap-2 py-4">
          <Link
            to="/"
            aria-label={words.common.allSessions}
            title={words.common.allSessionsKey}
            className="-ml-1.5 rounded-lg p-1.5 text-soft hover:bg-hover"
          >
            <Icon name="back" />
          </Link>
          <h1 className="text-lg font-semibold tracking-tight">{words.settings.title}</h1>
          <span className="grow" />
          <ThemeToggle />
        </header>
        <div className="gap-8 md:grid md:grid-cols-[11rem_minmax(0,1fr)]">
          <Sections sections={sections} current={section} />
          <main>
            {section ? (
              <>
                <h2 className="font-semibold">{section.title}</h2>
                <Suspense fallback={null}>
                  <section.panel />
                </Suspense>
              </>
            ) : me.error ? (
              <ProblemNote error={asApiError(me.error)} />
            ) : me.isPending ? null : (
              <p className="text-soft">{words.settings.noSection}</p>
            )}
          </main>
        </div>
      </div>
    </div>
  );
}

/** Beside the section, and above it where there is little room. */
function Sections({ sections, current }: { sections: readonly Section[]; current: Section | undefined }) {
  return (
    <nav aria-label={words.settings.sections} className="mb-4 md:mb-0">
      <ul className="flex flex-wrap gap-1 md:flex-col">
        {sections.map((section) => (
          <li key={section.id}>
            <Link
              to="/settings/$section"
              params={{ section: section.id }}
              aria-current={section === current ? 'page' : undefined}
              className="flex items-center gap-2 rounded-lg px-2 py-1.5 text-[0.8125rem] text-soft hover:bg-hover aria-[current]:bg-hover aria-[current]:font-medium aria-[current]:text-ink"
            >
              <Icon name={section.icon} /> {section.title}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}
