/** Files that wait for their prompt, and the ways to choose them: a button, pasting, dropping. */

import { type ClipboardEvent, type ReactNode, useEffect, useRef, useState } from 'react';
import { attachmentAddress } from '../api/client';
import { words } from '../text/english';
import { size } from '../text/format';
import { visible } from '../text/visible';
import { Button } from '../ui/button';
import { Icon } from '../ui/icons';
import { type Files, filesOf, toldByPath, type Waiting } from './files';

/** Takes what is pasted into it, and what is dropped anywhere on the page that nothing else takes: a browser would leave the page for it. */
export function DropPlace({ files, className, children }: { files: Files; className: string; children: ReactNode }) {
  const [over, setOver] = useState(false);
  const { add } = files;
  useEffect(() => {
    const onDragOver = (event: DragEvent) => {
      if (!event.dataTransfer?.types.includes('Files')) return;
      setOver(!event.defaultPrevented);
      event.preventDefault();
    };
    const onDragLeave = (event: DragEvent) => {
      // Out of the window; between two elements of it there is the other one.
      if (event.relatedTarget === null) setOver(false);
    };
    const onDrop = (event: DragEvent) => {
      setOver(false);
      const taken = filesOf(event.dataTransfer);
      if (event.defaultPrevented || taken.length === 0) return;
      event.preventDefault();
      add(taken);
    };
    window.addEventListener('dragover', onDragOver);
    window.addEventListener('dragleave', onDragLeave);
    window.addEventListener('drop', onDrop);
    return () => {
      window.removeEventListener('dragover', onDragOver);
      window.removeEventListener('dragleave', onDragLeave);
      window.removeEventListener('drop', onDrop);
    };
  }, [add]);
  const onPaste = (event: ClipboardEvent) => {
    const taken = filesOf(event.clipboardData);
    if (taken.length === 0) return;
    event.preventDefault();
    add(taken);
  };
  return (
    <div onPaste={onPaste} className={`${className} ${over ? 'outline-2 outline-offset-2 outline-lamp-fill' : ''}`}>
      {children}
    </div>
  );
}

export function AttachButton({ files, className = '' }: { files: Files; className?: string }) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        aria-label={words.attach.choose}
        onChange={(event) => {
          files.add(event.target.files ?? []);
          event.target.value = '';
        }}
      />
      <Button
        look="quiet"
        size="icon"
        className={className}
        aria-label={words.attach.button}
        title={words.attach.hint}
        onClick={() => input.current?.click()}
      >
        <Icon name="clip" />
      </Button>
    </>
  );
}

export function ChosenFiles({ files, className = '' }: { files: Files; className?: string }) {
  if (files.items.length === 0) return null;
  const byPath = toldByPath(files.ready);
  return (
    <ul aria-label={words.attach.label} className={`flex flex-wrap gap-1.5 ${className}`}>
      {files.items.map((item) => (
        <Chosen
          key={item.key}
          item={item}
          byPath={item.state === 'ready' && byPath.has(item.file.id)}
          remove={() => files.remove(item.key)}
        />
      ))}
    </ul>
  );
}

interface ChosenProps {
  item: Waiting;
  /** The agent is not shown it. */
  byPath: boolean;
  remove: () => void;
}

function Chosen({ item, byPath, remove }: ChosenProps) {
  const failed = item.state === 'failed';
  return (
    <li
      className={`flex max-w-full items-center gap-2 rounded-lg border py-1 pr-1 pl-1.5 text-[0.8125rem] ${failed ? 'border-bad/35 bg-bad-tint' : 'border-line bg-sunken'}`}
    >
      {item.state === 'ready' && item.file.media_type.startsWith('image/') ? (
        <img src={attachmentAddress(item.file.id)} alt="" className="size-8 rounded-md bg-raised object-cover" />
      ) : (
        <span className="grid size-8 place-items-center text-faint">
          <Icon
            name={failed ? 'alert' : item.state === 'uploading' ? 'spinner' : 'read'}
            className={failed ? 'text-bad' : item.state === 'uploading' ? 'animate-spin' : ''}
          />
        </span>
      )}
      <span className="min-w-0">
        <span className="block max-w-60 truncate" title={visible(item.name)}>
          {visible(item.name)}
        </span>
        <span className={`block text-2xs ${failed ? '' : 'text-faint'}`} role={failed ? 'alert' : undefined}>
          {item.state === 'ready' ? size(item.file.bytes) : null}
          {byPath ? `. ${words.attach.byPath}` : null}
          {item.state === 'uploading' ? words.attach.uploading : null}
          {failed ? `${item.error.message} ${item.error.whatToDo}` : null}
        </span>
      </span>
      <Button look="quiet" size="small" aria-label={words.attach.remove(visible(item.name))} onClick={remove}>
        <Icon name="cross" className="size-3.5" />
      </Button>
    </li>
  );
}
