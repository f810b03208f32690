/** Binds the placeholders in JSON: every string and every key, whatever its spelling was. */
import type { Json } from '../kernel/index.ts';
import { checkJson, findJson, type JsonPath } from '../wire/index.ts';
import { BodyScan } from './body-scan.ts';
import type { BoundCredential } from './bound-credentials.ts';
import { type Binder, claim, misplaced, undeclared } from './claim.ts';
import type { BodyPieces, Gap } from './injection.ts';
import type { CredentialBinding } from './ports.ts';
import { Refusal } from './refusals.ts';
import type { EgressRequest } from './request.ts';

/** A string that is a placeholder in its declared place. */
export interface JsonPlace {
  readonly bound: BoundCredential;
  readonly path: JsonPath;
}

/** Which pointers a credential declares for this JSON, and what that is called. */
export interface JsonScope {
  readonly what: string;
  readonly pointersOf: (bound: BoundCredential) => ReadonlySet<string>;
}

const BODY: JsonScope = { what: 'the JSON body', pointersOf: ({ jsonPointers }) => jsonPointers };

/** The places in a parsed text. */
export function bindJson(
  value: Json,
  scope: JsonScope,
  request: EgressRequest,
  binder: Binder,
): readonly JsonPlace[] | Refusal {
  const places: JsonPlace[] = [];
  const refused = new JsonWalk(scope, request, binder, places).visit(value);
  return refused ?? places;
}

class JsonWalk {
  readonly #scope: JsonScope;
  readonly #request: EgressRequest;
  readonly #binder: Binder;
  readonly #places: JsonPlace[];
  /** Where the walk is. */
  readonly #path: (string | number)[] = [];

  constructor(scope: JsonScope, request: EgressRequest, binder: Binder, places: JsonPlace[]) {
    this.#scope = scope;
    this.#request = request;
    this.#binder = binder;
    this.#places = places;
  }

  visit(value: Json): Refusal | null {
    if (typeof value === 'string') return this.#string(value);
    if (value === null || typeof value !== 'object') return null;
    if (Array.isArray(value)) return this.#items(value);
    for (const [key, member] of Object.entries(value)) {
      const inKey = this.#binder.placeholders.find(key);
      if (inKey !== null)
        return undeclared(inKey, `a key of ${this.#scope.what}`, this.#request, this.#binder);
      const refused = this.#step(key, member);
      if (refused !== null) return refused;
    }
    return null;
  }

  /** Millions of them fit into a body: nothing is made for each. */
  #items(items: readonly Json[]): Refusal | null {
    for (let index = 0; index < items.length; index += 1) {
      const refused = this.#step(index, items[index] ?? null);
      if (refused !== null) return refused;
    }
    return null;
  }

  #step(key: string | number, member: Json): Refusal | null {
    this.#path.push(key);
    const refused = this.visit(member);
    if (refused === null) this.#path.pop();
    return refused;
  }

  #string(value: string): Refusal | null {
    const hit = this.#binder.placeholders.find(value);
    if (hit === null) return null;
    const pointer = this.#path.map(pointerStep).join('');
    const place = `${pointer || 'the top'} of ${this.#scope.what}`;
    const bound = claim(hit, place, this.#request, this.#binder);
    if (bound instanceof Refusal) return bound;
    if (value !== bound.binding.placeholder || !this.#scope.pointersOf(bound).has(pointer))
      return misplaced(bound, place, this.#request);
    this.#places.push({ bound, path: [...this.#path] });
    return null;
  }
}

/** RFC 6901 section 3. */
const pointerStep = (step: string | number): string =>
  `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`;

const BACKSLASH = 0x5c;

/**
 * A whole body of a JSON type.
 *
 * @throws Refusal `egress_placeholder_misplaced`, `egress_placeholder_foreign`
 */
export function bindJsonBody(body: Buffer, request: EgressRequest, binder: Binder): BodyPieces {
  const places = findPlaces(body, request, binder);
  for (const { binding } of places) request.injections.push({ binding, place: { kind: 'body' } });
  /* What is bound is cut out: whatever else looks like a placeholder, in base64 for example, stands elsewhere. */
  const pieces = cutOut(body, places);
  const scan = new BodyScan(request, binder);
  for (const piece of pieces) {
    const refused = Buffer.isBuffer(piece) ? scan.push(piece) : null;
    if (refused !== null) throw refused;
  }
  const refused = scan.end();
  if (refused !== null) throw refused;
  return pieces;
}

/** A value in a text, in bytes. */
interface Cut {
  readonly binding: CredentialBinding;
  readonly start: number;
  readonly end: number;
}

function findPlaces(body: Buffer, request: EgressRequest, binder: Binder): readonly Cut[] {
  /* Strings say what they look like where there are no escapes: then there is nothing to find in them either. */
  if (!body.includes(BACKSLASH) && binder.placeholders.findInBytes(body) === null) return [];
  const text = checkJson(body);
  if (!text.ok) return []; // what is not JSON after all has no declared place
  const value: Json = JSON.parse(text.value);
  const places = bindJson(value, BODY, request, binder);
  if (places instanceof Refusal) throw places;
  const cuts = places.map(({ bound, path }) => {
    const span = findJson(text.value, path);
    if (span === null) throw new Error('a place in a JSON body that was found is gone');
    const start = Buffer.byteLength(text.value.slice(0, span.start));
    const length = Buffer.byteLength(text.value.slice(span.start, span.end));
    return { binding: bound.binding, start, end: start + length };
  });
  /* Keys that are numbers are walked first, wherever they stand. */
  return cuts.toSorted((a, b) => a.start - b.start);
}

function cutOut(body: Buffer, cuts: readonly Cut[]): BodyPieces {
  const pieces: (Buffer | Gap)[] = [];
  let at = 0;
  for (const { binding, start, end } of cuts) {
    pieces.push(body.subarray(at, start), { binding, as: { kind: 'json' } });
    at = end;
  }
  pieces.push(body.subarray(at));
  return pieces;
}
