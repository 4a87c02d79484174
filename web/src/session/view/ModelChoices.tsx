/** The models of a session's agent, with what the upstreams say of them. Loaded when somebody looks. */

import { useQuery } from '@tanstack/react-query';
import { agentsQuery, modelsQuery, statusQuery } from '../../api/queries';
import type { SessionView } from '../../api/types';
import { elsewhere, noteOf, offers } from '../../create/offers';
import { visible } from '../../text/visible';
import { MenuChoices } from '../../ui/menu';

/** More models than this are in a list that scrolls; no list is longer. */
const MODELS_SHOWN = 300;

export function ModelChoices({ facts, onChoose }: { facts: SessionView; onChoose: (model: string) => void }) {
  const status = useQuery(statusQuery);
  const agents = useQuery(agentsQuery);
  // Which model is asked for makes no difference to a scripted one.
  const models = useQuery({ ...modelsQuery, enabled: status.data?.scripted_model === false });
  const agent = agents.data?.items.find(({ name }) => name === facts.agent);
  const offered = agents.isSuccess ? offers(models.data?.items ?? [], agent) : [];
  const others = elsewhere(facts.model, facts.models, offered, agent);
  const all = [...facts.models, ...others.map(({ id }) => ({ id, name: id }))];
  return (
    <MenuChoices
      value={facts.model}
      choices={all.slice(0, MODELS_SHOWN).map(({ id, name }) => ({
        value: id,
        label: visible(name),
        detail: visible(id),
        note: noteOf(id, offered),
      }))}
      onChoose={onChoose}
    />
  );
}
