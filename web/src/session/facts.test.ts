import { expect, test } from 'vitest';
import type { Event } from '../api/events';
import type { SessionView } from '../api/types';
import { applyFact } from './facts';

test('of several that ask for leave the first is told until it is answered', () => {
  const asked = (request: number) =>
    ({ type: 'permission_asked', turn: 1, request, call: { id: 'x' }, options: [], deadline: 9 }) as Event;
  const answered = (request: number) => ({ type: 'permission_answered', request }) as Event;
  const told = (...events: Event[]) => {
    const begun = { permission: null, last_seq: 0 } as unknown as SessionView;
    const view = events.reduce((view, event, n) => applyFact(view, { seq: n + 1, at: 0, event }, false), begun);
    return view.permission?.request;
  };
  expect(told(asked(7), asked(8))).toBe(7);
  expect(told(asked(7), asked(8), answered(8))).toBe(7);
  expect(told(asked(7), answered(7))).toBe(undefined);
});
