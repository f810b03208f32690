/**
 * Placeholders in the WebSocket messages that a program sends. A text message may be declared as a whole, in a format, or
 * as JSON with a placeholder at a pointer. Anywhere else, and in binary messages, a placeholder ends the connection.
 * Messages are judged whole, after fragments were put together and extensions undone.
 */
import { limits } from '../../kernel/index.ts';
import { BodyScan, scanBody } from './body-scan.ts';
import { JsonBinder, type JsonScope } from './bind-json.ts';
import { type Binder, claim, misplaced } from './claim.ts';
import { type NamedValue, unusable, wholeText } from './inject-value.ts';
import { fillFormat } from './injection.ts';
import type { CredentialBinding } from '../ports.ts';
import { Refusal } from '../refusals.ts';
import type { EgressRequest } from '../request.ts';
import type { OpenedCredentials } from './signer.ts';

/** Where a credential goes in one message. */
export interface MessageInjection {
  readonly binding: CredentialBinding;
  /** The message is this format with the value in it; or JSON with the value between two positions, in bytes. */
  readonly place:
    | { readonly kind: 'whole'; readonly format: string }
    | { readonly kind: 'json'; readonly start: number; readonly end: number };
}

const MESSAGE: JsonScope = {
  what: 'a WebSocket message',
  pointersOf: ({ messagePointers }) => messagePointers,
};

/**
 * Stops after each slice of a long message, so that others can have their turn.
 *
 * @param text of one message
 * @param request that the connection was opened with
 * @returns where credentials go, mostly nowhere; or why the message may not be sent
 */
export function* bindWebSocketText(
  text: string,
  request: EgressRequest,
  binder: Binder,
): Generator<void, readonly MessageInjection[] | Refusal, void> {
  const hit = binder.placeholders.find(text);
  const bytes = Buffer.from(text, 'utf8');
  if (hit === null && !text.includes('\\')) return (yield* scanSlices(bytes, request, binder)) ?? [];
  const whole = hit === null ? undefined : claim(hit, MESSAGE.what, request, binder);
  if (whole instanceof Refusal) return whole;
  const message = whole?.messages.find(({ filled }) => filled === text);
  if (whole !== undefined && message !== undefined)
    return [{ binding: whole.binding, place: { kind: 'whole', format: message.format } }];
  const json = new JsonBinder(bytes, MESSAGE, request, binder);
  while (!json.read(limits.bodySliceBytes)) yield;
  const places = json.places();
  if (places instanceof Refusal) return places;
  if (places === null && whole !== undefined) return misplaced(whole, MESSAGE.what, request);
  const rest = join(
    bytes,
    (places ?? []).map((place) => ({ ...place, json: '""' })),
  );
  const elsewhere = yield* scanSlices(rest, request, binder);
  if (elsewhere !== null) return elsewhere;
  return (places ?? []).map(({ bound, start, end }) => ({
    binding: bound.binding,
    place: { kind: 'json', start, end },
  }));
}

function* scanSlices(
  bytes: Buffer,
  request: EgressRequest,
  binder: Binder,
): Generator<void, Refusal | null, void> {
  const scan = new BodyScan(request, binder, MESSAGE.what);
  for (let at = 0; at < bytes.length; at += limits.bodySliceBytes) {
    if (at > 0) yield;
    const refused = scan.push(bytes.subarray(at, at + limits.bodySliceBytes));
    if (refused !== null) return refused;
  }
  return scan.end();
}

/** A message with other JSON in some places, which are in their order. */
function join(
  message: Buffer,
  edits: readonly { readonly start: number; readonly end: number; readonly json: string }[],
): Buffer {
  const pieces: Buffer[] = [];
  let at = 0;
  for (const { start, end, json } of edits) {
    pieces.push(message.subarray(at, start), Buffer.from(json, 'utf8'));
    at = end;
  }
  return Buffer.concat([...pieces, message.subarray(at)]);
}

/** @returns why a binary message may not be sent */
export function bindWebSocketBinary(data: Buffer, request: EgressRequest, binder: Binder): Refusal | null {
  return scanBody(data, request, binder, MESSAGE.what);
}

/** What would end a line in a protocol of lines. */
const CONTROL = /[\x00-\x1f\x7f]/;

/** @throws Refusal `egress_credential_unusable` */
export function injectWebSocketText(
  text: string,
  injections: readonly MessageInjection[],
  opened: OpenedCredentials,
): string {
  const valueOf = ({ name }: CredentialBinding): NamedValue => {
    const value = opened.get(name);
    if (value === undefined) throw new Error(`credential ${name} was not opened`);
    return { name, value };
  };
  const edits: { start: number; end: number; json: string }[] = [];
  for (const { binding, place } of injections) {
    const named = valueOf(binding);
    const plain = wholeText(named, MESSAGE.what);
    if (place.kind === 'json') edits.push({ ...place, json: JSON.stringify(plain) });
    else if (CONTROL.test(plain)) throw unusable(named, MESSAGE.what);
    else return fillFormat(place.format, plain);
  }
  return edits.length === 0 ? text : join(Buffer.from(text, 'utf8'), edits).toString('utf8');
}
