/**
 * Text of agents and repositories, shown so that it cannot look like something else: characters that turn the writing
 * direction, hide, or control a terminal become visible marks. Newlines and tabs stay. Source of the list: Unicode TR 36
 * and "Trojan Source" (CVE-2021-42574).
 */

const DECEPTIVE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;

export function visible(text: string): string {
  return text.replace(DECEPTIVE, (character) => {
    if (character === '\r') return '';
    const code = character.codePointAt(0) ?? 0;
    return `\u27e8U+${code.toString(16).toUpperCase().padStart(4, '0')}\u27e9`;
  });
}

/** A file's name or path: it may have newlines and tabs in it, and is one line all the same. */
export function visibleName(name: string): string {
  return visible(
    name.replace(/[\n\t]/g, (character) => (character === '\n' ? '\u27e8newline\u27e9' : '\u27e8tab\u27e9')),
  );
}

/** One line of it. */
export function oneLine(text: string): string {
  return visible(text.replace(/\s+/g, ' ').trim());
}
