/**
 * Colours of terminal output (SGR, ECMA-48 8.3.117) as runs of text. Every other sequence (cursor, titles, links) is
 * dropped, so output can neither move nor pretend. A carriage return starts its line again, as progress bars expect.
 */
import { visible } from './visible';

export interface Run {
  text: string;
  /** 0-7 normal, 8-15 bright; `null` is the default colour. */
  color: number | null;
  bold: boolean;
  dim: boolean;
  italic: boolean;
  underline: boolean;
}

const SEQUENCE =
  /\u001b\[([0-9;:?<=>]*)[ -/]*([@-~])|\u001b[\]PX^_][\s\S]*?(?:\u0007|\u001b\\|$)|\u001b\[[0-9;:?<=>]*[ -/]*$|\u001b[ -/]*[0-~]|\u001b/g;

const PLAIN: Omit<Run, 'text'> = { color: null, bold: false, dim: false, italic: false, underline: false };

export function parseAnsi(raw: string): Run[] {
  const text = raw.replaceAll('\r\n', '\n').replace(/^.*\r(?!$)/gm, '');
  const runs: Run[] = [];
  let style = PLAIN;
  let from = 0;
  const emit = (to: number) => {
    if (to > from) runs.push({ ...style, text: visible(text.slice(from, to)) });
  };
  for (const match of text.matchAll(SEQUENCE)) {
    emit(match.index);
    from = match.index + match[0].length;
    if (match[2] === 'm') style = restyle(style, match[1] ?? '');
  }
  emit(text.length);
  return runs;
}

function restyle(style: typeof PLAIN, parameters: string): typeof PLAIN {
  const codes = parameters.split(/[;:]/).map(Number);
  let next = style;
  for (let i = 0; i < codes.length; i += 1) {
    const code = codes[i] ?? 0;
    if (code === 0) next = PLAIN;
    else if (code === 1) next = { ...next, bold: true };
    else if (code === 2) next = { ...next, dim: true };
    else if (code === 3) next = { ...next, italic: true };
    else if (code === 4) next = { ...next, underline: true };
    else if (code === 22) next = { ...next, bold: false, dim: false };
    else if (code === 23) next = { ...next, italic: false };
    else if (code === 24) next = { ...next, underline: false };
    else if (code >= 30 && code <= 37) next = { ...next, color: code - 30 };
    else if (code >= 90 && code <= 97) next = { ...next, color: code - 90 + 8 };
    else if (code === 39) next = { ...next, color: null };
    else if (code === 38 || code === 48) {
      // 256 colours and RGB: the first sixteen are kept, of the others only that it was coloured is lost.
      const color = codes[i + 1] === 5 ? (codes[i + 2] ?? 16) : 16;
      if (code === 38) next = { ...next, color: color < 16 ? color : null };
      i += codes[i + 1] === 5 ? 2 : 4;
    }
  }
  return next;
}
