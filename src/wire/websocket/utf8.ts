/** Whether text that arrives in pieces is UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF. */
import { isUtf8 } from 'node:buffer';

const CONTINUATION_MIN = 0x80;
const CONTINUATION_MAX = 0xbf;
/** A character that is cut at the end of a piece has at most this many bytes there. */
const CUT_BYTES_MAX = 3;

export class Utf8Check {
  /** Continuation bytes that the current character still needs. */
  #missing = 0;
  /** What the next of them may be. */
  #min = CONTINUATION_MIN;
  #max = CONTINUATION_MAX;

  /** Whether the text could end here. */
  get isComplete(): boolean {
    return this.#missing === 0;
  }

  /** @returns whether everything so far is, or can still become, UTF-8 */
  push(bytes: Buffer): boolean {
    let start = 0;
    while (this.#missing > 0 && start < bytes.length) {
      if (!this.#step(bytes[start] ?? 0)) return false;
      start += 1;
    }
    const cut = cutAt(bytes, start);
    if (!isUtf8(bytes.subarray(start, cut))) return false;
    for (let index = cut; index < bytes.length; index += 1) {
      if (!this.#step(bytes[index] ?? 0)) return false;
    }
    return true;
  }

  #step(byte: number): boolean {
    if (this.#missing === 0) return this.#lead(byte);
    if (byte < this.#min || byte > this.#max) return false;
    this.#missing -= 1;
    this.#min = CONTINUATION_MIN;
    this.#max = CONTINUATION_MAX;
    return true;
  }

  /** The bounds of the second byte are the table of RFC 3629 section 4. */
  #lead(byte: number): boolean {
    if (byte < 0xc2 || byte > 0xf4) return byte < 0x80;
    this.#missing = characterBytes(byte) - 1;
    if (byte === 0xe0) this.#min = 0xa0;
    else if (byte === 0xed) this.#max = 0x9f;
    else if (byte === 0xf0) this.#min = 0x90;
    else if (byte === 0xf4) this.#max = 0x8f;
    return true;
  }
}

function characterBytes(lead: number): number {
  if (lead < 0xc0) return 1;
  if (lead < 0xe0) return 2;
  return lead < 0xf0 ? 3 : 4;
}

/** Where a last character begins that is not whole; the end when there is none. */
function cutAt(bytes: Buffer, start: number): number {
  const from = Math.max(start, bytes.length - CUT_BYTES_MAX);
  for (let index = bytes.length - 1; index >= from; index -= 1) {
    const byte = bytes[index] ?? 0;
    if (byte >= CONTINUATION_MIN && byte <= CONTINUATION_MAX) continue;
    return index + characterBytes(byte) > bytes.length ? index : bytes.length;
  }
  return bytes.length;
}
