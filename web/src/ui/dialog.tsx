/** The browser's own modal dialog: it traps focus, closes on Escape and needs no style sheet at run time. */

import { type ReactNode, useEffect, useRef } from 'react';
import { words } from '../text/english';
import { Button } from './button';
import { Icon } from './icons';

export function Dialog({ title, onClose, children }: { title: string; onClose: () => void; children: ReactNode }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const shown = dialog.current;
    shown?.showModal();
    return () => shown?.close();
  }, []);
  return (
    <dialog
      ref={dialog}
      aria-label={title}
      onCancel={onClose}
      onClose={onClose}
      className="m-auto w-[min(26rem,calc(100vw-2rem))] rounded-2xl border border-line-strong bg-raised p-5 text-ink shadow-2xl shadow-black/25 backdrop:bg-black/35"
    >
      <div className="mb-3 flex items-center justify-between">
        <h2 className="text-base font-semibold">{title}</h2>
        <Button look="quiet" size="icon" aria-label={words.common.close} onClick={onClose}>
          <Icon name="cross" />
        </Button>
      </div>
      {children}
    </dialog>
  );
}
