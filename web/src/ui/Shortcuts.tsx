/** Every key of the page, on "?". */
import { useState } from 'react';
import { words } from '../text/english';
import { useCommands } from './commands';
import { Dialog } from './dialog';
import { useKeys } from './hooks';

const KEYS: [string[], string][] = [
  [['Ctrl', 'K'], words.keys.palette],
  [['j'], words.keys.next],
  [['k'], words.keys.previous],
  [['Enter'], words.keys.open],
  [['/'], words.keys.find],
  [['x'], words.keys.choose],
  [['e'], words.keys.archive],
  [['n'], words.keys.newSession],
  [['u'], words.keys.list],
  [['i'], words.keys.followUp],
  [['d'], words.keys.changes],
  [['t'], words.keys.terminals],
  [['Shift', 'Esc'], words.keys.leaveTerminal],
  [['e'], words.keys.code],
  [['p'], words.keys.ports],
  [['g'], words.keys.review],
  [['f'], words.keys.files],
  [['a'], words.keys.artifacts],
  [['c'], words.keys.cost],
  [['y'], words.keys.details],
  [['['], words.keys.previousTurn],
  [[']'], words.keys.nextTurn],
  [['G'], words.keys.latest],
  [['T'], words.keys.times],
  [['Ctrl', '.'], words.keys.stop],
  [['Ctrl', 'Enter'], words.keys.start],
  [['?'], words.keys.keys],
];

export function Shortcuts() {
  const [shown, setShown] = useState(false);
  useKeys({ '?': () => setShown(true) });
  useCommands([{ id: 'keys', title: words.palette.keys, keys: '?', run: () => setShown(true) }]);
  if (!shown) return null;
  return (
    <Dialog title={words.keys.title} onClose={() => setShown(false)}>
      <dl className="grid grid-cols-[auto_1fr] items-center gap-x-4 gap-y-2 text-[0.8125rem]">
        {KEYS.map(([keys, does]) => (
          <div key={does} className="contents">
            <dt className="flex justify-end gap-1">
              {keys.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd className="text-soft">{does}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
