/** The command line for what this page does. */

import type { SessionView } from '../api/types';
import { words } from '../text/english';

export function commandsOf({ id, branch, base, repository, ended }: SessionView): { does: string; command: string }[] {
  return [
    { does: words.commands.follow, command: `lamplight logs -f ${id}` },
    { does: words.commands.show, command: `lamplight show ${id}` },
    ...(ended ? [] : [{ does: words.commands.prompt, command: `lamplight prompt ${id} "…" --attach FILE` }]),
    ...(ended ? [] : [{ does: words.commands.code, command: `lamplight code ${id}` }]),
    { does: words.commands.artifacts, command: `lamplight artifacts ${id} --save artifacts` },
    { does: words.commands.diff, command: `lamplight diff ${id}` },
    { does: words.commands.branch, command: `git -C ${quoted(repository)} switch ${quoted(branch)}` },
    { does: words.commands.merge(base), command: `lamplight merge ${id}` },
    ...(ended ? [] : [{ does: words.commands.stop, command: `lamplight stop ${id}` }]),
  ];
}

/** As one word of a shell, whatever is in it. */
export function quoted(word: string): string {
  return /^[\w./:@%+=,-]+$/.test(word) && !word.startsWith('-') ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
