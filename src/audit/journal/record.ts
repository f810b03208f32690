/**
 * A record of the journal: the events of one workspace that were written together. Numbers are big-endian.
 *
 *      0  4  "SJ1\n"
 *      4  4  length of the body in bytes
 *      8  4  1 where somebody waits for the events' places in the chain, else 0
 *     12  8  the record's number in its journal: 0, 1, 2 …
 *     20     the body, UTF-8: the workspace's id, and a line for each event, with a line feed between any two
 *        32  HMAC-SHA256 over the journal's id and everything above (`keys.ts`)
 *
 * An event's line is `at,type,actor.kind,actor.id,server or null`, a tab, and `data`, each as in the canonical form of
 * `canonical.ts`, which has neither tabs nor line feeds.
 */
import { err, limits, ok, type Result, type WorkspaceId } from '../../kernel/index.ts';
import { type PreparedEvent, quoted } from '../canonical.ts';
import type { JournalKeys } from './keys.ts';

const MAGIC = Buffer.from('SJ1\n');
const LENGTH_AT = 4;
const WANTED_AT = 8;
const NUMBER_AT = 12;
const BODY_AT = 20;
const MAC_BYTES = 32;
const LINE_FEED = 0x0a;
/** UTF-8 of one UTF-16 code unit. */
const BYTES_PER_CHAR = 3;
const SCRATCH_BYTES = 64 * 1024;

export interface JournalRecord {
  readonly number: number;
  readonly workspace: WorkspaceId;
  readonly events: readonly PreparedEvent[];
  /** Whether an author waits for the events' places in the chain. */
  readonly isPlaceWanted: boolean;
  /** Its size in the file. */
  readonly bytes: number;
}

/**
 * `incomplete`: the bytes end before the record does, or there are only zeros, as a crash leaves them.
 * `forged`: they are not what was written, whoever or whatever changed them.
 */
export type RecordFault = 'incomplete' | 'forged';

export interface RecordOutline {
  readonly number: number;
  readonly workspace: WorkspaceId;
  /** Lines of events. */
  readonly lines: readonly string[];
  readonly isPlaceWanted: boolean;
}

/** The line of an event. */
export function lineOf({ at, type, actorKind, actorId, server, data }: PreparedEvent): string {
  const place = server === null ? 'null' : quoted(server);
  return `${at},"${type}","${actorKind}",${quoted(actorId)},${place}\t${data}`; // types and kinds need no escapes
}

export class RecordEncoder {
  readonly #journal: string;
  readonly #keys: JournalKeys;
  readonly #scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);

  constructor(journal: string, keys: JournalKeys) {
    this.#journal = journal;
    this.#keys = keys;
    MAGIC.copy(this.#scratch);
  }

  /** @returns bytes that are good until the next call */
  encode({ number, workspace, lines, isPlaceWanted }: RecordOutline): Buffer {
    let chars = workspace.length;
    for (const line of lines) chars += line.length + 1;
    const bytes = this.#room(BODY_AT + chars * BYTES_PER_CHAR + MAC_BYTES);
    let end = BODY_AT + bytes.write(workspace, BODY_AT);
    for (const line of lines) {
      bytes[end] = LINE_FEED;
      end += 1 + bytes.write(line, end + 1);
    }
    bytes.writeUInt32BE(end - BODY_AT, LENGTH_AT);
    bytes.writeUInt32BE(isPlaceWanted ? 1 : 0, WANTED_AT);
    bytes.writeBigUInt64BE(BigInt(number), NUMBER_AT);
    this.#keys.recordMac(this.#journal, bytes.subarray(0, end)).copy(bytes, end);
    return bytes.subarray(0, end + MAC_BYTES);
  }

  #room(size: number): Buffer {
    if (size <= this.#scratch.length) return this.#scratch;
    const bytes = Buffer.allocUnsafe(size);
    MAGIC.copy(bytes);
    return bytes;
  }
}

/** The record that begins at `from`. What follows it does not matter. */
export function decodeRecord(
  bytes: Buffer,
  from: number,
  journal: string,
  keys: JournalKeys,
): Result<JournalRecord, RecordFault> {
  const begin = bytes.subarray(from, from + MAGIC.length);
  if (!begin.equals(MAGIC.subarray(0, begin.length))) {
    return err(isZero(bytes.subarray(from)) ? 'incomplete' : 'forged');
  }
  if (bytes.length - from < BODY_AT) return err('incomplete');
  const length = bytes.readUInt32BE(from + LENGTH_AT);
  if (length > limits.auditJournalBodyBytesMax) return err('forged');
  const end = from + BODY_AT + length;
  if (bytes.length < end + MAC_BYTES) return err('incomplete');
  if (!keys.isRecordGenuine(journal, bytes.subarray(from, end), bytes.subarray(end, end + MAC_BYTES))) {
    return err('forged');
  }
  const [workspace = '', ...lines] = bytes.toString('utf8', from + BODY_AT, end).split('\n');
  return ok({
    number: Number(bytes.readBigUInt64BE(from + NUMBER_AT)),
    workspace: workspace as WorkspaceId, // the MAC vouches for what `encode` was given
    events: lines.map(eventOf),
    isPlaceWanted: bytes.readUInt32BE(from + WANTED_AT) === 1,
    bytes: end + MAC_BYTES - from,
  });
}

/**
 * Whether a genuine record begins anywhere behind the first byte: then what is before it was not torn by a crash. No
 * crash leaves many places that look like the beginning of one, each with a MAC to be made: those were put there.
 */
export function hidesRecord(bytes: Buffer, journal: string, keys: JournalKeys): boolean {
  let looks = 0;
  for (let at = bytes.indexOf(MAGIC, 1); at >= 0; at = bytes.indexOf(MAGIC, at + 1)) {
    looks += 1;
    if (looks > limits.auditJournalRestLooksMax || decodeRecord(bytes, at, journal, keys).ok) return true;
  }
  return false;
}

const isZero = (bytes: Buffer): boolean => bytes.every((byte) => byte === 0);

function eventOf(line: string): PreparedEvent {
  const tab = line.indexOf('\t');
  const [at, type, actorKind, actorId, server] = JSON.parse(`[${line.slice(0, tab)}]`) as unknown[];
  // The MAC vouches for it: `lineOf` wrote it from one.
  return { at, type, actorKind, actorId, server, data: line.slice(tab + 1) } as PreparedEvent;
}
