/**
 * Values of parameters as HTTP header values (revision 2026-07-28, "Value Encoding"): plain where they are visible
 * ASCII, else `=?base64?…?=` around their UTF-8. Read strictly: what has two readings is refused, never guessed at.
 */

/** RFC 9110 section 5.5: visible ASCII, space and tab. */
const PLAIN = /^[\t\x20-\x7e]*$/;
const WRAPPED = /^=\?base64\?(.*)\?=$/s;
/** RFC 4648 section 4, with its padding. */
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** What arrives as it was sent, whatever stands in between: visible ASCII, with spaces only inside. */
const AS_IS = /^(?:[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)?$/;

export const encodeHeaderValue = (value: string): string =>
  AS_IS.test(value) && !WRAPPED.test(value)
    ? value
    : `=?base64?${Buffer.from(value, 'utf8').toString('base64')}?=`;

/** @returns null for a value that nobody may send: other characters, or base64 that is none */
export function decodeHeaderValue(value: string): string | null {
  if (!PLAIN.test(value)) return null;
  const wrapped = WRAPPED.exec(value)?.[1];
  if (wrapped === undefined) return value;
  if (!BASE64.test(wrapped)) return null;
  const bytes = Buffer.from(wrapped, 'base64');
  // Bits that no byte is made of would let several texts stand for one value.
  if (bytes.toString('base64') !== wrapped) return null;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}
