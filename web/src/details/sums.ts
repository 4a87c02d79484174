/** What a session's models were asked for, added up in two ways. */
import type { SessionUsageItem } from '../api/types';

export interface Sum extends Pick<SessionUsageItem, 'requests' | 'tokens' | 'cost'> {
  name: string;
}

/** The kinds of tokens there are in a table, in its order. Two of them are left out where nothing has any. */
export function kindsOf(rows: readonly Pick<Sum, 'tokens'>[]): (keyof Sum['tokens'])[] {
  const kinds = ['input', 'cached', 'cache_written', 'output', 'reasoning'] as const;
  return kinds.filter((kind) => {
    const isRare = kind === 'cache_written' || kind === 'reasoning';
    return !isRare || rows.some(({ tokens }) => tokens[kind] > 0);
  });
}

function sumBy(items: readonly SessionUsageItem[], nameOf: (item: SessionUsageItem) => string): Sum[] {
  const sums = new Map<string, Sum>();
  for (const item of items) {
    const name = nameOf(item);
    const sum = sums.get(name);
    sums.set(name, sum ? plus(sum, item) : { name, requests: item.requests, tokens: item.tokens, cost: item.cost });
  }
  return [...sums.values()];
}

function plus(sum: Sum, { requests, tokens, cost }: SessionUsageItem): Sum {
  return {
    name: sum.name,
    requests: sum.requests + requests,
    tokens: {
      input: sum.tokens.input + tokens.input,
      output: sum.tokens.output + tokens.output,
      cached: sum.tokens.cached + tokens.cached,
      cache_written: sum.tokens.cache_written + tokens.cache_written,
      reasoning: sum.tokens.reasoning + tokens.reasoning,
    },
    cost: { micros: sum.cost.micros + cost.micros, is_partial: sum.cost.is_partial || cost.is_partial },
  };
}

/** The dearest first. */
export function byModel(items: readonly SessionUsageItem[]): Sum[] {
  return sumBy(items, (item) => item.model).sort((a, b) => b.cost.micros - a.cost.micros);
}

/** In order. */
export function byTurn(items: readonly SessionUsageItem[]): Sum[] {
  return sumBy(items, (item) => `${item.turn}`);
}
