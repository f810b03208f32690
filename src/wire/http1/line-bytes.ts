/** What a byte may be within the lines of a head. Tables, because every byte of every head is looked up. */

export const CR = 13;
export const LF = 10;
export const HTAB = 9;
export const SPACE = 32;
export const COLON = 58;

function table(isIn: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => (isIn(byte) ? 1 : 0));
}

/** HTAB, SP, visible ASCII, and obs-text, which is passed through as it is (RFC 9110 section 5.5). */
export const VALUE_BYTE: Uint8Array = table((byte) => byte === HTAB || (byte >= SPACE && byte !== 0x7f));

/** Visible ASCII. */
export const TARGET_BYTE: Uint8Array = table((byte) => byte > SPACE && byte < 0x7f);

export const isBlank = (byte: number | undefined): boolean => byte === SPACE || byte === HTAB;

/** Whether a line ends at `at` as it must. */
export const isLineEnd = (bytes: Uint8Array, at: number): boolean => bytes[at] === CR && bytes[at + 1] === LF;

/** Whether the bytes at `start` are exactly `expected`. */
export function sameBytes(bytes: Uint8Array, start: number, expected: Uint8Array): boolean {
  for (let index = 0; index < expected.length; index += 1) {
    if (bytes[start + index] !== expected[index]) return false;
  }
  return true;
}
