/** The door: by a link that counts once, or by who else signs people in. Whoever is in already is told so. */
import { useMutation, useQuery } from '@tanstack/react-query';
import { type FormEvent, useEffect, useState } from 'react';
import { api, asApiError, signInPath } from '../api/client';
import { waysQuery } from '../api/queries';
import type { Ways } from '../api/types';
import { words } from '../text/english';
import { visible } from '../text/visible';
import { Button } from '../ui/button';
import { useTitle } from '../ui/hooks';
import { Lamp } from '../ui/icons';
import { ProblemNote } from '../ui/problem';

/** Read once, when the page is loaded, and taken out of the address: nobody finds it in a history or a screenshot. */
const SECRET = takeSecret();
/** What went wrong where somebody came back from. */
const PROBLEM = new URLSearchParams(window.location.search).get('problem');

function takeSecret(): string | null {
  if (typeof window === 'undefined' || window.location.pathname !== signInPath) return null;
  const secret = window.location.hash.slice(1);
  if (secret === '') return null;
  window.history.replaceState(window.history.state, '', signInPath);
  return secret;
}

export function SignInPage() {
  useTitle(words.signIn.title);
  // A link that is opened where this page is already changes nothing but what is behind `#`.
  useEffect(() => {
    const again = () => window.location.reload();
    window.addEventListener('hashchange', again);
    return () => window.removeEventListener('hashchange', again);
  }, []);
  const ways = useQuery(waysQuery);
  const me = useQuery({ queryKey: ['me', 'at the door'], queryFn: api.meIfAny });
  const others = ways.data ? waysOf(ways.data) : [];
  return (
    <main className="mx-auto flex min-h-full max-w-[24rem] flex-col justify-center px-5 py-16">
      <Lamp className="mb-4 size-9" />
      <h1 className="text-xl font-semibold tracking-tight">{words.signIn.title}</h1>
      {me.data ? <AlreadyIn name={me.data.name} /> : null}
      {PROBLEM !== null && !me.data ? (
        <p role="alert" className="mt-3 text-[0.8125rem] text-bad">
          {(words.signIn.problems as Record<string, string>)[PROBLEM] ?? words.signIn.failed}
        </p>
      ) : null}
      {SECRET !== null ? <ByLink secret={SECRET} /> : null}
      {SECRET === null && !me.data ? (
        <p className="mt-2 text-soft">
          {ways.data?.nobody_yet
            ? words.signIn.nobodyYet
            : others.length > 0
              ? words.signIn.byOthers
              : words.signIn.askForLink}
        </p>
      ) : null}
      {!me.data || SECRET !== null ? <Others others={others} /> : null}
      {ways.error ? <ProblemNote error={asApiError(ways.error)} className="mt-4" /> : null}
    </main>
  );
}

/** What each way is called. */
function waysOf(ways: Ways): { way: string; name: string }[] {
  return [
    ...(ways.oidc === null ? [] : [{ way: 'oidc', name: visible(ways.oidc) }]),
    ...(ways.github ? [{ way: 'github', name: words.signIn.github }] : []),
  ];
}

/** With a link, whoever signs in there is its person from then on. */
function Others({ others }: { others: { way: string; name: string }[] }) {
  const begin = useMutation({
    mutationFn: (way: string) => api.beginSignIn(way, SECRET),
    onSuccess: ({ address }) => window.location.assign(address),
  });
  return (
    <div className="mt-4 space-y-2">
      {others.map(({ way, name }) => (
        <Button key={way} className="w-full" disabled={begin.isPending} onClick={() => begin.mutate(way)}>
          {words.signIn.by(name)}
        </Button>
      ))}
      {begin.error ? <ProblemNote error={asApiError(begin.error)} /> : null}
    </div>
  );
}

function AlreadyIn({ name }: { name: string }) {
  return (
    <p className="mt-2 text-soft">
      {words.signIn.youAre(name)}{' '}
      <a href="/" className="text-lamp underline underline-offset-4">
        {words.common.allSessions}
      </a>
    </p>
  );
}

/** Who is known already is let in; who is new says a name. */
function ByLink({ secret }: { secret: string }) {
  const [name, setName] = useState('');
  const [email, setEmail] = useState('');
  const enter = useMutation({
    mutationFn: (who: { name: string; email: string } | null) => api.signIn(secret, who),
    onSuccess: comeBack,
  });
  const problem = enter.error ? asApiError(enter.error) : null;
  const [isNew, setNew] = useState(false);
  useEffect(() => {
    if (problem?.code === 'name_needed') setNew(true);
  }, [problem?.code]);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    enter.mutate(isNew ? { name: name.trim(), email: email.trim() } : null);
  };
  return (
    <form onSubmit={submit} className="mt-3 space-y-3">
      <p className="text-soft">{isNew ? words.signIn.whoAreYou : words.signIn.byLink}</p>
      {isNew ? (
        <>
          <label className="block">
            <span className="text-[0.8125rem] text-soft">{words.signIn.name}</span>
            <input
              className="field w-full"
              value={name}
              onChange={(event) => setName(event.target.value)}
              autoComplete="name"
              required
            />
          </label>
          <label className="block">
            <span className="text-[0.8125rem] text-soft">{words.signIn.email}</span>
            <input
              className="field w-full"
              type="email"
              value={email}
              onChange={(event) => setEmail(event.target.value)}
              autoComplete="email"
              required
            />
          </label>
        </>
      ) : null}
      {problem && problem.code !== 'name_needed' ? <ProblemNote error={problem} /> : null}
      <Button type="submit" look="primary" disabled={enter.isPending || enter.isSuccess} className="w-full">
        {words.signIn.enter}
      </Button>
    </form>
  );
}

/** To where somebody was when they had to sign in. A new page, so that nothing of before stays. */
function comeBack() {
  window.location.replace(takePlace());
}

function takePlace(): string {
  const place = window.sessionStorage.getItem('place');
  window.sessionStorage.removeItem('place');
  return place?.startsWith('/') && !place.startsWith('//') ? place : '/';
}
