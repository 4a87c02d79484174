/** Keys of the double, and the models of whoever has one. */
import { Refused } from './refused.mjs';

const MODELS = {
  openai: [{ id: 'gpt-5.1', title: null, price: { input: 1.25, cached: 0.125, output: 10 } }],
  anthropic: [{ id: 'claude-sonnet-4-5', title: 'Claude Sonnet 4.5', price: { input: 3, cached: 0.3, output: 15 } }],
  gemini: [],
  local: [{ id: 'local/llama3', title: null, price: { input: 0, cached: 0, output: 0 } }],
};
/** The one of the configuration's, which wants no key. */
const OWN = 'local';

export function keyring() {
  const keys = new Map(
    Object.keys(MODELS).map((name) => [name, { name, key: null, set_at: null, base: `https://${name}.example/v1` }]),
  );
  const shown = ({ name, key, set_at, base }) => ({
    name,
    source: key !== null ? 'stored' : name === OWN ? 'not_needed' : 'missing',
    set_at,
    variable: null,
    base,
    problem: null,
  });
  const keyOf = (name) => {
    const key = keys.get(name);
    if (!key) throw new Refused(404, 'upstream_unknown', 'There is no such upstream.', 'Take one of these names.');
    return key;
  };
  const set = (name, { key }) => {
    const known = keyOf(name);
    if (typeof key !== 'string' || key.trim().length < 8)
      throw new Refused(400, 'key_unusable', 'A key of fewer than 8 characters cannot be used.', 'Copy it again.');
    Object.assign(known, { key: key.trim(), set_at: new Date().toISOString() });
    return shown(known);
  };
  const remove = (name) => {
    const known = keyOf(name);
    if (known.key === null) throw new Refused(404, 'key_not_stored', `No key is stored for ${name}.`, 'Nothing.');
    Object.assign(known, { key: null, set_at: null });
  };
  // A key that ends in "wrong" is refused, as a vendor would.
  const tested = ({ name, key }) =>
    key === null && name !== OWN
      ? { name, outcome: 'not_configured', detail: 'there is neither a key nor an address', status: null, models: null }
      : key?.endsWith('wrong')
        ? { name, outcome: 'refused', detail: 'refused with 401: Incorrect API key', status: 401, models: null }
        : { name, outcome: 'ok', detail: 'ok', status: null, models: MODELS[name].length };
  const models = (key) => {
    const { outcome, detail } = tested(key);
    return {
      upstream: key.name,
      compatible: key.name === OWN,
      models: outcome === 'ok' ? MODELS[key.name] : [],
      problem: outcome === 'ok' ? null : detail,
    };
  };
  return {
    list: () => ({ items: [...keys.values()].map(shown), github: [] }),
    set,
    remove,
    test: (name) => tested(keyOf(name)),
    models: () => ({ items: [...keys.values()].filter(({ key, name }) => key !== null || name === OWN).map(models) }),
  };
}
