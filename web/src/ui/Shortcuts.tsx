/** Every key of the page, on "?". */
import { useState } from 'react';
import { Dialog } from './dialog';
import { useKeys } from './hooks';

const KEYS: [string[], string][] = [
  [['j'], 'Next session in the list'],
  [['k'], 'Previous session in the list'],
  [['Enter'], 'Open it'],
  [['/'], 'Filter the list'],
  [['n'], 'New session'],
  [['u'], 'Back to all sessions'],
  [['i'], 'Write a follow-up'],
  [['d'], 'Show or hide the changes'],
  [['t'], 'Show or hide the terminals'],
  [['Shift', 'Esc'], 'Leave the terminal'],
  [['p'], 'Show or hide the ports'],
  [['Ctrl', '.'], 'Stop the turn'],
  [['Ctrl', 'Enter'], 'Start the session'],
  [['?'], 'This list'],
];

export function Shortcuts() {
  const [shown, setShown] = useState(false);
  useKeys({ '?': () => setShown(true) });
  if (!shown) return null;
  return (
    <Dialog title="Keys" onClose={() => setShown(false)}>
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
