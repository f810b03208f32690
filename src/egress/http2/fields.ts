/**
 * Between HTTP/2 header lists and the heads that the pipeline judges (RFC 9113 section 8). nghttp2 has refused what is
 * malformed by its own rules; whatever could still be read in two ways once it is written as HTTP/1.1 is refused here.
 * Text is Latin-1, one character per byte.
 */
import type { Http2Stream } from 'node:http2';
import { err, limits, ok, type Result } from '../../kernel/index.ts';
import { type BodyFraming, Fields, type RequestHead } from '../../wire/index.ts';
import type { AnswerHead } from '../message.ts';

/** Why a header list is no message, as a stable word. */
export type FieldsReason =
  | 'pseudo_missing'
  | 'pseudo_repeated'
  | 'pseudo_unknown'
  | 'scheme_mismatch'
  | 'method_unknown'
  | 'target_form_unknown'
  | 'authority_differs_from_host'
  | 'host_repeated'
  | 'field_name_invalid'
  | 'field_value_invalid'
  | 'field_connection_specific'
  | 'fields_too_many'
  | 'content_length_invalid'
  | 'status_invalid'
  | 'trailer_forbidden';

/** Latin-1 name and value after each other, as `node:http2` gives them. */
export type RawHeaders = readonly string[];

const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
/** As in HTTP/1.1, without blanks around it. */
const VALUE = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/;
const METHOD = /^[A-Z][A-Z-]{0,31}$/;
const LENGTH = /^[0-9]{1,15}$/;
const CONNECTION_SPECIFIC: ReadonlySet<string> = new Set([
  'connection',
  'proxy-connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);
/** What decides framing, routing, authentication or payload handling has no place after the payload. */
const FORBIDDEN_TRAILERS: ReadonlySet<string> = new Set(
  (
    'content-length host te trailer expect authorization proxy-authorization www-authenticate proxy-authenticate ' +
    'cookie set-cookie content-encoding content-type content-range max-forwards range age cache-control expires ' +
    'date location vary'
  ).split(' '),
);

interface Split {
  readonly pseudo: ReadonlyMap<string, string>;
  readonly fields: Fields;
}

function split(raw: RawHeaders): Result<Split, FieldsReason> {
  const pseudo = new Map<string, string>();
  const fields = new Fields();
  const crumbs: string[] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at] ?? '';
    const value = raw[at + 1] ?? '';
    if (!VALUE.test(value)) return err('field_value_invalid');
    if (name.startsWith(':')) {
      if (pseudo.has(name)) return err('pseudo_repeated');
      pseudo.set(name, value);
      continue;
    }
    if (!NAME.test(name)) return err('field_name_invalid');
    if (CONNECTION_SPECIFIC.has(name) || (name === 'te' && value !== 'trailers'))
      return err('field_connection_specific');
    if (fields.length >= limits.headFieldsMax) return err('fields_too_many');
    /* A cookie may come in crumbs (RFC 9113 section 8.2.3), and a placeholder in two of them is still one. */
    if (name !== 'cookie') fields.add(name, value);
    else if (crumbs.push(value) === 1) fields.add(name, value);
  }
  if (crumbs.length > 1) fields.setAt(fields.keys.indexOf('cookie'), crumbs.join('; '));
  return ok({ pseudo, fields });
}

const REQUEST_PSEUDO = [':method', ':scheme', ':authority', ':path'];

/** @param scheme of the connection */
export function requestHeadOf(raw: RawHeaders, scheme: 'https' | 'http'): Result<RequestHead, FieldsReason> {
  const parts = split(raw);
  if (!parts.ok) return parts;
  const { pseudo, fields } = parts.value;
  for (const name of pseudo.keys()) if (!REQUEST_PSEUDO.includes(name)) return err('pseudo_unknown');
  const method = pseudo.get(':method') ?? '';
  const target = pseudo.get(':path') ?? '';
  const hosts = fields.count('host');
  if (hosts > 1) return err('host_repeated');
  const host = fields.get('host');
  const authority = pseudo.get(':authority') ?? host;
  if (method === 'CONNECT') return err('method_unknown');
  if (authority === undefined || target === '' || method === '') return err('pseudo_missing');
  if (pseudo.get(':scheme') !== scheme) return err('scheme_mismatch');
  if (host !== undefined && host !== authority) return err('authority_differs_from_host');
  if (!METHOD.test(method)) return err('method_unknown');
  if (!target.startsWith('/')) return err('target_form_unknown');
  if (host === undefined) fields.add('host', authority);
  return ok({ method, target, minor: 1, fields });
}

export function answerHeadOf(raw: RawHeaders): Result<AnswerHead, FieldsReason> {
  const parts = split(raw);
  if (!parts.ok) return parts;
  const { pseudo, fields } = parts.value;
  const status = pseudo.get(':status') ?? '';
  if (pseudo.size > 1) return err('pseudo_unknown');
  if (!/^[1-5][0-9][0-9]$/.test(status) || status === '101') return err('status_invalid');
  return ok({ status: Number(status), phrase: '', fields });
}

export function trailersOf(raw: RawHeaders): Result<Fields, FieldsReason> {
  const parts = split(raw);
  if (!parts.ok) return parts;
  if (parts.value.pseudo.size > 0) return err('pseudo_unknown');
  const isForbidden = parts.value.fields.keys.some((key) => FORBIDDEN_TRAILERS.has(key));
  return isForbidden ? err('trailer_forbidden') : ok(parts.value.fields);
}

/**
 * How long a message's body is.
 *
 * @param ended the stream ends with the header list
 * @param bodyless the message has no body whatever it declares
 */
export function framingOf(
  fields: Fields,
  ended: boolean,
  bodyless = false,
): Result<BodyFraming, FieldsReason> {
  if (fields.count('content-length') > 1) return err('content_length_invalid');
  const length = fields.get('content-length');
  if (length !== undefined && !LENGTH.test(length)) return err('content_length_invalid');
  if (bodyless) return ok({ kind: 'none' });
  if (ended)
    return length === undefined || Number(length) === 0
      ? ok({ kind: 'none' })
      : err('content_length_invalid');
  return ok(length === undefined ? { kind: 'chunked' } : { kind: 'length', bytes: Number(length) });
}

/** A header list to send. Names are lower case in HTTP/2; `skip` leaves out what the frames say themselves. */
export function rawHeadersOf(pseudo: readonly string[], fields: Fields, skip?: string): string[] {
  const raw = [...pseudo];
  for (let at = 0; at < fields.length; at += 1) {
    const key = fields.keys[at] ?? '';
    if (key !== skip && !CONNECTION_SPECIFIC.has(key)) raw.push(key, fields.values[at] ?? '');
  }
  return raw;
}

/** Trailers to send; `node:http2` takes them as an object. What HTTP/2 has no room for is left out. */
export function trailersToSend(fields: Fields): Record<string, string | string[]> {
  const trailers: Record<string, string[]> = Object.create(null);
  for (let at = 0; at < fields.length; at += 1) {
    const key = fields.keys[at] ?? '';
    if (CONNECTION_SPECIFIC.has(key)) continue;
    (trailers[key] ??= []).push(fields.values[at] ?? '');
  }
  return trailers;
}

/**
 * Ends a body with its trailers, when the stream asks for them. A mistake in them ends this stream, not the gateway: the
 * stream asks in a turn of its own, where nobody else would catch it.
 */
export function endWith(stream: Http2Stream, trailers: Fields): void {
  stream.once('wantTrailers', () => {
    try {
      stream.sendTrailers(trailersToSend(trailers));
    } catch (error) {
      stream.destroy(error instanceof Error ? error : new Error('trailers were refused'));
    }
  });
  stream.end();
}
