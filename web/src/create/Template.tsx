/** The text that a repository offers to begin a task with, as long as nothing is written. */
import { useQuery } from '@tanstack/react-query';
import { offerQuery } from '../api/queries';
import { words } from '../text/english';
import { oneLine } from '../text/visible';
import { Button } from '../ui/button';
import { usePaused } from '../ui/hooks';
import { Icon } from '../ui/icons';

/** A path that is being typed is asked for once typing pauses. */
const PAUSE_MS = 300;

interface TemplateProps {
  repository: string;
  written: string;
  take: (text: string) => void;
}

export function Template({ repository, written, take }: TemplateProps) {
  const path = usePaused(repository.trim(), PAUSE_MS);
  const template = useQuery({ ...offerQuery(path), enabled: path.startsWith('/') }).data?.template ?? null;
  if (template === null || written.trim() !== '') return null;
  return (
    <div className="mt-2 flex min-w-0 items-center gap-2 text-[0.8125rem] text-faint">
      <Button size="small" onClick={() => take(template)}>
        <Icon name="edit" className="size-3.5" /> {words.create.template}
      </Button>
      <span className="truncate">{oneLine(template.slice(0, 200))}</span>
    </div>
  );
}
