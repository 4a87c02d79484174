/** Which models a session of an agent can have, in the agent's own words for them. */
import type { AgentInfo, UpstreamModels } from '../api/types';

export interface Offer {
  id: string;
  /** Beside the id. */
  label: string;
}

/**
 * An agent that names upstreams in its models' names can have all of them; any other talks to the first upstream that it
 * knows and that is configured. Of an agent that nobody knows anything of, everything is offered.
 */
export function offers(upstreams: UpstreamModels[], agent: AgentInfo | undefined): Offer[] {
  const known = agent?.upstreams ?? [];
  const usable = upstreams.filter(({ upstream }) => known.length === 0 || known.includes(upstream));
  const first = known.find((name) => usable.some(({ upstream }) => upstream === name));
  const all = known.length === 0 || agent?.names_upstream === true;
  return usable
    .filter(({ upstream }) => all || upstream === first)
    .flatMap(({ upstream, models }) =>
      models.map(({ id, title, price }) => ({
        id: agent?.names_upstream ? `${upstream}/${id}` : id,
        label: [title, price ? `${money(price.input)} in, ${money(price.output)} out for a million tokens` : null]
          .filter((part) => part !== null)
          .join(' · '),
      })),
    );
}

/** Two digits behind the point, and more where that would say nothing. */
function money(dollars: number): string {
  return `$${dollars > 0 && dollars < 0.1 ? String(dollars) : dollars.toFixed(2)}`;
}
