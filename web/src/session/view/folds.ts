/** Which items of the timeline are open. It is kept apart from them: far ones are not on the page, and come back as they were. */
import { createContext, useContext, useSyncExternalStore } from 'react';

export class Folds {
  #open = new Set<string>();
  #listeners = new Set<() => void>();

  has = (key: string): boolean => this.#open.has(key);

  set(key: string, open: boolean): void {
    if (open) this.#open.add(key);
    else this.#open.delete(key);
    for (const listener of this.#listeners) listener();
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
}

export const FoldsContext = createContext<Folds>(new Folds());

/** Whether the item is open, and what opens or closes it. */
export function useFold(key: string): [boolean, () => void] {
  const folds = useContext(FoldsContext);
  const open = useSyncExternalStore(folds.subscribe, () => folds.has(key));
  return [open, () => folds.set(key, !open)];
}
