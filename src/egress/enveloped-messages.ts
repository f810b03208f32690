/**
 * Where the messages in a gRPC or Connect body end: each has a byte of flags and its length in four bytes before it. A
 * program may wait for all of a message before it sends its own, so none of one that is there may be held back. Key bytes
 * that an upstream spreads over several messages are not put together again, as over several answers.
 */
import type { Fields } from '../wire/index.ts';

/** `grpc-web-text` is coded as a whole, and Connect's single messages have no envelope. */
const ENVELOPED = /^application\/(?:grpc(?:-web)?(?:\+[\w.-]+)?|connect\+[\w.-]+)[ \t]*(?:;|$)/i;
const HEAD_BYTES = 5;
/** Compressed, the end of a Connect stream, and trailers of gRPC-Web. */
const KNOWN_FLAGS = 0x83;

export class EnvelopedMessages {
  /** What is missing of the message under way; 0 before its head is known. */
  #missing = 0;
  #headBytes = 0;
  #length = 0;
  #isOther = false;

  /** Takes the next bytes. @returns whether a message ends with them */
  endsWith(data: Buffer): boolean {
    let at = 0;
    while (at < data.length && !this.#isOther) {
      if (this.#missing > 0) {
        const taken = Math.min(this.#missing, data.length - at);
        this.#missing -= taken;
        at += taken;
      } else {
        this.#head(data[at] ?? 0);
        at += 1;
      }
    }
    return !this.#isOther && this.#missing === 0 && this.#headBytes === 0;
  }

  #head(byte: number): void {
    if (this.#headBytes === 0) this.#isOther = (byte & ~KNOWN_FLAGS) !== 0;
    else this.#length = this.#length * 256 + byte;
    this.#headBytes += 1;
    if (this.#headBytes < HEAD_BYTES) return;
    this.#missing = this.#length;
    this.#headBytes = this.#length = 0;
  }
}

/** Follows the body of an answer; null when no envelopes are declared in it. */
export function envelopedMessages(fields: Fields): EnvelopedMessages | null {
  const type = fields.get('content-type');
  return type !== undefined && ENVELOPED.test(type) ? new EnvelopedMessages() : null;
}
