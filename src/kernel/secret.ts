import { timingSafeEqual } from 'node:crypto';
import { inspect } from 'node:util';

const SHOWN = '[secret]';

/**
 * A plaintext that must not be printed by accident. Every implicit conversion gives `[secret]`;
 * `reveal()` and `bytes()` are the only ways in, and the linter lists who may call them.
 */
export class Secret {
  #bytes: Buffer;
  #destroyed = false;

  private constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** From UTF-8 text. The string itself stays in the JavaScript heap until collected: prefer bytes where there is a choice. */
  static fromString(text: string): Secret {
    return new Secret(Buffer.from(text, 'utf8'));
  }

  /** Takes ownership: the caller must not use or keep `bytes` afterwards, because `destroy()` zeroes them. */
  static fromBytes(bytes: Uint8Array): Secret {
    return new Secret(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  }

  /** Length in bytes. */
  get length(): number {
    return this.#bytes.length;
  }

  /** The value as UTF-8 text. @throws Error when it was destroyed */
  reveal(): string {
    return this.bytes().toString('utf8');
  }

  /** The value's own bytes, not a copy: read only, and not after `destroy()`. @throws Error when it was destroyed */
  bytes(): Buffer {
    if (this.#destroyed) throw new Error('secret used after it was destroyed');
    return this.#bytes;
  }

  /** Constant-time comparison for equal lengths. */
  equals(other: Secret): boolean {
    return this.length === other.length && timingSafeEqual(this.bytes(), other.bytes());
  }

  /** The same value with a life of its own. @throws Error when it was destroyed */
  copy(): Secret {
    return new Secret(Buffer.from(this.bytes()));
  }

  /** Overwrites the value with zeros. Further use throws. */
  destroy(): void {
    this.#bytes.fill(0);
    this.#destroyed = true;
  }

  [Symbol.dispose](): void {
    this.destroy();
  }

  toString(): string {
    return SHOWN;
  }

  toJSON(): string {
    return SHOWN;
  }

  [Symbol.toPrimitive](): string {
    return SHOWN;
  }

  [inspect.custom](): string {
    return SHOWN;
  }
}
