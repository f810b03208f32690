/**
 * Placeholders: random stand-ins with the shape of a real key. A pattern is literal text with fields in
 * braces, e.g. `ghp_{alnum:36}`. What is made here goes into cells; it must be unguessable and must not turn
 * up in a request by chance, hence the least entropy and length that `parsePlaceholder` asks for.
 */
import { AppError, err, limits, ok, type Random, type Result } from '../kernel/index.ts';
import type { Complaint } from './report.ts';

const DIGITS = '0123456789';
const UPPER = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';
const LOWER = 'abcdefghijklmnopqrstuvwxyz';

/** Field kinds and the characters they draw from. */
const ALPHABETS = new Map<string, string>([
  ['alnum', DIGITS + UPPER + LOWER],
  ['hex', '0123456789abcdef'],
  ['digit', DIGITS],
  ['upper', UPPER],
  ['lower', LOWER],
  ['base64url', `${UPPER}${LOWER}${DIGITS}-_`],
]);

/** Characters that JSON, HTML and header values carry unchanged, so that a placeholder is found as it was made. */
const LITERAL = /^[A-Za-z0-9._~+/=:@|!$*,;?#^()-]+/;

const UUID_CHARS = 36;
/** A version 4 UUID has 122 random bits (RFC 9562 section 5.4). */
const UUID_BITS = 122;

const SYNTAX =
  'literal text and fields such as {alnum:32}, {hex:N}, {digit:N}, {upper:N}, {lower:N}, {base64url:N}, {uuid}';

export const defaultPlaceholder = '{alnum:32}';

type Part =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'random'; readonly alphabet: string; readonly length: number }
  | { readonly kind: 'uuid' };

/** The parts of a pattern, or what is wrong with it. */
function parseParts(pattern: string): Result<readonly Part[], Complaint> {
  const parts: Part[] = [];
  let rest = pattern;
  while (rest !== '') {
    const literal = LITERAL.exec(rest)?.[0];
    if (literal !== undefined) {
      parts.push({ kind: 'literal', text: literal });
      rest = rest.slice(literal.length);
      continue;
    }
    const field = /^\{([a-z0-9]+)(?::([1-9][0-9]{0,2}))?\}/.exec(rest);
    const part = field === null ? undefined : fieldPart(field[1] ?? '', field[2]);
    if (field === null || part === undefined) {
      const offending = field === null ? rest.slice(0, 16) : field[0];
      return err({
        code: 'manifest_placeholder_invalid',
        message: `${JSON.stringify(offending)} is not a field of a placeholder`,
        expected: SYNTAX,
      });
    }
    parts.push(part);
    rest = rest.slice(field[0].length);
  }
  return ok(parts);
}

function fieldPart(name: string, count: string | undefined): Part | undefined {
  if (name === 'uuid') return count === undefined ? { kind: 'uuid' } : undefined;
  const alphabet = ALPHABETS.get(name);
  return alphabet === undefined || count === undefined
    ? undefined
    : { kind: 'random', alphabet, length: Number(count) };
}

function measure(parts: readonly Part[]): { bits: number; chars: number } {
  let bits = 0;
  let chars = 0;
  for (const part of parts) {
    if (part.kind === 'literal') chars += part.text.length;
    else if (part.kind === 'uuid') {
      bits += UUID_BITS;
      chars += UUID_CHARS;
    } else {
      bits += part.length * Math.log2(part.alphabet.length);
      chars += part.length;
    }
  }
  return { bits, chars };
}

/** Why a pattern may not be used; undefined when it may. */
export function placeholderFault(pattern: string): Complaint | undefined {
  const parsed = parseParts(pattern);
  if (!parsed.ok) return parsed.error;
  const { bits, chars } = measure(parsed.value);
  const {
    placeholderEntropyBitsMin: bitsMin,
    placeholderCharsMin: charsMin,
    placeholderCharsMax: charsMax,
  } = limits;
  if (chars < charsMin || chars > charsMax) {
    return {
      code: 'manifest_placeholder_length',
      message: `the placeholder would be ${chars} characters long`,
      expected: `${charsMin} to ${charsMax} characters`,
    };
  }
  if (bits < bitsMin) {
    return {
      code: 'manifest_placeholder_weak',
      message: `the placeholder would have ${Math.floor(bits)} random bits, so it could be guessed`,
      expected: `at least ${bitsMin} random bits, e.g. {alnum:11}`,
    };
  }
  return undefined;
}

/** Random bits of a pattern. @throws AppError `manifest_placeholder_invalid` */
export function placeholderEntropyBits(pattern: string): number {
  return measure(partsOf(pattern)).bits;
}

/** A new placeholder. Every character is drawn uniformly. @throws AppError `manifest_placeholder_invalid` */
export function makePlaceholder(pattern: string, random: Random): string {
  let text = '';
  for (const part of partsOf(pattern)) {
    if (part.kind === 'literal') text += part.text;
    else if (part.kind === 'uuid') text += uuid(random);
    else text += draw(part.alphabet, part.length, random);
  }
  return text;
}

function partsOf(pattern: string): readonly Part[] {
  const parsed = parseParts(pattern);
  if (parsed.ok) return parsed.value;
  const { code, message, expected } = parsed.error;
  throw new AppError(code, `The placeholder pattern cannot be used: ${message}.`, {
    kind: 'invalid',
    hint: `Write ${expected}.`,
  });
}

/** Rejection sampling: a byte beyond the last whole multiple of the alphabet is drawn again, so no character is likelier. */
function draw(alphabet: string, length: number, random: Random): string {
  const bound = 256 - (256 % alphabet.length);
  let text = '';
  while (text.length < length) {
    for (const byte of random.bytes(length - text.length)) {
      if (byte < bound) text += alphabet.charAt(byte % alphabet.length);
    }
  }
  return text;
}

/** Version 4, variant 10 (RFC 9562 section 5.4). */
function uuid(random: Random): string {
  const bytes = Buffer.from(random.bytes(16));
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x40, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
