/**
 * What can be seen of a unit through a hole three bytes wide: the groups of bytes that its spellings begin with,
 * end with and hold. Several bytes are packed into a number, first byte lowest.
 */
import type { Spelling } from './spelling.ts';

export interface Edges {
  /** Every byte of the spellings, wherever it stands. */
  readonly bytes: readonly number[];
  /** First one, two, three bytes of the spellings that are at least so long. */
  readonly first1: readonly number[];
  readonly first2: readonly number[];
  readonly first3: readonly number[];
  /** Last one and two bytes. */
  readonly last1: readonly number[];
  readonly last2: readonly number[];
  /** Spellings of exactly one and two bytes. */
  readonly only1: readonly number[];
  readonly only2: readonly number[];
  /** Every three bytes within a spelling. */
  readonly inner: readonly number[];
}

export function edgesOf(spellings: readonly Spelling[]): Edges {
  const texts = spellings.map((spelling) => spelling.bytes);
  const atLeast = (length: number): readonly string[] => texts.filter((text) => text.length >= length);
  const exactly = (length: number): readonly string[] => texts.filter((text) => text.length === length);
  return {
    bytes: pack(Array.from(texts.join(''))),
    first1: pack(texts.map((text) => text.slice(0, 1))),
    first2: pack(atLeast(2).map((text) => text.slice(0, 2))),
    first3: pack(atLeast(3).map((text) => text.slice(0, 3))),
    last1: pack(texts.map((text) => text.slice(-1))),
    last2: pack(atLeast(2).map((text) => text.slice(-2))),
    only1: pack(exactly(1)),
    only2: pack(exactly(2)),
    inner: pack(
      atLeast(3).flatMap((text) =>
        Array.from({ length: text.length - 2 }, (_, index) => text.slice(index, index + 3)),
      ),
    ),
  };
}

/** Each group once, as a number. */
function pack(groups: readonly string[]): readonly number[] {
  return [...new Set(groups)].map((group) =>
    Array.from(group).reduce((packed, byte, index) => packed | (byte.charCodeAt(0) << (8 * index)), 0),
  );
}
