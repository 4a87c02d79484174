/** One file of the sandbox: text with colours, an image, or that it is neither. */

import { useQuery } from '@tanstack/react-query';
import { api, asApiError, fileAddress } from '../api/client';
import type { FolderEntry } from '../api/types';
import { useStore } from '../session/view/context';
import { CodeBlock, languageOf } from '../text/Code';
import { words } from '../text/english';
import { exactTime, size } from '../text/format';
import { visibleName } from '../text/visible';
import { Button } from '../ui/button';
import { ProblemNote } from '../ui/problem';
import { SaveLink } from './Files';
import { join } from './paths';

/** Characters that are shown; a browser with more in one block is no longer a pleasure. */
const MOST_CHARACTERS = 300_000;

export function FileView({ folder, file }: { folder: string; file: FolderEntry }) {
  const store = useStore();
  const path = join(folder, file.name);
  const content = useQuery({
    queryKey: ['file', store.id, path, file.modified_at, file.bytes],
    queryFn: () => api.fileText(store.id, path, MOST_CHARACTERS),
    staleTime: 0,
  });
  const shown = content.data;
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <div className="flex items-center gap-3 border-b border-line px-3 py-1.5 text-2xs text-soft">
        <span>{file.kind === 'link' ? words.files.link : size(file.bytes)}</span>
        <span className="truncate">{exactTime(Date.parse(file.modified_at))}</span>
        <span className="grow" />
        <SaveLink path={path} name={file.name} />
      </div>
      <div className="min-h-0 flex-1 overflow-auto overscroll-contain p-3">
        {content.error ? (
          <ProblemNote error={asApiError(content.error)}>
            <Button size="small" onClick={() => void content.refetch()}>
              {words.common.tryAgain}
            </Button>
          </ProblemNote>
        ) : null}
        {shown?.kind === 'image' ? (
          <img src={fileAddress(store.id, path, false)} alt={visibleName(file.name)} className="max-w-full" />
        ) : null}
        {shown?.kind === 'other' ? <p className="py-6 text-center text-faint">{words.files.other}</p> : null}
        {shown?.kind === 'text' ? (
          <>
            {shown.text === '' ? <p className="py-6 text-center text-faint">{words.files.empty}</p> : null}
            {shown.text === '' ? null : <CodeBlock code={shown.text} language={languageOf(file.name)} />}
            {shown.whole ? null : <p className="pt-2 text-2xs text-faint">{words.files.beginning}</p>}
          </>
        ) : null}
      </div>
    </div>
  );
}
