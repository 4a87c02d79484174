/** Something that is said once: shown whole, to be copied. */
import { useState } from 'react';
import { words } from '../text/english';
import { Button } from '../ui/button';

export function Once({ text, about }: { text: string; about: string }) {
  const [copied, setCopied] = useState(false);
  const copy = () => navigator.clipboard?.writeText(text).then(() => setCopied(true));
  return (
    <div role="status" className="basis-full rounded-lg border border-lamp/40 bg-sunken px-3 py-2.5">
      <p className="mb-1.5 text-[0.8125rem] text-soft">{about}</p>
      <div className="flex items-start gap-2">
        <code className="min-w-0 grow font-mono text-code break-all select-all">{text}</code>
        <Button size="small" onClick={() => void copy()}>
          {copied ? words.tokens.copied : words.tokens.copy}
        </Button>
      </div>
    </div>
  );
}
