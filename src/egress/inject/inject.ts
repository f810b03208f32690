/**
 * Puts opened credentials into the places that binding found, has what is signed signed anew, and makes the message
 * that goes upstream. With the signers, the only code of the data plane that sees a credential's bytes.
 */
import { parseCookiePairs } from '../../wire/index.ts';
import { askForReadable, forwardedFields } from '../forwarded-fields.ts';
import {
  basicText,
  cookieText,
  fillPath,
  gapBytes,
  lineText,
  type NamedValue,
  queryText,
} from './inject-value.ts';
import {
  type BodyPieces,
  fillFormat,
  formatBasic,
  type Gap,
  type Injection,
  parseBasic,
  type Place,
} from './injection.ts';
import type { OutgoingBody, OutgoingRequest } from '../message.ts';
import type { EgressRequest } from '../request.ts';
import type { HeadDraft, OpenedCredentials } from './signer.ts';

/** Written anew. */
const NOT_FORWARDED: ReadonlySet<string> = new Set(['host', 'content-length']);
/**
 * A key that comes back in two ranges could not be recognised in either; servers may ignore Range (RFC 9110 14.2).
 * Apache knows it by an older name too, and Azure by one of its own. `A-IM` (RFC 3229) asks for codings of the body
 * that are not in Content-Encoding, and `Accept-Charset` for text in bytes that are not looked for.
 */
const NOT_FORWARDED_SCRUBBED: ReadonlySet<string> = new Set([
  ...NOT_FORWARDED,
  'range',
  'if-range',
  'request-range',
  'x-ms-range',
  'a-im',
  'accept-charset',
]);
const DEFAULT_PORT = { https: 443, http: 80 } as const;

/**
 * @param body where it was read whole, as `judgeBody` gave it
 * @param scrubbed whether answers have to be readable
 * @throws Refusal `egress_credential_unusable`
 */
export function buildRequest(
  request: EgressRequest,
  opened: OpenedCredentials,
  body: BodyPieces | null,
  scrubbed: boolean,
): OutgoingRequest {
  const { injections } = request;
  const { fields } = request.head;
  const values = injections.length === 0 ? fields.values : fillFields(injections, opened, fields.values);
  const whole = body === null ? null : fillBody(body, opened);
  const dropped = scrubbed ? NOT_FORWARDED_SCRUBBED : NOT_FORWARDED;
  const isAnswered = body !== null; // the expectation, by us, in order to read the body
  const outgoing = forwardedFields(
    fields,
    (key) => !dropped.has(key) && !(isAnswered && key === 'expect'),
    values,
  );
  if (scrubbed) askForReadable(outgoing);
  const { host, port, arrival } = request;
  const draft: HeadDraft = {
    method: request.head.method,
    scheme: arrival.scheme,
    authority: port === DEFAULT_PORT[arrival.scheme] ? host : `${host}:${port}`,
    target: injections.length === 0 ? request.target.raw : fillTarget(request, opened),
    fields: outgoing,
    body: whole,
  };
  sign(injections, draft, opened);
  return {
    method: draft.method,
    scheme: draft.scheme,
    authority: draft.authority,
    target: draft.target,
    fields: outgoing,
    sensitive: injections.flatMap(({ place }) => (isInField(place) ? [fields.keys[place.index] ?? ''] : [])),
    acceptsTrailers: fields.list('te').includes('trailers'),
    body: outgoingBody(request, whole),
  };
}

function outgoingBody({ framing, reading }: EgressRequest, whole: Buffer | null): OutgoingBody {
  if (whole !== null) return { kind: 'whole', bytes: whole };
  /* How long a form becomes is not known before all of it was seen. */
  const isForm = reading.kind === 'form' || reading.kind === 'multipart';
  if (framing?.kind === 'length' && !isForm) return framing;
  return { kind: framing === null || framing.kind === 'none' ? 'none' : 'unknown' };
}

function valueOf(opened: OpenedCredentials, name: string): NamedValue {
  const value = opened.get(name);
  if (value === undefined) throw new Error(`credential ${name} was not opened`);
  return { name, value };
}

function fillFields(
  injections: readonly Injection[],
  opened: OpenedCredentials,
  received: readonly string[],
): readonly string[] {
  const values = [...received];
  for (const { binding, place } of injections) {
    if (!isInField(place)) continue;
    const named = valueOf(opened, binding.name);
    values[place.index] = fieldValue(place, named, values[place.index] ?? '');
  }
  return values;
}

type FieldPlace = Extract<Place, { readonly index: number; kind: 'header' | 'basic' | 'cookie' }>;

const isInField = (place: Place): place is FieldPlace =>
  place.kind === 'header' || place.kind === 'basic' || place.kind === 'cookie';

/** @param filled the field's value, with what was put into it before */
function fieldValue(place: FieldPlace, named: NamedValue, filled: string): string {
  if (place.kind === 'header') return fillFormat(place.format, lineText(named, 'a header'));
  if (place.kind === 'basic') {
    const pair = parseBasic(filled) ?? { user: '', password: '' };
    return formatBasic({ ...pair, [place.half]: basicText(named, place.half) });
  }
  const pair = parseCookiePairs(filled)?.[place.pair];
  if (pair === undefined) throw new Error('a cookie that was found is gone');
  const end = pair.start + pair.value.length;
  return filled.slice(0, pair.start) + cookieText(named) + filled.slice(end);
}

function fillTarget({ injections, target }: EgressRequest, opened: OpenedCredentials): string {
  let { raw } = target;
  for (const { binding, place } of injections) {
    if (place.kind === 'query') raw = fillParameter(raw, place.index, valueOf(opened, binding.name));
    else if (place.kind === 'path') raw = fillPath(raw, place.template, valueOf(opened, binding.name));
  }
  return raw;
}

function fillParameter(raw: string, index: number, named: NamedValue): string {
  const query = raw.indexOf('?') + 1;
  const parameters = raw.slice(query).split('&');
  const name = (parameters[index] ?? '').split('=', 1)[0] ?? '';
  parameters[index] = `${name}=${queryText(named)}`;
  return raw.slice(0, query) + parameters.join('&');
}

function fillBody(pieces: BodyPieces, opened: OpenedCredentials): Buffer {
  const [only] = pieces;
  if (pieces.length === 1 && Buffer.isBuffer(only)) return only;
  return Buffer.concat(pieces.map((piece) => (Buffer.isBuffer(piece) ? piece : fillGap(piece, opened))));
}

/** @throws Refusal `egress_credential_unusable` */
export const fillGap = ({ as, binding }: Gap, opened: OpenedCredentials): Buffer =>
  gapBytes(as, valueOf(opened, binding.name));

/** Last, because a signature is about what is sent. */
function sign(injections: readonly Injection[], draft: HeadDraft, opened: OpenedCredentials): void {
  for (const { binding, place } of injections) {
    /* A claim with several credentials is an injection of each, and signs once. */
    if (place.kind === 'signature' && place.claim.bindings[0] === binding) place.claim.sign(draft, opened);
  }
}
