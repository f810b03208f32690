/**
 * What stands in for a masked secret. The mask is written in the encoding that the secret was found in, so that
 * what surrounds it stays readable: hex stays hex, base64 keeps its length, a JSON string stays one.
 */
import { certainBase64, type Pattern } from './pattern.ts';
import { HTML, JSON_ESCAPE, PERCENT } from './spelling.ts';

const HTML_ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** What a hit is called: the family, or for text the escapes that were used. */
export type Encoding =
  | 'raw'
  | 'percent'
  | 'json'
  | 'html'
  | 'mixed'
  | 'base64'
  | 'base64-base64'
  | 'base64-utf16le'
  | 'hex'
  | 'utf16le'
  | 'utf16be';

export function encodingOf(pattern: Pattern, kinds: number): Encoding {
  if (pattern.family !== 'text') return pattern.family;
  if (kinds === 0) return 'raw';
  if (kinds === PERCENT) return 'percent';
  if (kinds === JSON_ESCAPE) return 'json';
  return kinds === HTML ? 'html' : 'mixed';
}

type Encode = (mask: string, pattern: Pattern, found: Buffer) => Buffer;

const ENCODERS: Readonly<Record<Encoding, Encode>> = {
  raw: (mask) => Buffer.from(mask, 'utf8'),
  mixed: (mask) => Buffer.from(mask, 'utf8'),
  percent: (mask) => Buffer.from(encodeURIComponent(mask)),
  json: (mask) => Buffer.from(JSON.stringify(mask).slice(1, -1)),
  html: (mask) => Buffer.from(mask.replace(/[&<>"']/g, (character) => HTML_ESCAPES[character] ?? character)),
  hex: (mask) => Buffer.from(Buffer.from(mask, 'utf8').toString('hex')),
  base64: maskBase64,
  'base64-base64': (mask, ...found) => maskBase64(Buffer.from(mask, 'utf8').toString('base64url'), ...found),
  'base64-utf16le': (mask, ...found) => maskBase64(Buffer.from(mask, 'utf16le'), ...found),
  utf16le: (mask) => Buffer.from(mask, 'utf16le'),
  utf16be: (mask) => Buffer.from(mask, 'utf16le').swap16(),
};

/**
 * @param mask the text that stands in for the secret
 * @param found the bytes that are masked
 */
export const encodeMask = (mask: string, pattern: Pattern, encoding: Encoding, found: Buffer): Buffer =>
  ENCODERS[encoding](mask, pattern, found);

/** As many base64 characters as the secret had, saying the mask over and over at the secret's alignment. */
function maskBase64(mask: string | Buffer, pattern: Pattern, found: Buffer): Buffer {
  const characters = pattern.units.length;
  const bytes = Buffer.alloc(Math.ceil((characters * 6) / 8) + 3, mask);
  const encoded = certainBase64(bytes, pattern.alignment).slice(0, characters);
  const url = found.includes('-') || found.includes('_');
  return Buffer.from(url ? encoded.replaceAll('+', '-').replaceAll('/', '_') : encoded);
}
