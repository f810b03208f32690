/**
 * Puts opened credentials into the places that `bind.ts` found, and makes the message that goes upstream. The
 * only code of the data plane that sees a credential's bytes. A value that would change the shape of the
 * message (a line break in a header) is refused, not repaired.
 */
import type { Secret } from '../kernel/index.ts';
import { editJson } from '../wire/index.ts';
import { forwardedFields, readableCodings } from './forwarded-fields.ts';
import { fillFormat, formatBasic, parseBasic } from './injection.ts';
import type { OutgoingBody, OutgoingRequest } from './message.ts';
import { Refusal } from './refusals.ts';
import type { EgressRequest } from './request.ts';

/** Values by credential name. */
export type OpenedCredentials = ReadonlyMap<string, Secret>;

const LINE_SAFE = /^[\t\x20-\x7e\x80-\xff]*$/;
/** Written anew. */
const NOT_FORWARDED: ReadonlySet<string> = new Set(['host', 'content-length']);
/**
 * A key that comes back in two ranges could not be recognised in either; servers may ignore Range (RFC 9110 14.2).
 * Apache knows it by an older name too, and Azure by one of its own. `A-IM` (RFC 3229) asks for codings of the body
 * that are not in Content-Encoding.
 */
const NOT_FORWARDED_SCRUBBED: ReadonlySet<string> = new Set([
  ...NOT_FORWARDED,
  'range',
  'if-range',
  'request-range',
  'x-ms-range',
  'a-im',
]);
const DEFAULT_PORT = { https: 443, http: 80 } as const;

/**
 * @param body where it was read whole: text that `bindJson` went through, or bytes that stay as they are
 * @param scrubbed whether answers have to be readable
 * @throws Refusal `egress_credential_unusable`
 */
export function buildRequest(
  request: EgressRequest,
  opened: OpenedCredentials,
  body: string | Buffer | null,
  scrubbed: boolean,
): OutgoingRequest {
  const { fields } = request.head;
  const values = [...fields.values];
  injectFields(request, opened, values);
  const injectedBody = body === null ? null : injectJson(request, opened, body);
  const dropped = scrubbed ? NOT_FORWARDED_SCRUBBED : NOT_FORWARDED;
  const isAnswered = body !== null; // the expectation, by us, in order to read the body
  const outgoing = forwardedFields(
    fields,
    (key) => !dropped.has(key) && !(isAnswered && key === 'expect'),
    values,
  );
  if (scrubbed) {
    const at = outgoing.keys.indexOf('accept-encoding');
    if (at >= 0) outgoing.setAt(at, readableCodings(outgoing.values[at] ?? ''));
  }
  const { host, port, arrival } = request;
  return {
    method: request.head.method,
    scheme: arrival.scheme,
    authority: port === DEFAULT_PORT[arrival.scheme] ? host : `${host}:${port}`,
    target: injectQuery(request, opened),
    fields: outgoing,
    acceptsTrailers: fields.list('te').includes('trailers'),
    body: outgoingBody(request, injectedBody),
  };
}

function outgoingBody({ framing }: EgressRequest, whole: Buffer | null): OutgoingBody {
  if (whole !== null) return { kind: 'whole', bytes: whole };
  if (framing?.kind === 'length') return framing;
  return { kind: framing?.kind === 'chunked' ? 'unknown' : 'none' };
}

function valueOf(opened: OpenedCredentials, name: string): Secret {
  const secret = opened.get(name);
  if (secret === undefined) throw new Error(`credential ${name} was not opened`);
  return secret;
}

/** A value as Latin-1 characters, one per byte, that may stand in a line. */
function lineValue(opened: OpenedCredentials, name: string, place: string): string {
  const value = valueOf(opened, name).bytes().toString('latin1');
  if (!LINE_SAFE.test(value)) throw Refusal.of('egress_credential_unusable', { credential: name, place });
  return value;
}

function injectFields(request: EgressRequest, opened: OpenedCredentials, values: string[]): void {
  for (const { binding, place } of request.injections) {
    if (place.kind === 'header') {
      values[place.index] = fillFormat(place.format, lineValue(opened, binding.name, 'a header'));
    } else if (place.kind === 'basic') {
      const pair = parseBasic(values[place.index] ?? '') ?? { user: '', password: '' };
      const value = valueOf(opened, binding.name).bytes().toString('latin1');
      if (place.half === 'user' && value.includes(':')) {
        throw Refusal.of('egress_credential_unusable', { credential: binding.name, place: 'a user name' });
      }
      values[place.index] = formatBasic({ ...pair, [place.half]: value });
    }
  }
}

function injectQuery(request: EgressRequest, opened: OpenedCredentials): string {
  const { raw, query } = request.target;
  const injections = request.injections.filter(({ place }) => place.kind === 'query');
  if (injections.length === 0 || query === null) return raw;
  const parameters = query.split('&');
  for (const { binding, place } of injections) {
    if (place.kind !== 'query') continue;
    const name = (parameters[place.index] ?? '').split('=', 1)[0] ?? '';
    parameters[place.index] = `${name}=${encodeURIComponent(valueOf(opened, binding.name).reveal())}`;
  }
  return `${raw.slice(0, raw.length - query.length)}${parameters.join('&')}`;
}

function injectJson(request: EgressRequest, opened: OpenedCredentials, body: string | Buffer): Buffer {
  if (typeof body !== 'string') return body;
  const edits = request.injections.flatMap(({ binding, place }) =>
    place.kind === 'json'
      ? [{ path: place.path, json: JSON.stringify(valueOf(opened, binding.name).reveal()) }]
      : [],
  );
  const edited = editJson(body, edits);
  if (edited === null) throw new Error('a place in a JSON body that was found is gone');
  return Buffer.from(edited, 'utf8');
}
