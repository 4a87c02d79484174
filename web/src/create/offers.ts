/** Which models a session of an agent can have, in the agent's own words for them. */
import type { AgentInfo, UpstreamModels } from '../api/types';
import { words } from '../text/english';

export interface Offer {
  id: string;
  /** Beside the id. */
  label: string;
  /** Where it is known. */
  price: string | null;
  /** Of an upstream that the configuration names, which agents know nothing of. */
  compatible: boolean;
}

/**
 * An agent that names upstreams in its models' names can have all of them; any other talks to the first vendor that it
 * knows and that is configured, or to any upstream that it knows and the configuration names: that is in front of its models
 * already. Of an agent that nobody knows anything of, everything is offered.
 */
export function offers(upstreams: UpstreamModels[], agent: AgentInfo | undefined): Offer[] {
  const known = agent?.upstreams ?? [];
  const usable = upstreams.filter(({ upstream }) => known.length === 0 || known.includes(upstream));
  const first = known.find((name) => usable.some(({ upstream, compatible }) => !compatible && upstream === name));
  const all = known.length === 0 || agent?.names_upstream === true;
  return usable
    .filter(({ upstream, compatible }) => all || compatible || upstream === first)
    .flatMap(({ upstream, compatible, models }) =>
      models.map((model) => {
        const price = model.price ? inWords(model.price) : null;
        const label = [model.title, price].filter((part) => part !== null).join(' · ');
        const id = agent?.names_upstream && !compatible ? `${upstream}/${model.id}` : model.id;
        return { id, label, price, compatible };
      }),
    );
}

/**
 * What may be chosen beside what the agent offers: it knows nothing of upstreams that the configuration names, and while it
 * was sent to one of them, nothing of the vendors.
 */
export function elsewhere(
  current: string | null | undefined,
  known: { id: string }[],
  offered: Offer[],
  agent: AgentInfo | undefined,
): Offer[] {
  const away = !agent?.names_upstream && offered.some(({ id, compatible }) => compatible && id === current);
  return offered.filter(({ id, compatible }) => (compatible || away) && !known.some((model) => model.id === id));
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
