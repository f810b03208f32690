/**
 * Strings next to each other, such as items of an array or texts of content blocks, that hold one secret between them: put
 * together at their ends, searched, and what crosses from one to the next is masked in each.
 */
import { limits } from '../kernel/index.ts';
import type { Edit } from './edit.ts';
import { resolve } from './edit.ts';
import { bytesOf } from './text-bytes.ts';
import { editFor, type Tools } from './text-masking.ts';

export interface JoinedString {
  readonly text: string;
}

/** A part of one of the strings, and where it stands in what was put together. */
interface Piece {
  readonly index: number;
  /** Position in its own string. */
  readonly start: number;
  readonly joinedStart: number;
  readonly joinedEnd: number;
}

/** Ends whatever is looked for. */
const BREAK = '\u0000';

/** @returns edits of each string that has any, resolved */
export function joinedEdits(
  tools: Tools,
  strings: readonly JoinedString[],
): readonly { readonly index: number; readonly edits: readonly Edit[] }[] {
  const { text, pieces } = join(strings);
  const byIndex = new Map<number, Edit[]>();
  const place = { text, bytes: bytesOf(text), from: 0, to: text.length, key: '' };
  for (const { start, end, detector, rule } of tools.joinScanner.scan(place).findings) {
    const touched = pieces.filter(({ joinedStart, joinedEnd }) => joinedStart < end && joinedEnd > start);
    if (touched.length < 2) continue;
    for (const piece of touched) {
      const from = Math.max(start, piece.joinedStart);
      const to = Math.min(end, piece.joinedEnd);
      const offset = piece.start - piece.joinedStart;
      const edit = editFor(
        tools,
        text.slice(from, to),
        { start: from + offset, end: to + offset },
        { rule, detector },
      );
      byIndex.set(piece.index, [...(byIndex.get(piece.index) ?? []), edit]);
    }
  }
  return Array.from(byIndex, ([index, edits]) => ({ index, edits: resolve(edits) }));
}

/** The ends of long strings, and short ones whole. */
function join(strings: readonly JoinedString[]): {
  readonly text: string;
  readonly pieces: readonly Piece[];
} {
  const parts: string[] = [];
  const pieces: Piece[] = [];
  let length = 0;
  const add = (index: number, start: number, part: string): void => {
    if (part === '') return;
    pieces.push({ index, start, joinedStart: length, joinedEnd: length + part.length });
    parts.push(part);
    length += part.length;
  };
  const most = limits.maskingJoinCharsMax;
  for (const [index, { text }] of strings.entries()) {
    if (text.length <= 2 * most) {
      add(index, 0, text);
      continue;
    }
    add(index, 0, text.slice(0, most));
    parts.push(BREAK);
    length += BREAK.length;
    add(index, text.length - most, text.slice(-most));
  }
  return { text: parts.join(''), pieces };
}
