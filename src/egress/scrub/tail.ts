/**
 * How much of a stream's end has to wait for the next bytes. That is decided by what kind of bytes stand there, and
 * never by whether they are the beginning of a secret: whoever can make an upstream send a guess, and sees whether
 * the guess is held back, would learn the secret character by character.
 */
import type { Pattern, Unit } from './pattern.ts';
import { step, type TrieNode } from './trie.ts';

export interface Tail {
  /** By byte: 1 when it can stand in a secret or an encoding of one. */
  readonly carriers: Uint8Array;
  /** No match is longer, in bytes. Rounded up, so that it says little about the length of a secret. */
  readonly reach: number;
  /** No match begins with a line break or holds an empty line: one ends whatever came before it. */
  readonly endsAtEmptyLine: boolean;
}

/** What secrets and their encodings are made of, whichever secrets a set has. */
const USUAL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789%\\&#;+/=-_.~';
const REACH_STEP_BYTES = 256;
const LF = 10;
const CR = 13;

export function tailOf(patterns: readonly Pattern[]): Tail {
  const carriers = new Uint8Array(256);
  for (const byte of Buffer.from(USUAL)) carriers[byte] = 1;
  for (const { edges } of new Set(patterns.flatMap(({ units }) => units)))
    for (const byte of edges.bytes) carriers[byte] = 1;
  const longest = Math.max(...patterns.map(({ bytesMax }) => bytesMax));
  return {
    carriers,
    reach: Math.ceil(longest / REACH_STEP_BYTES) * REACH_STEP_BYTES,
    endsAtEmptyLine: !patterns.some(({ units }) => holdsEmptyLine(units)),
  };
}

/** Two ends of lines with nothing between them; CR LF is one. */
const EMPTY_LINE = /(?:\r\n|\n|\r(?!\n))[\r\n]/;

/** Whether a match can begin with a line break, or hold an empty line. */
function holdsEmptyLine(units: readonly Unit[]): boolean {
  if (units[0]?.trie.bytes.some(isLineBreak) === true) return true;
  return EMPTY_LINE.test(
    units.map(({ trie }) => (isSpelled(trie, LF) ? '\n' : isSpelled(trie, CR) ? '\r' : '.')).join(''),
  );
}

/** Whether the byte alone is a spelling. */
const isSpelled = (trie: TrieNode, byte: number): boolean => (step(trie, byte)?.accept ?? -1) >= 0;

/** Where in `data` the part begins that has to wait. A match that begins before it has ended, too. */
export function tailStart({ carriers, reach, endsAtEmptyLine }: Tail, data: Buffer): number {
  const first = Math.max(0, data.length - reach);
  let at = data.length;
  let lineEnds = 0;
  while (at > first) {
    const byte = data[at - 1] ?? 0;
    if (carriers[byte] === 0) break;
    if (!isLineBreak(byte)) lineEnds = 0;
    else if (byte === LF || data[at] !== LF) lineEnds += 1;
    if (endsAtEmptyLine && lineEnds > 1) break;
    at -= 1;
  }
  while (endsAtEmptyLine && at < data.length && isLineBreak(data[at])) at += 1;
  return at;
}

const isLineBreak = (byte: number | undefined): boolean => byte === LF || byte === CR;
