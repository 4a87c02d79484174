/** Light, dark, or as the system says. public/theme.js applies the choice before the first paint. */
import { useState } from 'react';
import { words } from '../text/english';
import { Button } from './button';
import { readStorage, useMedia, writeStorage } from './hooks';
import { Icon } from './icons';

const KEY = 'lamplight.theme';

/** One button between light and dark; choosing what the system has anyway goes back to following it. */
export function ThemeToggle() {
  const system = useMedia('(prefers-color-scheme: dark)') ? 'dark' : 'light';
  const [chosen, setChosen] = useState(() => readStorage(localStorage, KEY));
  const shown = chosen === 'dark' || chosen === 'light' ? chosen : system;
  const other = shown === 'dark' ? 'light' : 'dark';
  const toggle = () => {
    const next = other === system ? null : other;
    if (next) document.documentElement.dataset.theme = next;
    else delete document.documentElement.dataset.theme;
    writeStorage(localStorage, KEY, next);
    setChosen(next);
  };
  return (
    <Button look="quiet" size="icon" onClick={toggle} aria-label={words.themes[other]} title={words.themes[other]}>
      <Icon name={shown === 'dark' ? 'sun' : 'moon'} />
    </Button>
  );
}
