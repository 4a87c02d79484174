/** Every key of the page, on "?". */
import { useState } from 'react';
import { words } from '../text/english';
import { useCommands } from './commands';
import { Dialog } from './dialog';
import { useKeys } from './hooks';

const KEYS: [string[], string][] = [
  [['Ctrl', 'K'], 'Go to a session, or do something'],
  [['j'], 'Next session in the list'],
  [['k'], 'Previous session in the list'],
  [['Enter'], 'Open it'],
  [['/'], 'Find in the list, or in the log'],
  [['x'], 'Choose it, for several at once'],
  [['e'], 'Archive what is chosen'],
  [['n'], 'New session'],
  [['u'], 'Back to all sessions'],
  [['i'], 'Write a follow-up'],
  [['d'], 'Show or hide the changes'],
  [['['], 'Previous turn'],
  [[']'], 'Next turn'],
  [['G'], 'Newest entry'],
  [['t'], 'Show or hide times'],
  [['Ctrl', '.'], 'Stop the turn'],
  [['Ctrl', 'Enter'], 'Start the session'],
  [['?'], 'This list'],
];

export function Shortcuts() {
  const [shown, setShown] = useState(false);
  useKeys({ '?': () => setShown(true) });
  useCommands([{ id: 'keys', title: words.palette.keys, keys: '?', run: () => setShown(true) }]);
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
