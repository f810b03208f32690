/**
 * Binds the placeholders of a request to credentials. Every part of the head is searched, in each encoding that
 * an upstream would undo; a placeholder outside its declared place, or in a request that its binding does not
 * cover, refuses the request, and one of another cell is an incident (ATTACKS 9, G3).
 */
import { matchBinding } from '../policy/index.ts';
import { type Json, limits } from '../kernel/index.ts';
import type { Fields, JsonPath } from '../wire/index.ts';
import { fillFormat, parseBasic, type Place } from './injection.ts';
import type { PlaceholderHit, PlaceholderIndex } from './placeholder-index.ts';
import type { CellEgressSpec, CredentialBinding, InjectRule } from './ports.ts';
import { methodsOf } from './overrides.ts';
import { Refusal } from './refusals.ts';
import type { EgressRequest } from './request.ts';

export interface Binder {
  readonly spec: CellEgressSpec;
  readonly placeholders: PlaceholderIndex;
}

const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json[ \t]*(?:;|$)/i;

/** Finds and checks everything in the head. The body comes later: `bindJson`, `BodyScan`. */
export function bindHead(request: EgressRequest, binder: Binder): Refusal | null {
  return bindFields(request, binder) ?? bindTarget(request, binder);
}

/** Whether a credential may have to be put into this request's JSON body. */
export function wantsJsonBody(request: EgressRequest, { spec }: Binder): boolean {
  const { fields } = request.head;
  if (!JSON_TYPE.test(fields.get('content-type') ?? '') || fields.count('content-encoding') > 0) return false;
  return spec.credentials.some(
    (binding) => binding.inject.some((rule) => 'json' in rule) && covers(binding, request).allow,
  );
}

/** Whether a binding covers the request, whichever of its methods the upstream takes it for. */
function covers(binding: CredentialBinding, request: EgressRequest): ReturnType<typeof matchBinding> {
  const { host, port, target } = request;
  for (const method of methodsOf(request.head)) {
    const decision = matchBinding(binding, { host, port, method, path: target.path });
    if (!decision.allow) return decision;
  }
  return { allow: true };
}

/** The binding that a found placeholder belongs to, if this request may use it at all. */
function claim(
  hit: PlaceholderHit,
  place: string,
  request: EgressRequest,
  binder: Binder,
): CredentialBinding | Refusal {
  const { cell, credential } = hit.entry;
  const binding =
    cell === binder.spec.identity.cell
      ? binder.spec.credentials.find(({ name }) => name === credential)
      : undefined;
  if (binding === undefined)
    return Refusal.of('egress_placeholder_foreign', { place }, { ownerCell: cell, place });
  const bound = covers(binding, request);
  return bound.allow ? binding : Refusal.unbound(bound, { credential, place });
}

function misplaced(binding: CredentialBinding, place: string, request: EgressRequest): Refusal {
  const facts = {
    credential: binding.name,
    place,
    host: request.host,
    port: request.port,
    allowed: binding.inject.map(placeOf).join(', ') || 'nowhere',
  };
  return Refusal.of('egress_placeholder_misplaced', facts, { credential: binding.name, place });
}

function placeOf(rule: InjectRule): string {
  if ('header' in rule) return `the header ${rule.header}: ${rule.format}`;
  if ('basic' in rule) return `the ${rule.basic} of Basic authentication`;
  if ('query' in rule) return `the query parameter ${rule.query}`;
  if ('cookie' in rule) return `the cookie ${rule.cookie}`;
  if ('path' in rule) return `the path ${rule.path}`;
  if ('json' in rule) return `${rule.json} of a JSON body`;
  if ('form' in rule) return `the form field ${rule.form}`;
  if ('multipart' in rule) return `the field ${rule.multipart} of a multipart form`;
  if ('hmac' in rule) return `the key of the signature in the header ${rule.hmac.header}`;
  return rule.websocket === 'text'
    ? `a WebSocket message that is ${rule.format ?? '{token}'}`
    : `${rule.websocket} of a WebSocket message`;
}

/** Places are named after what the program sent. The event about one must not become too long to be recorded. */
const shorten = (place: string): string =>
  place.length <= limits.placeCharsMax ? place : `${place.slice(0, limits.placeCharsMax).toWellFormed()}…`;

/** Takes a placeholder for a place, or says why not. */
function settle(
  hit: PlaceholderHit,
  place: string,
  request: EgressRequest,
  binder: Binder,
  declared: (binding: CredentialBinding) => Place | null,
): Refusal | null {
  const shown = shorten(place);
  const binding = claim(hit, shown, request, binder);
  if (binding instanceof Refusal) return binding;
  const found = declared(binding);
  if (found === null) return misplaced(binding, shown, request);
  request.injections.push({ binding, place: found });
  return null;
}

function bindFields(request: EgressRequest, binder: Binder): Refusal | null {
  const { names, keys, values } = request.head.fields;
  for (let index = 0; index < keys.length; index += 1) {
    const key = keys[index] ?? '';
    const value = values[index] ?? '';
    const inName = binder.placeholders.find(key) ?? binder.placeholders.find(names[index] ?? '');
    if (inName !== null) return settle(inName, 'the name of a header', request, binder, () => null);
    const hit = binder.placeholders.find(value);
    if (hit !== null) {
      const refused = settle(hit, `the header ${names[index]}`, request, binder, (binding) =>
        request.head.fields.count(key) === 1 ? declaredHeader(binding, key, value, index) : null,
      );
      if (refused !== null) return refused;
    } else if (key === 'authorization' || key === 'proxy-authorization') {
      const refused = bindBasic(request, binder, index);
      if (refused !== null) return refused;
    }
  }
  return null;
}

function declaredHeader(binding: CredentialBinding, key: string, value: string, index: number): Place | null {
  for (const rule of binding.inject) {
    if (!('header' in rule) || rule.header.toLowerCase() !== key) continue;
    if (value === fillFormat(rule.format, binding.placeholder))
      return { kind: 'header', index, format: rule.format };
  }
  return null;
}

function bindBasic(request: EgressRequest, binder: Binder, index: number): Refusal | null {
  const { fields } = request.head;
  const pair = parseBasic(fields.values[index] ?? '');
  if (pair === null) return null;
  for (const half of ['user', 'password'] as const) {
    const hit = binder.placeholders.find(pair[half]);
    if (hit === null) continue;
    const refused = settle(hit, `the ${half} of Basic authentication`, request, binder, (binding) =>
      fields.keys[index] === 'authorization' &&
      fields.count('authorization') === 1 &&
      pair[half] === binding.placeholder &&
      binding.inject.some((rule) => 'basic' in rule && rule.basic === half)
        ? { kind: 'basic', index, half }
        : null,
    );
    if (refused !== null) return refused;
  }
  return null;
}

const ESCAPE = /%([0-9A-Fa-f]{2})/g;
const decodeOnce = (text: string): string =>
  text.replace(ESCAPE, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));

/** Searches text as it is, and as upstreams might decode it: once, or by mistake twice. */
function findDecoded(text: string, placeholders: PlaceholderIndex): PlaceholderHit | null {
  const plain = placeholders.find(text);
  if (plain !== null || !text.includes('%')) return plain;
  const once = decodeOnce(text);
  return placeholders.find(once) ?? placeholders.find(decodeOnce(once));
}

function bindTarget(request: EgressRequest, binder: Binder): Refusal | null {
  const { raw, query } = request.target;
  if (findDecoded(raw, binder.placeholders) === null) return null;
  const path = query === null ? raw : raw.slice(0, raw.length - query.length - 1);
  const inPath = findDecoded(path, binder.placeholders);
  if (inPath !== null) return settle(inPath, 'the path', request, binder, () => null);
  const parameters = (query ?? '').split('&');
  for (const [index, parameter] of parameters.entries()) {
    const hit = findDecoded(parameter, binder.placeholders);
    if (hit === null) continue;
    const equals = parameter.indexOf('=');
    const name = decodeOnce(equals < 0 ? parameter : parameter.slice(0, equals));
    const value = equals < 0 ? '' : decodeOnce(parameter.slice(equals + 1));
    const refused = settle(hit, 'the query', request, binder, (binding) =>
      value === binding.placeholder &&
      binding.inject.some((rule) => 'query' in rule && rule.query === name) &&
      parameters.filter((other) => decodeOnce(other.split('=', 1)[0] ?? '') === name).length === 1
        ? { kind: 'query', index }
        : null,
    );
    if (refused !== null) return refused;
  }
  /* A placeholder that only shows across a separator is in no declared place. */
  const rest = request.injections.some(({ place }) => place.kind === 'query');
  const across = rest ? null : findDecoded(raw, binder.placeholders);
  return across === null ? null : settle(across, 'the query', request, binder, () => null);
}

/** Finds and checks everything in a parsed JSON body: every string and every key, whatever its spelling was. */
export function bindJson(value: Json, request: EgressRequest, binder: Binder): Refusal | null {
  return bindJsonAt(value, [], request, binder);
}

function bindJsonAt(value: Json, path: JsonPath, request: EgressRequest, binder: Binder): Refusal | null {
  if (typeof value === 'string') return bindJsonString(value, path, request, binder);
  if (value === null || typeof value !== 'object') return null;
  for (const [key, member] of Object.entries(value)) {
    const inKey = binder.placeholders.find(key);
    if (inKey !== null) return settle(inKey, 'a key of the JSON body', request, binder, () => null);
    const step = Array.isArray(value) ? Number(key) : key;
    const refused = bindJsonAt(member, [...path, step], request, binder);
    if (refused !== null) return refused;
  }
  return null;
}

function bindJsonString(
  value: string,
  path: JsonPath,
  request: EgressRequest,
  binder: Binder,
): Refusal | null {
  const hit = binder.placeholders.find(value);
  if (hit === null) return null;
  const pointer = path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
  return settle(hit, `${pointer || 'the top'} of the JSON body`, request, binder, (binding) =>
    value === binding.placeholder && binding.inject.some((rule) => 'json' in rule && rule.json === pointer)
      ? { kind: 'json', path }
      : null,
  );
}

/** Trailers are no declared place either. */
export function bindTrailers(trailers: Fields, request: EgressRequest, binder: Binder): Refusal | null {
  for (let index = 0; index < trailers.length; index += 1) {
    const hit = binder.placeholders.find(`${trailers.names[index]}: ${trailers.values[index]}`);
    if (hit !== null) return settle(hit, 'a trailer', request, binder, () => null);
  }
  return null;
}

/** Searches a body that streams by: no place in it is declared, so any placeholder refuses the request. */
export class BodyScan {
  readonly #request: EgressRequest;
  readonly #binder: Binder;
  #tail: Buffer = Buffer.alloc(0);

  constructor(request: EgressRequest, binder: Binder) {
    this.#request = request;
    this.#binder = binder;
  }

  /** @returns null when `data` may be sent on: no placeholder ends in it */
  push(data: Buffer): Refusal | null {
    const { placeholders } = this.#binder;
    const text = this.#tail.length === 0 ? data : Buffer.concat([this.#tail, data]);
    const hit = placeholders.findInBytes(text);
    if (hit !== null) return settle(hit, 'the body', this.#request, this.#binder, () => null);
    this.#tail = Buffer.from(text.subarray(Math.max(0, text.length - placeholders.longest + 1)));
    return null;
  }
}
