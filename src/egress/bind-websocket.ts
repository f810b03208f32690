/**
 * Placeholders in the WebSocket messages that a program sends. A text message may be declared as a whole, in a format, or
 * as JSON with a placeholder at a pointer. Anywhere else, and in binary messages, a placeholder ends the connection.
 * Messages are judged whole, after fragments were put together and extensions undone.
 */
import { checkJson, editJson, type JsonPath } from '../wire/index.ts';
import type { Json } from '../kernel/index.ts';
import { scanBody } from './body-scan.ts';
import { bindJson, type JsonScope } from './bind-json.ts';
import { type Binder, claim, misplaced } from './claim.ts';
import { unusable, wholeText } from './inject-value.ts';
import { fillFormat } from './injection.ts';
import type { CredentialBinding } from './ports.ts';
import { Refusal } from './refusals.ts';
import type { EgressRequest } from './request.ts';
import type { OpenedCredentials } from './signer.ts';

/** Where a credential goes in one message. */
export interface MessageInjection {
  readonly binding: CredentialBinding;
  /** The message is this format with the value in it; or the value at a path in JSON. */
  readonly place:
    | { readonly kind: 'whole'; readonly format: string }
    | { readonly kind: 'json'; readonly path: JsonPath };
}

const MESSAGE: JsonScope = {
  what: 'a WebSocket message',
  pointersOf: ({ messagePointers }) => messagePointers,
};

/**
 * @param text of one message
 * @param request that the connection was opened with
 * @returns where credentials go, mostly nowhere; or why the message may not be sent
 */
export function bindWebSocketText(
  text: string,
  request: EgressRequest,
  binder: Binder,
): readonly MessageInjection[] | Refusal {
  const hit = binder.placeholders.find(text);
  if (hit === null && !text.includes('\\')) return bindNothing(text, request, binder);
  const whole = hit === null ? undefined : claim(hit, MESSAGE.what, request, binder);
  if (whole instanceof Refusal) return whole;
  const message = whole?.messages.find(({ filled }) => filled === text);
  if (whole !== undefined && message !== undefined)
    return [{ binding: whole.binding, place: { kind: 'whole', format: message.format } }];
  const json = checkJson(text);
  if (!json.ok)
    return whole === undefined ? bindNothing(text, request, binder) : misplaced(whole, MESSAGE.what, request);
  const value: Json = JSON.parse(json.value);
  const places = bindJson(value, MESSAGE, request, binder);
  if (places instanceof Refusal) return places;
  const rest = editJson(
    text,
    places.map(({ path }) => ({ path, json: '""' })),
  );
  const elsewhere = bindNothing(rest ?? text, request, binder);
  if (elsewhere instanceof Refusal) return elsewhere;
  return places.map(({ bound, path }) => ({ binding: bound.binding, place: { kind: 'json', path } }));
}

function bindNothing(text: string, request: EgressRequest, binder: Binder): readonly [] | Refusal {
  return bindWebSocketBinary(Buffer.from(text, 'utf8'), request, binder) ?? [];
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
  let message = text;
  for (const { binding, place } of injections) {
    const value = opened.get(binding.name);
    if (value === undefined) throw new Error(`credential ${binding.name} was not opened`);
    const named = { name: binding.name, value };
    const plain = wholeText(named, MESSAGE.what);
    if (place.kind === 'whole') {
      if (CONTROL.test(plain)) throw unusable(named, MESSAGE.what);
      message = fillFormat(place.format, plain);
    } else {
      const edited = editJson(message, [{ path: place.path, json: JSON.stringify(plain) }]);
      if (edited === null) throw new Error('a place in a message that was found is gone');
      message = edited;
    }
  }
  return message;
}
