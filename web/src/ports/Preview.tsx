/** What a program in the sandbox serves, in a frame on an origin of its own. */
import { useState } from 'react';
import { words } from '../text/english';
import { Button } from '../ui/button';
import { Icon } from '../ui/icons';

/**
 * What a preview may do in its frame. Its scripts and its storage are its own, as its origin is; it may not lead this page
 * elsewhere.
 */
const MAY = 'allow-scripts allow-same-origin allow-forms allow-popups allow-modals allow-downloads';

interface PreviewProps {
  title: string;
  /** Host and port of its origin. */
  authority: string;
  /** Where a browser is let in. */
  address: string;
}

export function Preview({ title, authority, address }: PreviewProps) {
  // Another number loads it anew.
  const [load, setLoad] = useState(0);
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <div className="flex items-center gap-2 border-b border-line bg-sunken px-3 py-1 text-2xs text-soft">
        <span className="min-w-0 flex-1 truncate font-mono">{authority}</span>
        <Button
          look="quiet"
          size="small"
          aria-label={words.preview.again(title)}
          title={words.preview.againTitle}
          onClick={() => setLoad(load + 1)}
        >
          <Icon name="again" className="size-3.5" />
        </Button>
      </div>
      <iframe
        key={load}
        title={title}
        src={address}
        sandbox={MAY}
        referrerPolicy="no-referrer"
        // Its ground is its own business, and usually white.
        className="min-h-0 w-full flex-1 bg-white"
      />
    </div>
  );
}
