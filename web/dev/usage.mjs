/** What the double says was used: there is no store of its own behind it. */

/** Each session as one request; of the model of the stories nobody knows the price. */
export function usage(sessions, query, person, repositories) {
  const by = query.get('by') ?? 'repository';
  const of = (session) => {
    const view = session.view();
    const key = { repository: view.repository, person: person.name, model: 'scripted', session: view.id, prices: '' }[
      by
    ];
    const title = by === 'session' ? view.title : null;
    return {
      key: key ?? view.created_at.slice(0, 10),
      title,
      requests: 1,
      unpriced: 1,
      estimated: 0,
      tokens: view.tokens,
    };
  };
  const sum = (rows, key, title) => {
    const tokens = { input: 0, output: 0, cached: 0, cache_written: 0, reasoning: 0 };
    for (const row of rows) for (const kind of Object.keys(tokens)) tokens[kind] += row.tokens[kind];
    const cost = { micros: 0, is_partial: rows.length > 0 };
    return { key, title, requests: rows.length, unpriced: rows.length, estimated: 0, tokens, cost };
  };
  const rows = sessions.map(of);
  const items = [...new Set(rows.map((row) => row.key))].map((key) => {
    const same = rows.filter((row) => row.key === key);
    return sum(same, key, same[0].title);
  });
  const month = new Date();
  const [from, until] = [0, 1].map((n) =>
    new Date(Date.UTC(month.getUTCFullYear(), month.getUTCMonth() + n)).toISOString(),
  );
  const budget = (whose, name, spent_micros, reserved_micros) => {
    return { whose, name, spent_micros, reserved_micros, budget_micros: 50_000_000, until };
  };
  const budgets = [
    budget('deployment', null, 12_340_000, 350_000),
    budget('person', person.name, 43_000_000, 0),
    budget('repository', repositories[0], 50_120_000, 0),
  ];
  return { by, since: from, items, total: sum(rows, '', null), is_cut: false, budgets };
}

/** All of a session's as asked for in its last turn. */
export function usageOf(session) {
  const { turn, tokens, cost, model } = session.view();
  return { items: turn === 0 ? [] : [{ turn, model: model ?? 'scripted', requests: 1, tokens, cost }] };
}
