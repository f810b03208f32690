/**
 * HMAC-SHA256 (RFC 2104) of many small texts under one key, in two hashes of a piece each: an object of Node's for each of them
 * costs three times as much, and there is one for each call. Holds the key in two blocks, until it is destroyed.
 */
import { hash, type KeyObject } from 'node:crypto';

const BLOCK_BYTES = 64;
const MAC_BYTES = 32;
const INNER = 0x36;
const OUTER = 0x5c;
/** What is longer gets a place of its own. */
const SCRATCH_BYTES = 16 * 1024;

export class RecordMac {
  /** The inner block and room for what is hashed with it; the outer block and room for what comes of that. */
  readonly #inner = Buffer.alloc(SCRATCH_BYTES, INNER);
  readonly #outer = Buffer.alloc(BLOCK_BYTES + MAC_BYTES, OUTER);
  #isDestroyed = false;

  /** @param key of at most 64 bytes */
  constructor(key: KeyObject) {
    const bytes = key.export();
    if (bytes.length > BLOCK_BYTES) throw new Error('the key of a MAC is longer than a block');
    for (const [index, byte] of bytes.entries()) {
      this.#inner[index] = byte ^ INNER;
      this.#outer[index] = byte ^ OUTER;
    }
    bytes.fill(0);
  }

  /** Over the prefix in UTF-8 and the record. @throws Error after `destroy` */
  of(prefix: string, record: Uint8Array): Buffer {
    if (this.#isDestroyed) throw new Error('journal key used after it was destroyed');
    const room = BLOCK_BYTES + 3 * prefix.length + record.length;
    const inner = room <= SCRATCH_BYTES ? this.#inner : this.#wider(room);
    const begin = BLOCK_BYTES + inner.write(prefix, BLOCK_BYTES);
    inner.set(record, begin);
    hash('sha256', inner.subarray(0, begin + record.length), 'buffer').copy(this.#outer, BLOCK_BYTES);
    if (inner !== this.#inner) inner.fill(0, 0, BLOCK_BYTES);
    return hash('sha256', this.#outer, 'buffer');
  }

  destroy(): void {
    this.#isDestroyed = true;
    this.#inner.fill(0);
    this.#outer.fill(0);
  }

  #wider(bytes: number): Buffer {
    const wider = Buffer.allocUnsafeSlow(bytes);
    this.#inner.copy(wider, 0, 0, BLOCK_BYTES);
    return wider;
  }
}
