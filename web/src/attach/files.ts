/** Files for a prompt: uploaded as soon as they are chosen, and remembered by this tab until the prompt is sent. */

import { useCallback, useEffect, useRef, useState } from 'react';
import { ApiError, api, asApiError } from '../api/client';
import type { Attachment } from '../api/types';
import { words } from '../text/english';
import { size } from '../text/format';
import { readStorage, writeStorage } from '../ui/hooks';

/** As the server has it; here, so that nobody waits for an upload that is refused. */
export const MOST_FILES = 10;
const LARGEST_BYTES = 10 * 1024 * 1024;

/** Of images that are shown to an agent; of larger ones it is told where they are. */
const SHOWN_BYTES = 3_750_000;
const SHOWN_TOTAL_BYTES = 5 * SHOWN_BYTES;

/** The images among a prompt's files that an agent is not shown, by their ids: too large, or too many. */
export function toldByPath(files: Pick<Attachment, 'id' | 'media_type' | 'bytes'>[]): Set<string> {
  let left = SHOWN_TOTAL_BYTES;
  const told = new Set<string>();
  for (const { id, media_type, bytes } of files) {
    if (!media_type.startsWith('image/')) continue;
    if (bytes > Math.min(SHOWN_BYTES, left)) told.add(id);
    else left -= bytes;
  }
  return told;
}

/** A file on its way into a prompt. */
export type Waiting =
  | { key: string; name: string; state: 'uploading' }
  | { key: string; name: string; state: 'failed'; error: ApiError }
  | { key: string; name: string; state: 'ready'; file: Attachment };

export interface Files {
  items: Waiting[];
  add: (files: Iterable<File>) => void;
  remove: (key: string) => void;
  /** What was sent is not waiting any more; what came since then is. */
  sent: (files: Attachment[]) => void;
  /** Those that a prompt can name. */
  ready: Attachment[];
  uploading: boolean;
  failed: boolean;
}

export function useFiles(draft: string): Files {
  const storage = `lamplight.files.${draft}`;
  const [items, setItems] = useState<Waiting[]>(() => remembered(storage));
  const serial = useRef(items.length);
  const shown = useRef(true);
  useEffect(() => {
    shown.current = true;
    return () => {
      shown.current = false;
    };
  }, []);
  useEffect(() => {
    const ready = items.flatMap((item) => (item.state === 'ready' ? [item.file] : []));
    writeStorage(sessionStorage, storage, ready.length > 0 ? JSON.stringify(ready) : null);
  }, [items, storage]);

  const add = useCallback(
    (files: Iterable<File>) => {
      const chosen = Array.from(files, (file) => {
        serial.current += 1;
        return { key: String(serial.current), file };
      });
      const began = chosen.map(({ key, file }, place): Waiting => {
        const error = refusal(file, items.length + place);
        const { name } = file;
        return error ? { key, name, state: 'failed', error } : { key, name, state: 'uploading' };
      });
      setItems((now) => [...now, ...began]);
      for (const { key, file } of chosen) {
        if (began.find((item) => item.key === key)?.state !== 'uploading') continue;
        const become = (change: (item: Waiting) => Waiting) =>
          shown.current && setItems((now) => now.map((item) => (item.key === key ? change(item) : item)));
        api
          .upload(file)
          .then((attachment) => become(() => ({ key, name: attachment.name, state: 'ready', file: attachment })))
          .catch((thrown: unknown) =>
            become(({ name }) => ({ key, name, state: 'failed', error: asApiError(thrown) })),
          );
      }
    },
    [items.length],
  );
  const remove = useCallback((key: string) => setItems((now) => now.filter((item) => item.key !== key)), []);
  const sent = useCallback((files: Attachment[]) => {
    const ids = new Set(files.map(({ id }) => id));
    setItems((now) => now.filter((item) => item.state !== 'ready' || !ids.has(item.file.id)));
  }, []);
  return {
    items,
    add,
    remove,
    sent,
    ready: items.flatMap((item) => (item.state === 'ready' ? [item.file] : [])),
    uploading: items.some((item) => item.state === 'uploading'),
    failed: items.some((item) => item.state === 'failed'),
  };
}

/** Why this file is not even uploaded, as the n-th after `before` others. */
export function refusal(file: { size: number }, before: number): ApiError | null {
  if (before >= MOST_FILES) {
    return new ApiError({
      code: 'too_many_attachments',
      status: 400,
      detail: words.attach.tooMany(MOST_FILES),
      what_to_do: words.attach.tooManyAdvice,
    });
  }
  if (file.size > LARGEST_BYTES) {
    return new ApiError({
      code: 'attachment_too_large',
      status: 413,
      detail: words.attach.tooLarge(size(LARGEST_BYTES)),
      what_to_do: words.attach.tooLargeAdvice,
    });
  }
  return null;
}

function remembered(storage: string): Waiting[] {
  try {
    const files = JSON.parse(readStorage(sessionStorage, storage) ?? '[]') as Attachment[];
    return files.map((file, place) => ({ key: String(place + 1), name: file.name, state: 'ready', file }));
  } catch {
    return [];
  }
}

/** What was pasted or dropped, as files; text is left to the text field. */
export function filesOf(data: DataTransfer | null): File[] {
  return data ? Array.from(data.files) : [];
}
