/** Oneself: who that is, tokens, and the way out. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { api, asApiError, signInPath } from '../api/client';
import { meQuery, tokensQuery } from '../api/queries';
import type { Me, Scope, Token } from '../api/types';
import { SCOPES } from '../api/types';
import { words } from '../text/english';
import { exactTime } from '../text/format';
import { visible } from '../text/visible';
import { Button } from '../ui/button';
import { ProblemNote } from '../ui/problem';
import { Once } from './Once';

/** How long a token counts, in days; 0 is until it is revoked. */
const DAYS = [7, 30, 90, 365, 0];
const DAY_SECONDS = 24 * 60 * 60;

export function Account() {
  const me = useQuery(meQuery).data;
  return me ? <Myself me={me} /> : null;
}

function Myself({ me }: { me: Me }) {
  const leave = () => window.location.assign(signInPath);
  const out = useMutation({ mutationFn: api.signOut, onSuccess: leave });
  const everywhere = useMutation({ mutationFn: api.signOutEverywhere, onSuccess: leave });
  const failed = out.error ?? everywhere.error;
  return (
    <>
      <div className="mt-1 mb-4 flex flex-wrap items-center gap-2">
        <p className="grow text-[0.8125rem] text-soft">
          {visible(me.name)} · {visible(me.email)} · {words.people.roles[me.role]}
        </p>
        <Button size="small" disabled={out.isPending} onClick={() => out.mutate()}>
          {words.account.signOut}
        </Button>
        <Button size="small" disabled={everywhere.isPending} onClick={() => everywhere.mutate()}>
          {words.account.everywhere}
        </Button>
      </div>
      {failed ? <ProblemNote error={asApiError(failed)} className="mb-4" /> : null}
      <h3 className="font-medium">{words.tokens.title}</h3>
      <p className="mt-1 mb-3 text-[0.8125rem] text-soft">{words.tokens.about}</p>
      <NewToken />
      <Tokens />
    </>
  );
}

function NewToken() {
  const client = useQueryClient();
  const [name, setName] = useState('');
  const [scope, setScope] = useState<Scope>('write');
  const [days, setDays] = useState(30);
  const create = useMutation({
    mutationFn: () => api.createToken(name.trim(), scope, days === 0 ? null : days * DAY_SECONDS),
    onSuccess: () => {
      setName('');
      return client.invalidateQueries({ queryKey: tokensQuery.queryKey });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (name.trim() !== '') create.mutate();
  };
  return (
    <form onSubmit={submit} className="mb-3 flex flex-wrap gap-2">
      <input
        className="field min-w-40 flex-1"
        aria-label={words.tokens.name}
        placeholder={words.tokens.namePlaceholder}
        value={name}
        onChange={(event) => setName(event.target.value)}
        autoComplete="off"
      />
      <select
        className="field max-w-52"
        aria-label={words.tokens.scope}
        value={scope}
        onChange={(event) => setScope(event.target.value as Scope)}
      >
        {SCOPES.map((one) => (
          <option key={one} value={one}>
            {words.tokens.scopes[one]}
          </option>
        ))}
      </select>
      <select
        className="field max-w-52"
        aria-label={words.tokens.expires}
        value={days}
        onChange={(event) => setDays(Number(event.target.value))}
      >
        {DAYS.map((one) => (
          <option key={one} value={one}>
            {words.tokens.days(one)}
          </option>
        ))}
      </select>
      <Button type="submit" look="primary" disabled={name.trim() === '' || create.isPending}>
        {words.tokens.create}
      </Button>
      {create.error ? <ProblemNote error={asApiError(create.error)} className="basis-full" /> : null}
      {create.data ? <Once text={create.data.secret} about={words.tokens.once} /> : null}
    </form>
  );
}

function Tokens() {
  const tokens = useQuery(tokensQuery);
  if (tokens.error) return <ProblemNote error={asApiError(tokens.error)} />;
  return (
    <ul aria-label={words.tokens.title} className="space-y-2">
      {(tokens.data?.items ?? []).map((token) => (
        <TokenRow
          key={token.id}
          token={token}
          revoke={() => api.revokeToken(token.id)}
          refresh={tokensQuery.queryKey}
        />
      ))}
    </ul>
  );
}

export function TokenRow({
  token,
  revoke,
  refresh,
}: {
  token: Token;
  revoke: () => Promise<void>;
  refresh: readonly string[];
}) {
  const client = useQueryClient();
  const revoking = useMutation({
    mutationFn: revoke,
    onSuccess: () => client.invalidateQueries({ queryKey: refresh }),
  });
  const at = (iso: string | null) => (iso === null ? null : exactTime(Date.parse(iso)));
  return (
    <li className="flex flex-wrap items-center gap-x-3 gap-y-1 rounded-lg border border-line bg-raised px-3 py-2">
      <div className="min-w-0 grow">
        <p className="truncate font-medium">{visible(token.name)}</p>
        <p className="text-2xs text-soft">
          {words.tokens.facts(words.tokens.scopes[token.scope], at(token.used_at), at(token.expires_at))}
        </p>
      </div>
      <Button
        size="small"
        look="danger"
        disabled={revoking.isPending}
        aria-label={words.tokens.revokeOf(token.name)}
        onClick={() => revoking.mutate()}
      >
        {words.tokens.revoke}
      </Button>
      {revoking.error ? <ProblemNote error={asApiError(revoking.error)} className="basis-full" /> : null}
    </li>
  );
}
