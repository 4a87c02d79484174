import { expect, test } from 'vitest';
import { score } from './commands';

test('the better an entry answers what is typed, the higher it is', () => {
  const check = (title: string, typed: string, wanted: number) =>
    expect(score(title, typed), `${typed}: ${title}`).toBe(wanted);
  check('New session', '', 1);
  check('New session', 'new', 4);
  check('New session', 'sess', 3);
  check('Show the changes', 'ch sh', 3);
  check('Show the changes', 'ange', 2);
  check('Show the changes', 'stc', 1);
  check('Show the changes', 'xyz', 0);
  check('Äpfel zählen', 'zäh', 3);
});
