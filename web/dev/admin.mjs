/** What the double says of itself to whoever answers for a server. */

const PARTS = [
  [/^\/sessions\/\w+\/(\w+)$/, (name) => `${name}_session`],
  [/^\/keys\/\w+\/test$/, () => 'test_key'],
];

export class Audit {
  #entries = [];
  #person;

  constructor(person) {
    this.#person = person;
  }

  add(method, path, status, code) {
    if (method === 'GET') return;
    this.#entries.unshift({
      id: this.#entries.length + 1,
      at: new Date().toISOString(),
      person: this.#person.name,
      action: actionOf(method, path),
      subject: path.split('/')[2] ?? null,
      detail: null,
      address: '127.0.0.1',
      outcome: status < 400 ? 'done' : status < 500 ? 'refused' : 'failed',
      code,
    });
  }

  list(query) {
    const limit = Number(query.get('limit') ?? 100);
    const before = Number(query.get('cursor') ?? Number.POSITIVE_INFINITY);
    const found = this.#entries
      .filter(({ id }) => id < before)
      .filter((entry) =>
        ['person', 'action', 'subject', 'outcome'].every((by) => !query.get(by) || entry[by] === query.get(by)),
      );
    return { items: found.slice(0, limit), next_cursor: found.length > limit ? found[limit - 1].id : null };
  }
}

function actionOf(method, path) {
  for (const [pattern, name] of PARTS) {
    const match = pattern.exec(path);
    if (match) return name(match[1]);
  }
  return `${{ POST: 'create', PUT: 'set', DELETE: 'remove' }[method]}_${path.split('/')[1].replace(/s$/, '')}`;
}
