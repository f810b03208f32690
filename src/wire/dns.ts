/**
 * Just enough DNS for a resolver that answers from a list and forwards nothing. A query is one question and
 * perhaps an EDNS record; anything else is refused. RFC 1035, RFC 6891, RFC 7766.
 */
import { err, limits, ok, type Result } from '../kernel/index.ts';
import { addressBytes } from './address.ts';

export interface DnsQuery {
  readonly id: number;
  /** Lower case, without the trailing dot; a byte outside letters, digits, hyphen and underscore is `\DDD`. */
  readonly name: string;
  /** `A` 1, `AAAA` 28, and whatever else was asked. */
  readonly type: number;
  readonly class: number;
  readonly recursionDesired: boolean;
  /** Largest UDP answer that the client takes, in bytes; `null` without EDNS. */
  readonly ednsPayloadBytes: number | null;
  /** The question section as it arrived, letter case included, to be echoed. */
  readonly question: Uint8Array;
}

export type DnsError =
  | 'dns_too_short'
  | 'dns_too_long'
  | 'dns_not_query'
  | 'dns_opcode'
  | 'dns_truncated'
  | 'dns_question_count'
  | 'dns_record_count'
  | 'dns_compression' /** a compression pointer or a reserved label type */
  | 'dns_name' /** longer than 255 bytes, or cut off */
  | 'dns_class'
  | 'dns_additional' /** an additional record that is no EDNS option record */
  | 'dns_trailing';

export const DNS_TYPE_A = 1;
export const DNS_TYPE_AAAA = 28;
const CLASS_IN = 1;
const TYPE_OPT = 41;
const HEADER_BYTES = 12;
const NAME_BYTES_MAX = 255;
const FLAG_RESPONSE = 0x8000;
const FLAG_TRUNCATED = 0x0200;
const FLAG_RECURSION_DESIRED = 0x0100;
const FLAG_RECURSION_AVAILABLE = 0x0080;

export function parseDnsQuery(bytes: Uint8Array): Result<DnsQuery, DnsError> {
  if (bytes.length < HEADER_BYTES) return err('dns_too_short');
  if (bytes.length > limits.dnsQueryBytesMax) return err('dns_too_long');
  const view = viewOf(bytes);
  const flags = view.getUint16(2);
  if ((flags & FLAG_RESPONSE) !== 0) return err('dns_not_query');
  if ((flags & 0x7800) !== 0) return err('dns_opcode');
  if ((flags & FLAG_TRUNCATED) !== 0) return err('dns_truncated');
  if (view.getUint16(4) !== 1) return err('dns_question_count');
  const additional = view.getUint16(10);
  if (view.getUint16(6) !== 0 || view.getUint16(8) !== 0 || additional > 1) return err('dns_record_count');

  const name = readName(bytes, HEADER_BYTES);
  if (!name.ok) return name;
  const end = name.value.end + 4;
  if (end > bytes.length) return err('dns_name');
  if (view.getUint16(end - 2) !== CLASS_IN) return err('dns_class');
  const edns = additional === 0 ? ok({ payloadBytes: null, end }) : readEdns(view, end);
  if (!edns.ok) return edns;
  if (edns.value.end !== bytes.length) return err('dns_trailing');
  return ok({
    id: view.getUint16(0),
    name: name.value.text,
    type: view.getUint16(end - 4),
    class: CLASS_IN,
    recursionDesired: (flags & FLAG_RECURSION_DESIRED) !== 0,
    ednsPayloadBytes: edns.value.payloadBytes,
    question: Uint8Array.from(bytes.subarray(HEADER_BYTES, end)),
  });
}

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function readName(bytes: Uint8Array, start: number): Result<{ text: string; end: number }, DnsError> {
  const labels: string[] = [];
  let at = start;
  for (;;) {
    const length = bytes[at];
    if (length === undefined) return err('dns_name');
    if (length > limits.hostnameLabelCharsMax) return err('dns_compression');
    at += 1;
    if (at - start + length > NAME_BYTES_MAX) return err('dns_name');
    if (length === 0) return ok({ text: labels.join('.'), end: at });
    const label = bytes.subarray(at, at + length);
    if (label.length < length) return err('dns_name');
    labels.push(labelText(label));
    at += length;
  }
}

function labelText(label: Uint8Array): string {
  let text = '';
  for (const byte of label) {
    const character = String.fromCharCode(byte).toLowerCase();
    text += /^[a-z0-9_-]$/.test(character) ? character : `\\${String(byte).padStart(3, '0')}`;
  }
  return text;
}

function readEdns(view: DataView, at: number): Result<{ payloadBytes: number; end: number }, DnsError> {
  const fixed = 11; // root name, type, payload size, extended flags, data length
  if (at + fixed > view.byteLength) return err('dns_additional');
  if (view.getUint8(at) !== 0 || view.getUint16(at + 1) !== TYPE_OPT) return err('dns_additional');
  const end = at + fixed + view.getUint16(at + 9);
  if (end > view.byteLength) return err('dns_additional');
  return ok({ payloadBytes: view.getUint16(at + 3), end });
}

export type DnsCode = 'noerror' | 'formerr' | 'servfail' | 'nxdomain' | 'notimp' | 'refused';

const CODES: Readonly<Record<DnsCode, number>> = {
  noerror: 0,
  formerr: 1,
  servfail: 2,
  nxdomain: 3,
  notimp: 4,
  refused: 5,
};

export interface DnsAnswer {
  readonly code: DnsCode;
  /** Addresses in text form; only those of the family that was asked for are sent, none for other types. */
  readonly addresses: readonly string[];
  readonly ttlSeconds: number;
  readonly transport: 'udp' | 'tcp';
}

/**
 * The answer to a query, without TCP framing. An answer that does not fit into the client's UDP size keeps the
 * records that do and says that it is truncated.
 */
export function encodeDnsAnswer(query: DnsQuery, answer: DnsAnswer): Buffer {
  const records = answer.code === 'noerror' ? addressRecords(query, answer) : [];
  const edns = query.ednsPayloadBytes === null ? Buffer.alloc(0) : ednsRecord();
  const room = roomFor(query, answer) - HEADER_BYTES - query.question.length - edns.length;
  const fitting: Buffer[] = [];
  let used = 0;
  for (const record of records) {
    if (used + record.length > room) break;
    fitting.push(record);
    used += record.length;
  }
  const header = Buffer.alloc(HEADER_BYTES);
  const truncated = fitting.length < records.length;
  header.writeUInt16BE(query.id, 0);
  header.writeUInt16BE(
    FLAG_RESPONSE |
      (truncated ? FLAG_TRUNCATED : 0) |
      (query.recursionDesired ? FLAG_RECURSION_DESIRED : 0) |
      FLAG_RECURSION_AVAILABLE |
      CODES[answer.code],
    2,
  );
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(fitting.length, 6);
  header.writeUInt16BE(edns.length > 0 ? 1 : 0, 10);
  return Buffer.concat([header, query.question, ...fitting, edns]);
}

function roomFor(query: DnsQuery, answer: DnsAnswer): number {
  if (answer.transport === 'tcp') return 65_535;
  const asked = query.ednsPayloadBytes ?? 0;
  return Math.max(limits.dnsUdpAnswerBytesMax, Math.min(asked, limits.dnsEdnsPayloadBytesMax));
}

function addressRecords(query: DnsQuery, answer: DnsAnswer): Buffer[] {
  const width = query.type === DNS_TYPE_A ? 4 : query.type === DNS_TYPE_AAAA ? 16 : 0;
  return answer.addresses.flatMap((text) => {
    const address = addressBytes(text);
    if (address?.length !== width) return [];
    const record = Buffer.alloc(12 + width);
    record.writeUInt16BE(0xc000 | HEADER_BYTES, 0); // the question's name
    record.writeUInt16BE(query.type, 2);
    record.writeUInt16BE(CLASS_IN, 4);
    record.writeUInt32BE(answer.ttlSeconds, 6);
    record.writeUInt16BE(width, 10);
    record.set(address, 12);
    return [record];
  });
}

function ednsRecord(): Buffer {
  const record = Buffer.alloc(11);
  record.writeUInt16BE(TYPE_OPT, 1);
  record.writeUInt16BE(limits.dnsEdnsPayloadBytesMax, 3);
  return record;
}

/**
 * The answer to bytes that are no acceptable query: their identifier and an error code, nothing else. `null`
 * when there is no identifier to answer, or when they are an answer themselves (two resolvers must not loop).
 */
export function encodeDnsFailure(bytes: Uint8Array, code: DnsCode): Buffer | null {
  if (bytes.length < HEADER_BYTES || ((bytes[2] ?? 0) & 0x80) !== 0) return null;
  const header = Buffer.alloc(HEADER_BYTES);
  header.set(bytes.subarray(0, 2));
  header.writeUInt16BE(FLAG_RESPONSE | (((bytes[2] ?? 0) & 0x79) << 8) | CODES[code], 2);
  return header;
}

/** A message with its two-byte length in front, as over TCP. */
export function frameDnsTcp(message: Uint8Array): Buffer {
  const framed = Buffer.alloc(2 + message.length);
  framed.writeUInt16BE(message.length, 0);
  framed.set(message, 2);
  return framed;
}

export interface DnsTcpFrame {
  readonly message: Uint8Array;
  /** What follows the frame. */
  readonly rest: Uint8Array;
}

/** The first framed message of what has arrived on a TCP connection. */
export function readDnsTcpFrame(bytes: Uint8Array): Result<DnsTcpFrame, 'dns_incomplete' | 'dns_too_long'> {
  if (bytes.length < 2) return err('dns_incomplete');
  const length = viewOf(bytes).getUint16(0);
  if (length > limits.dnsQueryBytesMax) return err('dns_too_long');
  if (bytes.length < 2 + length) return err('dns_incomplete');
  return ok({ message: bytes.subarray(2, 2 + length), rest: bytes.subarray(2 + length) });
}
