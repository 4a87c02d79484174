/** The command line for what this page does. */
import type { SessionView } from '../api/types';

export function commandsOf({ id, branch, base, repository, ended }: SessionView): { does: string; command: string }[] {
  return [
    { does: 'Follow it', command: `lamplight logs -f ${id}` },
    { does: 'See all about it', command: `lamplight show ${id}` },
    ...(ended
      ? []
      : [{ does: 'Say something more, with a picture', command: `lamplight prompt ${id} "…" --attach FILE` }]),
    ...(ended ? [] : [{ does: 'Open VS Code in its sandbox', command: `lamplight code ${id}` }]),
    { does: 'See its changes', command: `lamplight diff ${id}` },
    { does: 'Try its branch in your own repository', command: `git -C ${quoted(repository)} switch ${quoted(branch)}` },
    { does: `Merge it into ${base}`, command: `lamplight merge ${id}` },
    ...(ended ? [] : [{ does: 'Stop the turn', command: `lamplight stop ${id}` }]),
  ];
}

/** As one word of a shell, whatever is in it. */
export function quoted(word: string): string {
  return /^[\w./:@%+=,-]+$/.test(word) && !word.startsWith('-') ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
