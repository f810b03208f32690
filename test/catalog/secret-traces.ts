/**
 * Looks for a secret, or a piece of one, in bytes: in every encoding that answers are scrubbed of. Written apart from
 * the product's scrubber, so that a form which that one overlooks is not overlooked here too.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

/** Bytes of a secret that give it away, taken at every eighth position and at the end: no 23 in a row escape. */
const PIECE_BYTES = 16;
const PIECE_STEP_BYTES = 8;

export interface Needle {
  readonly encoding: string;
  readonly bytes: Buffer;
}

/**
 * What to look for: the secret and each of its pieces, in each encoding.
 *
 * @param spare text that it begins with and that anybody may see: no pieces of that. The secret itself: no pieces at all
 */
export function needlesOf(secret: string, spare = ''): Needle[] {
  const whole = Buffer.from(secret, 'utf8');
  const needles = encodingsOf(whole);
  const last = whole.length - PIECE_BYTES;
  for (let at = spare.length; at < last; at += PIECE_STEP_BYTES) {
    needles.push(...encodingsOf(whole.subarray(at, at + PIECE_BYTES)));
  }
  if (last >= spare.length) needles.push(...encodingsOf(whole.subarray(last)));
  return needles;
}

/** Encodings in which any of the needles stands in `haystack`, without repeats. */
export function tracesIn(haystack: Uint8Array, needles: readonly Needle[]): string[] {
  const bytes = Buffer.from(haystack.buffer, haystack.byteOffset, haystack.byteLength);
  const found = needles.filter((needle) => bytes.includes(needle.bytes)).map((needle) => needle.encoding);
  return [...new Set(found)];
}

/** Paths below `home` of files with a trace. The packages are left out: they were there before the keys, and are read-only. */
export function filesWithTraces(home: string, needles: readonly Needle[]): string[] {
  return filesBelow(home, ['packages'])
    .filter((path) => tracesIn(unlessGone(() => readFileSync(path)) ?? Buffer.of(), needles).length > 0)
    .map((path) => relative(home, path));
}

function filesBelow(folder: string, except: readonly string[] = []): string[] {
  const entries = unlessGone(() => readdirSync(folder, { withFileTypes: true })) ?? [];
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return except.includes(entry.name) ? [] : filesBelow(path);
    return entry.isFile() ? [path] : [];
  });
}

/** A gateway that runs removes what it needs no more, such as the record of a cell. */
function unlessGone<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}

function encodingsOf(piece: Buffer): Needle[] {
  const hex = piece.toString('hex');
  const bytesAs = (write: (byte: number) => string): string => [...piece].map(write).join('');
  const hexOf = (byte: number): string => byte.toString(16).padStart(2, '0');
  const text = piece.toString('latin1');
  const texts: [string, string][] = [
    ['raw', text],
    ['hex', hex],
    ['hex, upper case', hex.toUpperCase()],
    ['percent', bytesAs((byte) => `%${hexOf(byte)}`)],
    ['percent, upper case', bytesAs((byte) => `%${hexOf(byte).toUpperCase()}`)],
    ['percent, where needed', encodeURIComponent(text)],
    ['JSON escapes', bytesAs((byte) => `\\u00${hexOf(byte)}`)],
    ['JSON escapes, upper case', bytesAs((byte) => `\\u00${hexOf(byte).toUpperCase()}`)],
    ['HTML, decimal', bytesAs((byte) => `&#${byte};`)],
    ['HTML, hex', bytesAs((byte) => `&#x${hexOf(byte)};`)],
    ...[0, 1, 2].flatMap((alignment): [string, string][] => {
      const inner = innerBase64(piece, alignment);
      return [
        [`base64, alignment ${alignment}`, inner],
        [`base64url, alignment ${alignment}`, inner.replaceAll('+', '-').replaceAll('/', '_')],
      ];
    }),
  ];
  const utf16 = Buffer.from(text, 'utf16le');
  return [
    ...texts.map(([encoding, form]) => ({ encoding, bytes: Buffer.from(form, 'latin1') })),
    { encoding: 'UTF-16 LE', bytes: utf16 },
    { encoding: 'UTF-16 BE', bytes: Buffer.from(utf16).swap16() },
  ];
}

/** The characters of a longer text's base64 that depend on `piece` alone, when it begins `alignment` bytes into a group of three. */
function innerBase64(piece: Buffer, alignment: number): string {
  const encoded = Buffer.concat([Buffer.alloc(alignment), piece])
    .toString('base64')
    .replaceAll('=', '');
  const first = Math.ceil((alignment * 8) / 6);
  const last = Math.floor(((alignment + piece.length) * 8) / 6);
  return encoded.slice(first, last);
}
