/**
 * The TLS ClientHello, read before anything is answered: which name is asked for decides whether a certificate
 * is minted at all. Feed it everything that arrived so far; it says `client_hello_incomplete` until the message
 * is whole. Every length is checked, nothing after the message is looked at, and nothing is kept.
 * RFC 8446 section 4.1.2, RFC 5246 section 6.2.1, RFC 6066 section 3, RFC 7301.
 */
import { err, limits, ok, type Result } from '../kernel/index.ts';
import { parseHostname } from './hostname.ts';

export interface ClientHello {
  /** Server name in canonical form; `null` when the client sent none. */
  readonly sni: string | null;
  /** Protocols offered, in the client's order; empty without the extension. */
  readonly alpn: readonly string[];
}

export type ClientHelloError =
  | 'client_hello_incomplete' /** so far so good: more bytes are needed */
  | 'client_hello_not_tls' /** the first bytes are no handshake record */
  | 'client_hello_record_length' /** a record that is empty or longer than TLS allows */
  | 'client_hello_type' /** another handshake message */
  | 'client_hello_too_long'
  | 'client_hello_records' /** cut into too many */
  | 'client_hello_trailing' /** bytes after the message in its last record */
  | 'client_hello_version'
  | 'client_hello_session_id'
  | 'client_hello_cipher_suites'
  | 'client_hello_compression'
  | 'client_hello_extensions' /** lengths that do not add up, or too many */
  | 'client_hello_extension_duplicate'
  | 'client_hello_sni' /** not exactly one non-empty host name */
  | 'client_hello_sni_name' /** a host name that is none */
  | 'client_hello_alpn';

const RECORD_HEADER_BYTES = 5;
const RECORD_BYTES_MAX = 16_384;
const HANDSHAKE_RECORD = 22;
const MESSAGE_HEADER_BYTES = 4;
const CLIENT_HELLO = 1;
const EXTENSION_SNI = 0;
const EXTENSION_ALPN = 16;
const NAME_TYPE_HOST = 0;

/** @param bytes the connection's first bytes, as many as have arrived */
export function parseClientHello(bytes: Uint8Array): Result<ClientHello, ClientHelloError> {
  const message = joinRecords(bytes);
  return message.ok ? parseMessage(new Reader(message.value)) : message;
}

/** The body of the handshake message, put together from as many records as it was cut into. */
function joinRecords(bytes: Uint8Array): Result<Uint8Array, ClientHelloError> {
  const fragments: Uint8Array[] = [];
  let collected = 0;
  let needed = MESSAGE_HEADER_BYTES;
  let at = 0;
  while (collected < needed) {
    if (fragments.length === limits.clientHelloRecordsMax) return err('client_hello_records');
    const arrived = bytes.length - at;
    if (arrived > 0 && bytes[at] !== HANDSHAKE_RECORD) return err('client_hello_not_tls');
    if (arrived > 1 && bytes[at + 1] !== 3) return err('client_hello_not_tls');
    if (arrived < RECORD_HEADER_BYTES) return err('client_hello_incomplete');
    const length = uint16(bytes, at + 3);
    if (length === 0 || length > RECORD_BYTES_MAX) return err('client_hello_record_length');

    const fragment = bytes.subarray(at + RECORD_HEADER_BYTES, at + RECORD_HEADER_BYTES + length);
    fragments.push(fragment);
    collected += fragment.length;
    at += RECORD_HEADER_BYTES + length;
    if (needed === MESSAGE_HEADER_BYTES) {
      const start = prefixOf(fragments, MESSAGE_HEADER_BYTES);
      if (start.length > 0 && start[0] !== CLIENT_HELLO) return err('client_hello_type');
      if (start.length === MESSAGE_HEADER_BYTES) {
        needed = MESSAGE_HEADER_BYTES + (start[1] ?? 0) * 65_536 + uint16(start, 2);
        if (needed > limits.clientHelloBytesMax) return err('client_hello_too_long');
      }
    }
    if (fragment.length < length) {
      return err(collected > needed ? 'client_hello_trailing' : 'client_hello_incomplete');
    }
  }
  if (collected > needed) return err('client_hello_trailing');
  return ok(Buffer.concat(fragments).subarray(MESSAGE_HEADER_BYTES));
}

const uint16 = (bytes: Uint8Array, at: number): number => (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0);

/** The first `length` bytes, or as many as there are, without joining everything. */
function prefixOf(fragments: readonly Uint8Array[], length: number): Uint8Array {
  const prefix: number[] = [];
  for (const fragment of fragments) {
    for (const byte of fragment) {
      if (prefix.length === length) return Uint8Array.from(prefix);
      prefix.push(byte);
    }
  }
  return Uint8Array.from(prefix);
}

/** Takes length-prefixed fields off the front; `null` when there are fewer bytes than announced. */
class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  take(length: number): Uint8Array | null {
    if (this.#at + length > this.#bytes.length) return null;
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  number(width: 1 | 2): number | null {
    const bytes = this.take(width);
    if (bytes === null) return null;
    return width === 1 ? (bytes[0] ?? 0) : uint16(bytes, 0);
  }

  /** A vector: its length in `width` bytes, then as many bytes. */
  vector(width: 1 | 2): Uint8Array | null {
    const length = this.number(width);
    return length === null ? null : this.take(length);
  }
}

function parseMessage(message: Reader): Result<ClientHello, ClientHelloError> {
  const version = message.take(2);
  if (version === null || version[0] !== 3 || message.take(32) === null) return err('client_hello_version');
  const session = message.vector(1);
  if (session === null || session.length > 32) return err('client_hello_session_id');
  const suites = message.vector(2);
  if (suites === null || suites.length < 2 || suites.length % 2 !== 0)
    return err('client_hello_cipher_suites');
  const compression = message.vector(1);
  if (compression === null || !compression.includes(0)) return err('client_hello_compression');
  if (message.done) return ok({ sni: null, alpn: [] });
  const extensions = message.vector(2);
  if (extensions === null || !message.done) return err('client_hello_extensions');
  return parseExtensions(new Reader(extensions));
}

function parseExtensions(extensions: Reader): Result<ClientHello, ClientHelloError> {
  const seen = new Set<number>();
  let sni: string | null = null;
  let alpn: readonly string[] = [];
  while (!extensions.done) {
    const type = extensions.number(2);
    const body = extensions.vector(2);
    if (type === null || body === null) return err('client_hello_extensions');
    if (seen.has(type)) return err('client_hello_extension_duplicate');
    if (seen.size === limits.clientHelloExtensionsMax) return err('client_hello_extensions');
    seen.add(type);
    if (type === EXTENSION_SNI) {
      const name = parseServerName(new Reader(body));
      if (!name.ok) return name;
      sni = name.value;
    } else if (type === EXTENSION_ALPN) {
      const protocols = parseAlpn(new Reader(body));
      if (!protocols.ok) return protocols;
      alpn = protocols.value;
    }
  }
  return ok({ sni, alpn });
}

function parseServerName(body: Reader): Result<string, ClientHelloError> {
  const bytes = body.vector(2);
  if (bytes === null || !body.done) return err('client_hello_sni');
  const list = new Reader(bytes);
  const type = list.number(1);
  const name = list.vector(2);
  if (type !== NAME_TYPE_HOST || name === null || name.length === 0 || !list.done)
    return err('client_hello_sni');
  if (name.some((byte) => byte > 0x7e)) return err('client_hello_sni_name');
  const host = parseHostname(Buffer.from(name).toString('latin1'));
  return host.ok ? host : err('client_hello_sni_name');
}

function parseAlpn(body: Reader): Result<readonly string[], ClientHelloError> {
  const bytes = body.vector(2);
  if (bytes === null || bytes.length === 0 || !body.done) return err('client_hello_alpn');
  const list = new Reader(bytes);
  const protocols: string[] = [];
  while (!list.done) {
    const protocol = list.vector(1);
    if (protocol === null || protocol.length === 0) return err('client_hello_alpn');
    protocols.push(Buffer.from(protocol).toString('latin1'));
  }
  return ok(protocols);
}
