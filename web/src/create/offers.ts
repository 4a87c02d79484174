/** Which models a session of an agent can have, in the agent's own words for them. */
import type { AgentInfo, UpstreamModels } from '../api/types';
import { words } from '../text/english';

export interface Offer {
  id: string;
  /** Beside the id. */
  label: string;
  /** Where it is known. */
  price: string | null;
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
      models.map((model) => {
        const price = model.price ? inWords(model.price) : null;
        const label = [model.title, price].filter((part) => part !== null).join(' · ');
        return { id: agent?.names_upstream ? `${upstream}/${model.id}` : model.id, label, price };
      }),
    );
}

/** What is to be said beside a model of an agent's; nothing where no upstream has said what it has. */
export function noteOf(model: string, offered: Offer[]): string | undefined {
  if (offered.length === 0) return undefined;
  const offer = offered.find(({ id }) => id === model);
  return offer ? (offer.price ?? undefined) : words.models.notListed;
}

function inWords({ input, output }: { input: number; output: number }): string {
  return words.models.price(money(input), money(output));
}

/** Two digits behind the point, and more where that would say nothing. */
function money(dollars: number): string {
  return `$${dollars > 0 && dollars < 0.1 ? String(dollars) : dollars.toFixed(2)}`;
}
