/** The door: by a link that counts once. Whoever is in already is told so. */
import { useMutation, useQuery } from '@tanstack/react-query';
import { type FormEvent, useEffect, useState } from 'react';
import { api, asApiError, signInPath } from '../api/client';
import { waysQuery } from '../api/queries';
import { words } from '../text/english';
import { Button } from '../ui/button';
import { useTitle } from '../ui/hooks';
import { Lamp } from '../ui/icons';
import { ProblemNote } from '../ui/problem';

/** Read once, when the page is loaded, and taken out of the address: nobody finds it in a history or a screenshot. */
const SECRET = takeSecret();

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
  return (
    <main className="mx-auto flex min-h-full max-w-[24rem] flex-col justify-center px-5 py-16">
      <Lamp className="mb-4 size-9" />
      <h1 className="text-xl font-semibold tracking-tight">{words.signIn.title}</h1>
      {me.data ? <AlreadyIn name={me.data.name} /> : null}
      {SECRET !== null ? <ByLink secret={SECRET} /> : null}
      {SECRET === null && !me.data ? (
        <p className="mt-2 text-soft">{ways.data?.nobody_yet ? words.signIn.nobodyYet : words.signIn.askForLink}</p>
      ) : null}
      {ways.error ? <ProblemNote error={asApiError(ways.error)} className="mt-4" /> : null}
    </main>
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
