/**
 * Field names that most messages use, so that reading one makes no new text and compares by identity. A name is
 * recognised by its exact bytes; the hash only says where to look. Unknown names are as good, only slower.
 */
import { HEAD_ENCODING } from './encode.ts';
import { sameBytes } from './line-bytes.ts';

export interface UsualName {
  /** In lower case. */
  readonly key: string;
  /** As most senders of HTTP/1.1 write it. */
  readonly written: string;
  readonly keyBytes: Uint8Array;
  readonly writtenBytes: Uint8Array;
}

/**
 * Byte to lower case where it may stand in a field name (`tchar`, RFC 9110 section 5.6.2), 0 where it may not.
 */
export const NAME_BYTE: Uint8Array = nameBytes();

function nameBytes(): Uint8Array {
  const table = new Uint8Array(256);
  const others = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz";
  for (const byte of Buffer.from(others, HEAD_ENCODING)) table[byte] = byte;
  for (let letter = 65; letter <= 90; letter += 1) table[letter] = letter + 32;
  return table;
}

/** The hash of a name, byte by byte in lower case: begin with 0. */
export const nameHash = (hash: number, lowerByte: number): number => (Math.imul(hash, 31) + lowerByte) | 0;

const NAMES =
  'Accept Accept-Charset Accept-Encoding Accept-Language Accept-Ranges Access-Control-Allow-Credentials ' +
  'Access-Control-Allow-Headers Access-Control-Allow-Methods Access-Control-Allow-Origin ' +
  'Access-Control-Expose-Headers Access-Control-Max-Age Age Allow Alt-Svc Authorization Cache-Control CF-Cache-Status ' +
  'CF-RAY Connection Content-Disposition Content-Encoding Content-Language Content-Length Content-Location ' +
  'Content-Range Content-Security-Policy Content-Type Cookie Date DNT ETag Expect Expires From Host If-Match ' +
  'If-Modified-Since If-None-Match If-Range If-Unmodified-Since Keep-Alive Last-Modified Link Location ' +
  'Max-Forwards Mcp-Session-Id MCP-Protocol-Version NEL Origin Permissions-Policy Pragma Priority Proxy-Authenticate ' +
  'Proxy-Authorization Proxy-Connection Range Referer Referrer-Policy Report-To Retry-After Sec-Fetch-Mode ' +
  'Sec-WebSocket-Accept Sec-WebSocket-Extensions Sec-WebSocket-Key Sec-WebSocket-Protocol Sec-WebSocket-Version ' +
  'Server Server-Timing Set-Cookie Strict-Transport-Security TE Trailer Transfer-Encoding Upgrade User-Agent Vary ' +
  'Via WWW-Authenticate X-Api-Key X-Content-Type-Options X-Forwarded-For X-Frame-Options X-Powered-By X-RateLimit-Limit ' +
  'X-RateLimit-Remaining X-RateLimit-Reset X-Request-Id X-Requested-With X-XSS-Protection';

const SLOTS = 1024;
const slots: readonly (UsualName | undefined)[] = fillSlots();

function fillSlots(): readonly (UsualName | undefined)[] {
  const filled = Array.from<undefined, UsualName | undefined>({ length: SLOTS }, () => undefined);
  for (const written of NAMES.split(' ')) {
    const key = written.toLowerCase();
    const keyBytes = Uint8Array.from(Buffer.from(key, HEAD_ENCODING));
    const writtenBytes = Uint8Array.from(Buffer.from(written, HEAD_ENCODING));
    const slot = keyBytes.reduce(nameHash, 0) & (SLOTS - 1);
    /* Of two names in one slot the first stays; the other is read as if it were not usual. */
    filled[slot] ??= { key, written, keyBytes, writtenBytes };
  }
  return filled;
}

/** @param hash of a name. @returns the usual name that it may be: the bytes decide */
export const usualNameAt = (hash: number): UsualName | undefined => slots[hash & (SLOTS - 1)];

/** Whether the bytes are this name in whatever case. */
export function isNamed(usual: UsualName, bytes: Uint8Array, start: number, end: number): boolean {
  const { keyBytes } = usual;
  if (keyBytes.length !== end - start) return false;
  for (let index = 0; index < keyBytes.length; index += 1) {
    if (NAME_BYTE[bytes[start + index] ?? 0] !== keyBytes[index]) return false;
  }
  return true;
}

/** Whether the bytes are this name in its usual spelling. */
export const isWrittenAs = (usual: UsualName, bytes: Uint8Array, start: number, end: number): boolean =>
  usual.writtenBytes.length === end - start && sameBytes(bytes, start, usual.writtenBytes);
