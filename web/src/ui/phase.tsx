/** A phase as a dot and a word. The word always says what the colour says. */
import type { Phase } from '../api/types';

const LOOK: Record<Phase, { word: string; dot: string; text: string }> = {
  queued: { word: 'Queued', dot: 'border-[1.5px] border-faint', text: 'text-soft' },
  starting: { word: 'Starting', dot: 'bg-calm text-calm lit', text: 'text-calm' },
  planning: { word: 'Planning', dot: 'bg-plan text-plan lit', text: 'text-plan' },
  executing: { word: 'Executing', dot: 'bg-dot-lamp text-dot-lamp lit', text: 'text-lamp' },
  waiting_for_you: { word: 'Waiting for you', dot: 'bg-dot-warn text-dot-warn lit', text: 'text-warn font-medium' },
  stuck: { word: 'Stuck', dot: 'border-2 border-dot-warn', text: 'text-warn' },
  paused: { word: 'Paused', dot: 'border-[1.5px] border-calm', text: 'text-calm' },
  done: { word: 'Done', dot: 'bg-dot-good', text: 'text-good' },
  failed: { word: 'Failed', dot: 'bg-dot-bad', text: 'text-bad' },
};

export function phaseWord(phase: Phase): string {
  return LOOK[phase].word;
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
      {LOOK[phase].word}
    </span>
  );
}
