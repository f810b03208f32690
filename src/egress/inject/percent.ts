/** Percent-encoding of bytes (RFC 3986 section 2.1). Text is Latin-1, one character per byte. */

const ESCAPE = /%([0-9A-Fa-f]{2})/g;

/** Undoes one round. What is no escape stays as it is. */
export const decodePercent = (text: string): string =>
  text.replace(ESCAPE, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));

const RESERVED = /[^A-Za-z0-9._~-]/g;

/** Escapes every byte that is not unreserved. */
export const encodePercent = (bytes: Buffer): string =>
  bytes
    .toString('latin1')
    .replace(RESERVED, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);
