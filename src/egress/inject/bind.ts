/**
 * Binds the placeholders in the head of a request to credentials. Every part of the head is searched, in each encoding
 * that an upstream would undo; what stands outside its declared place refuses the request (ATTACKS 9).
 */
import { type Fields, parseCookiePairs } from '../../wire/index.ts';
import { bindTarget } from './bind-target.ts';
import { boundCredentials } from './bound-credentials.ts';
import { type Binder, claim, covers, misplaced, undeclared } from './claim.ts';
import { parseBasic } from './injection.ts';
import { decodePercent } from './percent.ts';
import type { PlaceholderHit } from './placeholder-index.ts';
import { Refusal } from '../refusals.ts';
import type { EgressRequest } from '../request.ts';
import { claimSignatures } from './sign-hmac.ts';

export type { Binder } from './claim.ts';

/** Finds and checks everything in the head. The body comes later. */
export function bindHead(request: EgressRequest, binder: Binder): Refusal | null {
  const refused = bindFields(request, binder) ?? bindTarget(request, binder);
  if (refused !== null) return refused;
  for (const bound of boundCredentials(binder.spec).signing)
    if (covers(bound.binding, request).allow) claimSignatures(bound, request);
  return null;
}

function bindFields(request: EgressRequest, binder: Binder): Refusal | null {
  const { names, keys, values } = request.head.fields;
  const { placeholders } = binder;
  const { shortest } = placeholders;
  for (let index = 0; index < keys.length; index += 1) {
    const key = keys[index] ?? '';
    const value = values[index] ?? '';
    if (key.length >= shortest) {
      const inName = placeholders.find(key) ?? placeholders.find(names[index] ?? '');
      if (inName !== null) return undeclared(inName, 'the name of a header', request, binder);
    }
    if (value.length < shortest) continue;
    const refused = bindValue(request, binder, index, value);
    if (refused !== null) return refused;
  }
  return null;
}

function bindValue(request: EgressRequest, binder: Binder, index: number, value: string): Refusal | null {
  const key = request.head.fields.keys[index] ?? '';
  const hit = binder.placeholders.find(value);
  if (hit !== null)
    return key === 'cookie' ? bindCookies(request, binder, index) : bindHeader(request, binder, index, hit);
  if (value.includes('%')) {
    const hidden = binder.placeholders.find(decodePercent(value));
    if (hidden !== null) return undeclared(hidden, placeOf(request, index), request, binder);
  }
  return key === 'authorization' || key === 'proxy-authorization' ? bindBasic(request, binder, index) : null;
}

const placeOf = (request: EgressRequest, index: number): string =>
  `the header ${request.head.fields.names[index]}`;

function bindHeader(
  request: EgressRequest,
  binder: Binder,
  index: number,
  hit: PlaceholderHit,
): Refusal | null {
  const place = placeOf(request, index);
  const bound = claim(hit, place, request, binder);
  if (bound instanceof Refusal) return bound;
  const { fields } = request.head;
  const key = fields.keys[index] ?? '';
  const declared = bound.headers.get(key);
  if (declared === undefined || fields.values[index] !== declared.filled || fields.count(key) > 1)
    return misplaced(bound, place, request);
  request.injections.push({
    binding: bound.binding,
    place: { kind: 'header', index, format: declared.format },
  });
  return null;
}

/** Every pair of the field; a name that is there twice, in whichever fields, is nobody's place. */
function bindCookies(request: EgressRequest, binder: Binder, index: number): Refusal | null {
  const { fields } = request.head;
  const value = fields.values[index] ?? '';
  const pairs = parseCookiePairs(value);
  if (pairs === null)
    return undeclaredIn(value, 'the Cookie header, which can be read in two ways', request, binder);
  let rest = value;
  for (const [at, pair] of pairs.entries()) {
    const hit = binder.placeholders.find(pair.value);
    if (hit === null) continue;
    const place = `the cookie ${pair.name}`;
    const bound = claim(hit, place, request, binder);
    if (bound instanceof Refusal) return bound;
    const isDeclared = bound.cookies.has(pair.name) && pair.value === bound.binding.placeholder;
    if (!isDeclared || countCookies(fields, pair.name) !== 1) return misplaced(bound, place, request);
    request.injections.push({ binding: bound.binding, place: { kind: 'cookie', index, pair: at } });
    rest = rest.replace(`${pair.name}=${pair.value}`, '');
  }
  return undeclaredIn(rest, 'the Cookie header', request, binder);
}

/** How often a cookie is in a request; more often than ever where that is uncertain. */
function countCookies(fields: Fields, name: string): number {
  let count = 0;
  for (let index = 0; index < fields.length; index += 1) {
    if (fields.keys[index] !== 'cookie') continue;
    const pairs = parseCookiePairs(fields.values[index] ?? '');
    if (pairs === null) return Number.POSITIVE_INFINITY;
    count += pairs.filter((pair) => pair.name === name).length;
  }
  return count;
}

function undeclaredIn(text: string, place: string, request: EgressRequest, binder: Binder): Refusal | null {
  const plain = binder.placeholders.find(text);
  const hit = plain ?? (text.includes('%') ? binder.placeholders.find(decodePercent(text)) : null);
  return hit === null ? null : undeclared(hit, place, request, binder);
}

function bindBasic(request: EgressRequest, binder: Binder, index: number): Refusal | null {
  const { fields } = request.head;
  const pair = parseBasic(fields.values[index] ?? '');
  if (pair === null) return null;
  const rest = { ...pair };
  for (const half of ['user', 'password'] as const) {
    const hit = binder.placeholders.find(pair[half]);
    if (hit === null) continue;
    const place = `the ${half} of Basic authentication`;
    const bound = claim(hit, place, request, binder);
    if (bound instanceof Refusal) return bound;
    const isDeclared = bound.basic.has(half) && pair[half] === bound.binding.placeholder;
    if (!isDeclared || fields.keys[index] !== 'authorization' || fields.count('authorization') > 1)
      return misplaced(bound, place, request);
    request.injections.push({ binding: bound.binding, place: { kind: 'basic', index, half } });
    rest[half] = '';
  }
  return undeclaredIn(`${rest.user}:${rest.password}`, 'Basic authentication', request, binder);
}

/** Trailers are no declared place. */
export function bindTrailers(trailers: Fields, request: EgressRequest, binder: Binder): Refusal | null {
  for (let index = 0; index < trailers.length; index += 1) {
    const refused = undeclaredIn(
      `${trailers.names[index]}: ${trailers.values[index]}`,
      'a trailer',
      request,
      binder,
    );
    if (refused !== null) return refused;
  }
  return null;
}
