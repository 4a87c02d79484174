/** A sentence of english.ts with parts that are more than text in it. */
import { Fragment, type ReactNode } from 'react';

/** Each `{name}` of the sentence is where the part of that name is put; another language may put it elsewhere. */
export function Filled({ sentence, parts }: { sentence: string; parts: Readonly<Record<string, ReactNode>> }) {
  return sentence
    .split(/\{(\w+)\}/)
    .map((piece, place) => <Fragment key={place}>{place % 2 === 1 ? parts[piece] : piece}</Fragment>);
}
