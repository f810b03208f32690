/**
 * Reads a journal from its first segment on, record by record. It trusts the key and nothing else: not the files, nor
 * their order.
 */
import { err, limits, ok, type Result } from '../../kernel/index.ts';
import type { JournalKeys } from './keys.ts';
import type { JournalSource } from './ports.ts';
import { decodeRecord, hidesRecord, type JournalRecord } from './record.ts';

/** `forged`: not what was written. `gap`: records are missing. */
export type JournalFault = 'forged' | 'gap';

const CHUNK_BYTES = 1024 * 1024;
/** A record as large as they get, with its head and MAC. */
const RECORD_BYTES_MAX = limits.auditJournalBodyBytesMax + 1024;

export class JournalReader {
  readonly #journal: string;
  readonly #source: JournalSource;
  readonly #keys: JournalKeys;
  #segment: number;
  /** Of the segment, as far as it was read: what begins at `#offset` in the file. */
  #chunk: Buffer = Buffer.alloc(0);
  #offset = 0;
  /** In the chunk. */
  #at = 0;
  #expected: number | null = null;

  constructor(journal: string, source: JournalSource, keys: JournalKeys) {
    this.#journal = journal;
    this.#source = source;
    this.#keys = keys;
    this.#segment = source.segments()[0] ?? 1;
  }

  /** The segment of the record that was read last. */
  get segment(): number {
    return this.#segment;
  }

  /** Null where there is no whole record yet. Once there was a fault, there is no going on. */
  next(): Result<JournalRecord | null, JournalFault> {
    for (;;) {
      const decoded = decodeRecord(this.#chunk, this.#at, this.#journal, this.#keys);
      if (decoded.ok) return this.#took(decoded.value);
      if (decoded.error === 'forged') return err('forged');
      if (this.#readMore()) continue;
      const following = this.#source.segments().find((segment) => segment > this.#segment);
      if (following === undefined) return ok(null);
      // A segment ends with a whole record before there is another one.
      if (this.#at < this.#chunk.length) return err('forged');
      if (following !== this.#segment + 1) return err('gap');
      this.#segment = following;
      this.#chunk = Buffer.alloc(0);
      this.#offset = this.#at = 0;
    }
  }

  /** What lies behind the last whole record: bytes that a crash left there, or genuine records behind changed ones. */
  rest(): Result<number, JournalFault> {
    const rest = this.#source.read(this.#segment, this.#offset + this.#at, limits.auditJournalRestBytesMax);
    return hidesRecord(rest, this.#journal, this.#keys) ? err('forged') : ok(rest.length);
  }

  #took(record: JournalRecord): Result<JournalRecord, JournalFault> {
    if (this.#expected !== null && record.number !== this.#expected) return err('gap');
    this.#expected = record.number + 1;
    this.#at += record.bytes;
    return ok(record);
  }

  /** Whether there is something else in the file than was known: more, or in place of what a failed write had left there. */
  #readMore(): boolean {
    const known = this.#chunk.subarray(this.#at);
    const from = this.#offset + this.#at;
    const length = known.length < CHUNK_BYTES ? CHUNK_BYTES : RECORD_BYTES_MAX;
    this.#chunk = this.#source.read(this.#segment, from, length);
    this.#offset = from;
    this.#at = 0;
    return !this.#chunk.equals(known);
  }
}
