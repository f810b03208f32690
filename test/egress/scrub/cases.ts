/**
 * Answers that hold a key: every way of writing it (`renditions.ts`) in every content coding. For whoever carries
 * such answers in a framing of its own, and cuts them.
 */
import {
  brotliCompressSync,
  constants,
  deflateRawSync,
  deflateSync,
  gzipSync,
  zstdCompressSync,
} from 'node:zlib';
import { type Rendition } from './renditions.ts';

export interface Coding {
  readonly label: string;
  /** The `Content-Encoding` that says so. */
  readonly header: string | undefined;
  readonly encode: (plain: Buffer) => Buffer;
}

const halves = (plain: Buffer): readonly Buffer[] => [
  plain.subarray(0, plain.length >> 1),
  plain.subarray(plain.length >> 1),
];

/** A frame that says nothing, which decoders skip (RFC 8878 section 3.1.2). */
export function skippableFrame(bytes: number): Buffer {
  const frame = Buffer.alloc(8 + bytes, 'x');
  frame.writeUInt32LE(0x184d2a5b, 0);
  frame.writeUInt32LE(bytes, 4);
  return frame;
}

/** Of those in several pieces, the pieces meet in the middle of the plain text, which is where the key is. */
export const CODINGS: readonly Coding[] = [
  { label: 'identity', header: undefined, encode: (plain) => plain },
  { label: 'identity by name', header: 'identity', encode: (plain) => plain },
  { label: 'gzip', header: 'gzip', encode: (plain) => gzipSync(plain) },
  { label: 'x-gzip in capitals', header: ' X-GZIP ', encode: (plain) => gzipSync(plain) },
  { label: 'gzip without compression', header: 'gzip', encode: (plain) => gzipSync(plain, { level: 0 }) },
  {
    label: 'gzip of two members',
    header: 'gzip',
    encode: (plain) => Buffer.concat(halves(plain).map((half) => gzipSync(half))),
  },
  { label: 'deflate', header: 'deflate', encode: (plain) => deflateSync(plain) },
  { label: 'raw deflate', header: 'deflate', encode: (plain) => deflateRawSync(plain) },
  { label: 'br', header: 'br', encode: (plain) => brotliCompressSync(plain) },
  {
    label: 'br without compression',
    header: 'br',
    encode: (plain) => brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 0 } }),
  },
  { label: 'zstd', header: 'zstd', encode: (plain) => zstdCompressSync(plain) },
  {
    label: 'zstd of two frames',
    header: 'zstd',
    encode: (plain) => Buffer.concat(halves(plain).map((half) => zstdCompressSync(half))),
  },
  {
    label: 'zstd with skippable frames',
    header: 'zstd',
    encode: (plain) =>
      Buffer.concat([
        skippableFrame(3),
        ...halves(plain).flatMap((half) => [zstdCompressSync(half), skippableFrame(0)]),
        skippableFrame(9),
      ]),
  },
  { label: 'gzip in br', header: 'gzip, br', encode: (plain) => brotliCompressSync(gzipSync(plain)) },
  {
    label: 'deflate in zstd in gzip',
    header: 'deflate, zstd, gzip',
    encode: (plain) => gzipSync(zstdCompressSync(deflateSync(plain))),
  },
];

export interface BodyCase {
  readonly rendition: Rendition;
  readonly coding: Coding;
  /** What stands around the key, and must come through. */
  readonly before: Buffer;
  readonly after: Buffer;
  /** The body on the wire. */
  readonly coded: Buffer;
}

/** Ends, and begins, in a byte that no encoding holds. */
const BEFORE = Buffer.from('{"id":1,"got":"');
const AFTER = Buffer.from('","more":"\u00e9t cetera"}');

export function bodyCase(rendition: Rendition, coding: Coding): BodyCase {
  const coded = coding.encode(Buffer.concat([BEFORE, rendition.bytes, AFTER]));
  return { rendition, coding, before: BEFORE, after: AFTER, coded };
}

/** What is wrong with what came through; nothing when the key is masked and the rest is as it was. */
export function faultsOf({ rendition, before, after }: BodyCase, through: Buffer): readonly string[] {
  const faults: string[] = [];
  if (through.includes(rendition.bytes)) faults.push('the key came through');
  if (!through.subarray(0, before.length).equals(before)) faults.push('what stands before the key changed');
  if (!through.subarray(-after.length).equals(after)) faults.push('what stands after the key changed');
  if (through.length <= before.length + after.length) faults.push('nothing stands in for the key');
  const half = rendition.bytes.length >> 1;
  // A piece that got out before the rest was known would stand beside the mask.
  for (const part of [rendition.bytes.subarray(0, half), rendition.bytes.subarray(half)])
    if (through.includes(part)) faults.push('a half of the key came through');
  return faults;
}
