/** Everybody who may use the server: invited, given roles, removed. For admins. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, asApiError, signInPath } from '../api/client';
import { meQuery, peopleQuery, tokensOfQuery } from '../api/queries';
import { type Invitation, type Me, type Person, ROLES, type Role } from '../api/types';
import { words } from '../text/english';
import { exactTime } from '../text/format';
import { visible } from '../text/visible';
import { Button } from '../ui/button';
import { ProblemNote } from '../ui/problem';
import { TokenRow } from './Account';
import { Once } from './Once';
import { About } from './parts';

export function People() {
  const me = useQuery(meQuery).data;
  return me ? <Everybody me={me} /> : null;
}

function Everybody({ me }: { me: Me }) {
  const people = useQuery(peopleQuery);
  return (
    <>
      <About>{words.people.about}</About>
      {people.error ? <ProblemNote error={asApiError(people.error)} className="mb-3" /> : null}
      <Invite me={me} />
      <ul aria-label={words.people.title} className="space-y-2">
        {(people.data?.items ?? []).map((person) => (
          <PersonRow key={person.id} person={person} me={me} />
        ))}
        {(people.data?.invitations ?? []).map((invitation) => (
          <InvitationRow key={invitation.id} invitation={invitation} />
        ))}
      </ul>
    </>
  );
}

function useRefresh() {
  const client = useQueryClient();
  return () => client.invalidateQueries({ queryKey: peopleQuery.queryKey });
}

/** What this person may make of others: only owners make owners. */
function rolesFor(me: Me): readonly Role[] {
  return me.role === 'owner' ? ROLES : ROLES.filter((role) => role !== 'owner');
}

function address(secret: string): string {
  return `${window.location.origin}${signInPath}#${secret}`;
}

function Invite({ me }: { me: Me }) {
  const refresh = useRefresh();
  const [role, setRole] = useState<Role>('member');
  const invite = useMutation({ mutationFn: () => api.invite(role), onSuccess: refresh });
  return (
    <div className="mb-3 flex flex-wrap gap-2">
      <RoleSelect label={words.people.inviteAs} value={role} roles={rolesFor(me)} change={setRole} />
      <Button look="primary" disabled={invite.isPending} onClick={() => invite.mutate()}>
        {words.people.invite}
      </Button>
      {invite.error ? <ProblemNote error={asApiError(invite.error)} className="basis-full" /> : null}
      {invite.data ? <Once text={address(invite.data.secret)} about={words.people.linkAbout} /> : null}
    </div>
  );
}

function RoleSelect({
  label,
  value,
  roles,
  change,
  disabled = false,
}: {
  label: string;
  value: Role;
  roles: readonly Role[];
  change: (role: Role) => void;
  disabled?: boolean;
}) {
  return (
    <select
      className="field max-w-52"
      aria-label={label}
      value={value}
      disabled={disabled}
      onChange={(event) => change(event.target.value as Role)}
    >
      {roles.map((role) => (
        <option key={role} value={role}>
          {words.people.roles[role]}
        </option>
      ))}
    </select>
  );
}

function PersonRow({ person, me }: { person: Person; me: Me }) {
  const refresh = useRefresh();
  const [open, setOpen] = useState(false);
  const setRole = useMutation({ mutationFn: (role: Role) => api.setRole(person.id, role), onSettled: refresh });
  const remove = useMutation({ mutationFn: () => api.removePerson(person.id), onSuccess: refresh });
  const link = useMutation({ mutationFn: () => api.linkFor(person.id) });
  const failed = setRole.error ?? remove.error ?? link.error;
  const theirs = person.role === 'owner' && me.role !== 'owner';
  return (
    <li className="rounded-lg border border-line bg-raised px-3 py-2">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
        <div className="min-w-0 grow">
          <p className="truncate font-medium">
            {visible(person.name)}
            {person.id === me.id ? <span className="font-normal text-faint"> {words.people.you}</span> : null}
          </p>
          <p className="truncate text-2xs text-soft">{[person.email, ...person.logins].map(visible).join(' · ')}</p>
        </div>
        <RoleSelect
          label={words.people.roleOf(person.name)}
          value={person.role}
          roles={theirs ? ROLES : rolesFor(me)}
          change={(role) => setRole.mutate(role)}
          disabled={theirs || setRole.isPending}
        />
        <Button size="small" aria-expanded={open} onClick={() => setOpen(!open)}>
          {words.tokens.title}
        </Button>
        <Button
          size="small"
          disabled={theirs || link.isPending}
          aria-label={words.people.linkFor(person.name)}
          onClick={() => link.mutate()}
        >
          {words.people.link}
        </Button>
        <Button
          size="small"
          look="danger"
          disabled={theirs || remove.isPending}
          aria-label={words.people.removeOf(person.name)}
          onClick={() => remove.mutate()}
        >
          {words.people.remove}
        </Button>
      </div>
      {failed ? <ProblemNote error={asApiError(failed)} className="mt-2" /> : null}
      {link.data ? <Once text={address(link.data.secret)} about={words.people.linkAbout} /> : null}
      {open ? <TokensOf person={person} /> : null}
    </li>
  );
}

function TokensOf({ person }: { person: Person }) {
  const query = tokensOfQuery(person.id);
  const tokens = useQuery(query);
  if (tokens.error) return <ProblemNote error={asApiError(tokens.error)} className="mt-2" />;
  if (tokens.data?.items.length === 0) return <p className="mt-2 text-[0.8125rem] text-soft">{words.tokens.none}</p>;
  return (
    <ul className="mt-2 space-y-2">
      {(tokens.data?.items ?? []).map((token) => (
        <TokenRow
          key={token.id}
          token={token}
          revoke={() => api.revokeTokenOf(person.id, token.id)}
          refresh={query.queryKey}
        />
      ))}
    </ul>
  );
}

function InvitationRow({ invitation }: { invitation: Invitation }) {
  const refresh = useRefresh();
  const back = useMutation({ mutationFn: () => api.uninvite(invitation.id), onSuccess: refresh });
  const until = invitation.expires_at === null ? null : exactTime(Date.parse(invitation.expires_at));
  return (
    <li className="flex flex-wrap items-center gap-3 rounded-lg border border-dashed border-line px-3 py-2">
      <p className="min-w-0 grow text-[0.8125rem] text-soft">
        {words.people.invited(words.people.roles[invitation.role], invitation.by, until)}
      </p>
      <Button size="small" disabled={back.isPending} onClick={() => back.mutate()}>
        {words.people.takeBack}
      </Button>
      {back.error ? <ProblemNote error={asApiError(back.error)} className="basis-full" /> : null}
    </li>
  );
}
