import { describe, expect, test } from 'vitest';
import type { AgentInfo, UpstreamModels } from '../api/types';
import { elsewhere, noteOf, offers } from './offers';

const UPSTREAMS: UpstreamModels[] = [
  {
    upstream: 'openai',
    compatible: false,
    models: [{ id: 'gpt-5.1', title: null, price: { input: 1.25, cached: 0.125, output: 10 } }],
    problem: null,
  },
  {
    upstream: 'anthropic',
    compatible: false,
    models: [{ id: 'claude-haiku', title: 'Claude Haiku', price: { input: 0.025, cached: 0, output: 0 } }],
    problem: null,
  },
  { upstream: 'gemini', compatible: false, models: [], problem: 'refused with 400' },
];
const agent = (upstreams: string[], names_upstream: boolean) => ({ upstreams, names_upstream }) as AgentInfo;
const ids = (who: AgentInfo | undefined) => offers(UPSTREAMS, who).map(({ id }) => id);

test('an agent that names upstreams is offered all that it knows', () => {
  expect(ids(agent(['anthropic', 'openai'], true))).toEqual(['openai/gpt-5.1', 'anthropic/claude-haiku']);
});

test('another is offered those of the upstream that it talks to', () => {
  expect(ids(agent(['openai', 'anthropic'], false))).toEqual(['gpt-5.1']);
  expect(ids(agent(['gemini', 'anthropic'], false))).toEqual([]);
  expect(ids(agent(['anthropic'], false))).toEqual(['claude-haiku']);
});

test('an unknown one is offered everything', () => {
  expect(ids(agent([], false))).toEqual(['gpt-5.1', 'claude-haiku']);
  expect(ids(undefined)).toEqual(['gpt-5.1', 'claude-haiku']);
});

describe('upstreams that the configuration names', () => {
  const local = { upstream: 'local', compatible: true, problem: null };
  const all = [...UPSTREAMS, { ...local, models: [{ id: 'local/llama3', title: null, price: null }] }];
  const goose = agent(['openai', 'anthropic', 'gemini', 'local'], false);

  test('are offered to whoever can be sent there, by their names', () => {
    const of = (who: AgentInfo | undefined) => offers(all, who).map(({ id }) => id);
    expect(of(goose)).toEqual(['gpt-5.1', 'local/llama3']);
    expect(of(agent(['openai', 'local'], true))).toEqual(['openai/gpt-5.1', 'local/llama3']);
    expect(of(agent(['anthropic'], false))).toEqual(['claude-haiku']);
    expect(of(undefined)).toEqual(['gpt-5.1', 'claude-haiku', 'local/llama3']);
  });

  test('may be chosen whatever the agent offers, and left again', () => {
    const beside = (current: string, known: string[], who: AgentInfo) =>
      elsewhere(
        current,
        known.map((id) => ({ id })),
        offers(all, who),
        who,
      ).map(({ id }) => id);
    expect(beside('gpt-5.1', ['gpt-5.1', 'gpt-9'], goose)).toEqual(['local/llama3']);
    expect(beside('local/llama3', ['local/llama3'], goose)).toEqual(['gpt-5.1']);
    const opencode = agent(['openai', 'local'], true);
    expect(beside('local/llama3', ['openai/gpt-5.1', 'local/llama3'], opencode)).toEqual([]);
    expect(beside('local/llama3', ['local/llama3'], opencode)).toEqual([]);
  });
});

test('prices are dollars for a million tokens', () => {
  expect(offers(UPSTREAMS, undefined).map(({ label }) => label)).toEqual([
    '$1.25 in, $10.00 out for a million tokens',
    'Claude Haiku · $0.025 in, $0.00 out for a million tokens',
  ]);
});

test('a model of an agent has a price, or is not there', () => {
  const offered = offers(UPSTREAMS, agent(['anthropic', 'openai'], true));
  expect(noteOf('openai/gpt-5.1', offered)).toBe('$1.25 in, $10.00 out for a million tokens');
  expect(noteOf('openai/gpt-9', offered)).toBe('not listed by the upstream');
  expect(noteOf('openai/gpt-9', offers(UPSTREAMS, agent(['gemini'], true)))).toBeUndefined();
});
