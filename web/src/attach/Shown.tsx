/** Files that came with a prompt: images as thumbnails that open, all else as a link that saves it. */

import { useEffect, useRef, useState } from 'react';
import { attachmentAddress } from '../api/client';
import type { Attachment } from '../api/types';
import { words } from '../text/english';
import { size } from '../text/format';
import { visible } from '../text/visible';
import { Button, buttonClass } from '../ui/button';
import { Icon } from '../ui/icons';

export function ShownFiles({ files }: { files: Attachment[] }) {
  const [open, setOpen] = useState<Attachment | null>(null);
  if (files.length === 0) return null;
  return (
    <>
      <ul aria-label={words.attach.label} className="mt-2 flex flex-wrap gap-1.5">
        {files.map((file) => (
          <li key={`${file.id} ${file.name}`} className="max-w-full">
            {file.media_type.startsWith('image/') ? (
              <button
                type="button"
                onClick={() => setOpen(file)}
                aria-label={words.attach.open(visible(file.name))}
                title={`${visible(file.name)}, ${size(file.bytes)}`}
                className="block overflow-hidden rounded-lg border border-line-strong bg-raised hover:border-lamp-fill"
              >
                <img
                  src={attachmentAddress(file.id)}
                  alt={visible(file.name)}
                  loading="lazy"
                  decoding="async"
                  className="h-24 max-w-48 min-w-16 object-cover"
                />
              </button>
            ) : (
              <a
                href={attachmentAddress(file.id)}
                download={file.name}
                className="flex items-center gap-2 rounded-lg border border-line bg-raised px-2.5 py-1.5 text-[0.8125rem] hover:bg-hover"
              >
                <Icon name="read" className="text-soft" />
                <span className="min-w-0 truncate">{visible(file.name)}</span>
                <span className="shrink-0 text-2xs text-faint">{size(file.bytes)}</span>
              </a>
            )}
          </li>
        ))}
      </ul>
      {open ? <Enlarged file={open} close={() => setOpen(null)} /> : null}
    </>
  );
}

/** As large as the window allows; a click beside it closes it, as Escape does. */
function Enlarged({ file, close }: { file: Attachment; close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const shown = dialog.current;
    shown?.showModal();
    return () => shown?.close();
  }, []);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the dialog itself closes with Escape
    <dialog
      ref={dialog}
      aria-label={visible(file.name)}
      onCancel={close}
      onClose={close}
      onClick={(event) => event.target === dialog.current && close()}
      className="m-auto max-h-[95vh] max-w-[95vw] overflow-hidden rounded-2xl border border-line-strong bg-raised text-ink shadow-2xl shadow-black/25 backdrop:bg-black/60"
    >
      <div className="flex items-center gap-2 py-2 pr-2 pl-4">
        <h2 className="min-w-0 truncate text-[0.875rem] font-semibold">{visible(file.name)}</h2>
        <span className="shrink-0 text-2xs text-faint">{size(file.bytes)}</span>
        <span className="grow" />
        <a
          href={attachmentAddress(file.id)}
          download={file.name}
          className={buttonClass({ look: 'quiet', size: 'small' })}
        >
          <Icon name="down" className="size-3.5" /> {words.common.save}
        </a>
        <Button look="quiet" size="icon" aria-label={words.common.close} onClick={close}>
          <Icon name="cross" />
        </Button>
      </div>
      <img
        src={attachmentAddress(file.id)}
        alt={visible(file.name)}
        className="mx-auto block max-h-[calc(95vh-3.5rem)] max-w-full object-contain"
      />
    </dialog>
  );
}
