/**
 * Which fields go on. What concerns one connection only stays on it (RFC 9110 section 7.6.1), framing is
 * written anew, and what would let a key come back unread is taken out.
 */
import { Fields } from '../wire/index.ts';
import { withoutUnreadableCharsets } from './charset.ts';

const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authorization',
  'proxy-authenticate',
  'proxy-authentication-info',
  'te',
  'transfer-encoding',
  'upgrade',
]);

/** Naming one of these in Connection would take away what the request means or who sends it. */
const NEVER_PER_HOP: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'content-type',
  'content-encoding',
  'authorization',
  'cookie',
  'set-cookie',
  'location',
  'date',
  'expect',
]);

/** The first name in Connection that must not be there; null when all may. */
export function reservedInConnection(fields: Fields): string | null {
  return fields.list('connection').find((name) => NEVER_PER_HOP.has(name)) ?? null;
}

/**
 * Copies the fields that `keep` lets through and that concern more than this connection.
 *
 * @param values to send in place of the received ones, position by position
 */
export function forwardedFields(
  fields: Fields,
  keep: (key: string) => boolean,
  values: readonly string[] = fields.values,
): Fields {
  const forwarded = new Fields();
  const perHop = fields.list('connection');
  for (let index = 0; index < fields.length; index += 1) {
    const key = fields.keys[index] ?? '';
    if (HOP_BY_HOP.has(key) || (perHop.length > 0 && perHop.includes(key)) || !keep(key)) continue;
    forwarded.append(fields.names[index] ?? '', key, values[index] ?? '');
  }
  return forwarded;
}

/** What the scrubber can look into. */
const READABLE_CODINGS: ReadonlySet<string> = new Set(['gzip', 'deflate', 'br', 'zstd', 'identity']);

/** Nothing else in it, as nearly every client says it. */
const ALL_READABLE = /^(?:gzip|deflate|br|zstd|identity)(?:, ?(?:gzip|deflate|br|zstd|identity))*$/;

/** Codings of the messages inside of a body (gRPC, Connect), which the scrubber does not look into. */
const ACCEPTS_MESSAGE_CODINGS: ReadonlySet<string> = new Set([
  'grpc-accept-encoding',
  'connect-accept-encoding',
]);
const MESSAGE_CODINGS = ['grpc-encoding', 'connect-content-encoding'] as const;

/** Has the upstream answer in what the scrubber can look into, as far as it can be told. */
export function askForReadable(outgoing: Fields): void {
  for (let at = 0; at < outgoing.length; at += 1) {
    const key = outgoing.keys[at] ?? '';
    if (key === 'accept-encoding') outgoing.setAt(at, readableCodings(outgoing.values[at] ?? ''));
    else if (key === 'accept') outgoing.setAt(at, withoutUnreadableCharsets(outgoing.values[at] ?? ''));
    else if (ACCEPTS_MESSAGE_CODINGS.has(key)) outgoing.setAt(at, 'identity');
  }
}

/** The field that says that the messages inside of an answer's body are coded; null when they are as they are. */
export function messageCoding(fields: Fields): string | null {
  return MESSAGE_CODINGS.find((key) => fields.list(key).some((member) => member !== 'identity')) ?? null;
}

/** An Accept-Encoding value without what the scrubber cannot read; `identity` when nothing is left. */
export function readableCodings(value: string): string {
  if (ALL_READABLE.test(value)) return value;
  const kept = value
    .split(',')
    .filter((part) => READABLE_CODINGS.has((part.split(';', 1)[0] ?? '').trim().toLowerCase()));
  return kept.length === 0 ? 'identity' : kept.map((part) => part.trim()).join(', ');
}
