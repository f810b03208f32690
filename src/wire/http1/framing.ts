/** How long a message's body is (RFC 9112 section 6), decided from its head alone. Never a guess. */
import { err, ok, type Result } from '../../kernel/index.ts';
import type { Fields } from './fields.ts';
import type { RequestHead, ResponseHead } from './start-line.ts';
import type { Http1Reason } from './reasons.ts';

export type BodyFraming =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly bytes: number }
  | { readonly kind: 'chunked' }
  /** A response body that ends with the connection. */
  | { readonly kind: 'close' };

const NONE = ok<BodyFraming>({ kind: 'none' });
const CHUNKED = ok<BodyFraming>({ kind: 'chunked' });
const CLOSE = ok<BodyFraming>({ kind: 'close' });

/** At most 15 digits: always below 2^53, so the number is exact. */
const LENGTH = /^[0-9]{1,15}$/;

function declared(fields: Fields, minor: 0 | 1): Result<BodyFraming | null, Http1Reason> {
  const codings = fields.count('transfer-encoding');
  const lengths = fields.count('content-length');
  if (codings === 0 && lengths === 0) return ok(null);
  if (codings > 0 && lengths > 0) return err('content_length_with_transfer_encoding');
  if (codings > 1) return err('transfer_encoding_repeated');
  if (codings === 1) {
    if (minor === 0) return err('transfer_encoding_in_http10');
    return fields.get('transfer-encoding')?.toLowerCase() === 'chunked'
      ? CHUNKED
      : err('transfer_encoding_unsupported');
  }
  if (lengths > 1) return err('content_length_repeated');
  const length = fields.get('content-length') ?? '';
  if (!LENGTH.test(length)) return err('content_length_invalid');
  return ok({ kind: 'length', bytes: Number(length) });
}

/** `Content-Length: 0` declares none, and every reader takes it so: it is harmless where it should not be. */
const declaresBody = (framing: BodyFraming | null): boolean =>
  framing !== null && !(framing.kind === 'length' && framing.bytes === 0);

/** @returns the framing; also refuses a request without exactly one Host (RFC 9112 section 3.2) */
export function requestFraming(head: RequestHead): Result<BodyFraming, Http1Reason> {
  const hosts = head.fields.count('host');
  if (hosts !== 1) return err(hosts === 0 ? 'host_missing' : 'host_repeated');
  const framing = declared(head.fields, head.minor);
  if (!framing.ok) return framing;
  if (framing.value === null) return NONE;
  /* A tunnel begins behind the head: one of two readers would take its first bytes for a body (RFC 9110 section 9.3.6). */
  return head.method === 'CONNECT' && declaresBody(framing.value)
    ? err('connect_with_body')
    : ok(framing.value);
}

/**
 * @param method of the request that this answers: an answer to HEAD has no body whatever it declares
 * @returns the framing; also refuses an interim answer, or a switch to another protocol, that declares a body (RFC 9110
 * section 8.6, RFC 9112 section 6.1): one of two readers would take the next answer, or the first frames, for it
 */
export function responseFraming(head: ResponseHead, method: string): Result<BodyFraming, Http1Reason> {
  const framing = declared(head.fields, head.minor);
  if (!framing.ok) return framing;
  if (head.status < 200) return declaresBody(framing.value) ? err('interim_with_body') : NONE;
  if (method === 'HEAD' || head.status === 204 || head.status === 304) return NONE;
  return framing.value === null ? CLOSE : ok(framing.value);
}
