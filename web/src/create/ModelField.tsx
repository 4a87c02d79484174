/** The model of a new session: any text, with those on offer that really answer. */

import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useId } from 'react';
import { modelsQuery } from '../api/queries';
import type { AgentInfo } from '../api/types';
import { words } from '../text/english';
import { visible } from '../text/visible';
import { offers } from './offers';

export function ModelField({
  id,
  agent,
  scripted,
  value,
  change,
}: {
  id: string;
  agent: AgentInfo | undefined;
  /** Which model is asked for makes no difference. */
  scripted: boolean;
  value: string;
  change: (model: string) => void;
}) {
  const list = useId();
  const models = useQuery({ ...modelsQuery, enabled: !scripted });
  const upstreams = models.data?.items ?? [];
  return (
    <>
      <input
        id={id}
        className="field"
        list={list}
        value={value}
        onChange={(event) => change(event.target.value)}
        placeholder={words.create.agentsDefault}
        spellCheck={false}
        autoComplete="off"
      />
      <datalist id={list}>
        {offers(upstreams, agent).map(({ id, label }) => (
          <option key={id} value={id} label={label} />
        ))}
      </datalist>
      {upstreams.map(({ upstream, problem }) =>
        problem === null ? null : (
          <p key={upstream} className="mt-1 text-2xs text-warn">
            {visible(upstream)}: {visible(problem)}{' '}
            <Link to="/settings" className="underline underline-offset-2">
              {words.settings.title}
            </Link>
          </p>
        ),
      )}
      {!scripted && models.isSuccess && upstreams.length === 0 ? (
        <p className="mt-1 text-2xs text-soft">
          {words.create.noModel}{' '}
          <Link to="/settings" className="underline underline-offset-2">
            {words.create.setKey}
          </Link>
        </p>
      ) : null}
    </>
  );
}
