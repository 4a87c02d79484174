/** A phase as a dot and a word. The word always says what the colour says. */
import type { Phase } from '../api/types';
import { words } from '../text/english';

const LOOK: Record<Phase, { dot: string; text: string }> = {
  queued: { dot: 'border-[1.5px] border-faint', text: 'text-soft' },
  starting: { dot: 'bg-calm text-calm lit', text: 'text-calm' },
  planning: { dot: 'bg-plan text-plan lit', text: 'text-plan' },
  executing: { dot: 'bg-dot-lamp text-dot-lamp lit', text: 'text-lamp' },
  waiting_for_you: { dot: 'bg-dot-warn text-dot-warn lit', text: 'text-warn font-medium' },
  stuck: { dot: 'border-2 border-dot-warn', text: 'text-warn' },
  paused: { dot: 'border-[1.5px] border-calm', text: 'text-calm' },
  done: { dot: 'bg-dot-good', text: 'text-good' },
  failed: { dot: 'bg-dot-bad', text: 'text-bad' },
};

export function phaseWord(phase: Phase): string {
  return words.phases[phase];
}

/** A turn runs, so that time passes and stop does something. */
export function isWorking(phase: Phase): boolean {
  return phase === 'planning' || phase === 'executing' || phase === 'waiting_for_you';
}

/** Something goes on or is about to, so that silence is worth a word. */
export function isBusy(phase: Phase): boolean {
  return phase === 'starting' || phase === 'planning' || phase === 'executing';
}

export function PhaseDot({ phase, className = '' }: { phase: Phase; className?: string }) {
  return (
    <span className={`inline-block size-2 shrink-0 rounded-full ${LOOK[phase].dot} ${className}`} aria-hidden="true" />
  );
}

export function PhaseLabel({ phase, className = '' }: { phase: Phase; className?: string }) {
  return (
    <span className={`inline-flex items-center gap-2 whitespace-nowrap ${LOOK[phase].text} ${className}`}>
      <PhaseDot phase={phase} />
      {words.phases[phase]}
    </span>
  );
}
