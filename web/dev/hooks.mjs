/** Hooks of the double: they are kept and never told anything, so that one delivery is always dead. */
import { Refused } from './refused.mjs';
import { ulid } from './ulid.mjs';

export function hookRoutes() {
  const hooks = new Map();
  const find = (id) => {
    const hook = hooks.get(id);
    if (!hook) throw new Refused(404, 'hook_not_found', `There is no hook ${id}.`, 'List the hooks.');
    return hook;
  };
  const one = (rest) => new RegExp(`^/hooks/([0-9A-Z]{26})${rest}$`);
  return [
    ['GET', /^\/hooks$/, () => ({ items: [...hooks.values()] })],
    [
      'POST',
      /^\/hooks$/,
      ({ body }) => {
        if (!body.url.startsWith('https://'))
          throw new Refused(400, 'hook_url_unusable', 'It does not begin with https://.', 'Take another address.');
        const hook = {
          id: ulid(),
          url: body.url,
          events: body.events,
          created_by: 'Ada',
          created_at: new Date().toISOString(),
          delivered_at: null,
          disabled: 'nothing came through for a day; at last it answered 500',
          waiting: 0,
          dead: 1,
        };
        hooks.set(hook.id, hook);
        return [201, { ...hook, secret: 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD' }];
      },
    ],
    ['DELETE', one(''), ({ ids }) => [204, void hooks.delete(find(ids[0]).id)]],
    ['POST', one('/test'), ({ ids }) => ({ delivered: find(ids[0]).dead < 0, outcome: 'it answered 500' })],
    [
      'POST',
      one('/retry'),
      ({ ids }) => {
        const hook = find(ids[0]);
        Object.assign(hook, { disabled: null, dead: 0, waiting: 1 });
        return { retried: 1 };
      },
    ],
    [
      'GET',
      one('/deliveries'),
      ({ ids }) => ({
        items: [
          {
            id: 1,
            session_id: ulid(),
            seq: 7,
            event: 'turn.ended',
            at: new Date().toISOString(),
            status: find(ids[0]).dead > 0 ? 'dead' : 'waiting',
            due_at: null,
            delivered_at: null,
            tries: 8,
            outcome: 'it answered 500',
          },
        ],
        next_cursor: null,
      }),
    ],
  ];
}
