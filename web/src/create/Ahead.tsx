/** While a task is being written, what its session would wait for is made. */
import { useQuery } from '@tanstack/react-query';
import { api } from '../api/client';
import type { NewSession } from '../api/types';
import { words } from '../text/english';
import { usePaused } from '../ui/hooks';

/** What is still being typed, such as a path, is asked for once typing pauses. */
const PAUSE_MS = 300;
/** Between two looks at what is being made. */
const LOOK_MS = 1_000;

interface AheadProps {
  /** Something is written. */
  begun: boolean;
  like: Pick<NewSession, 'repository' | 'agent' | 'base' | 'image' | 'network'>;
}

/** Says nothing of what cannot be made: starting the session does. */
export function Ahead({ begun, like }: AheadProps) {
  const spec = usePaused(JSON.stringify(like), PAUSE_MS);
  const { data } = useQuery({
    queryKey: ['ahead', spec],
    queryFn: () => api.ahead({ ...like, prompt: '' }),
    enabled: begun && spec === JSON.stringify(like) && Boolean(like.repository?.startsWith('/')),
    refetchInterval: (query) => (query.state.data?.state === 'begun' ? LOOK_MS : false),
    retry: false,
  });
  if (!begun || !data || data.state === 'no') return null;
  return <output className="text-2xs text-faint">{words.create.ahead[data.state]}</output>;
}
