/**
 * Binds the placeholders in JSON: every string and every key, whatever its spelling was. Nothing else of the text is looked
 * at more closely than it takes to know that it is JSON, and that a declared place is one place.
 */
import { limits } from '../../kernel/index.ts';
import { type JsonString, JsonStrings } from '../../wire/index.ts';
import { BodyScan } from './body-scan.ts';
import { eachSlice, type SlicedWork, turnOf } from './body-slices.ts';
import { type BoundCredential, boundCredentials } from './bound-credentials.ts';
import { type Binder, claim, misplaced, undeclared } from './claim.ts';
import type { BodyPieces, Gap } from './injection.ts';
import { Refusal } from '../refusals.ts';
import type { EgressRequest } from '../request.ts';

/** A string that is a placeholder in its declared place, from quote to quote, in bytes. */
export interface JsonPlace {
  readonly bound: BoundCredential;
  readonly start: number;
  readonly end: number;
}

/** Which pointers a credential declares for this JSON, and what that is called. */
export interface JsonScope {
  readonly what: string;
  readonly pointersOf: (bound: BoundCredential) => ReadonlySet<string>;
}

const BODY: JsonScope = { what: 'the JSON body', pointersOf: ({ jsonPointers }) => jsonPointers };

/** Finds the places in a text while it is read. */
export class JsonBinder {
  readonly #text: Buffer;
  readonly #scope: JsonScope;
  readonly #request: EgressRequest;
  readonly #binder: Binder;
  readonly #strings: JsonStrings;
  readonly #places: JsonPlace[] = [];
  #refused: Refusal | null = null;

  /** @param text in UTF-8 */
  constructor(text: Buffer, scope: JsonScope, request: EgressRequest, binder: Binder) {
    this.#text = text;
    this.#scope = scope;
    this.#request = request;
    this.#binder = binder;
    const pointers = [...boundCredentials(binder.spec).byName.values()].flatMap((bound) => [
      ...scope.pointersOf(bound),
    ]);
    this.#strings = new JsonStrings(text, pointers, (string) => this.#string(string));
  }

  /** Reads so many bytes more. @returns whether that was all */
  read(bytes: number): boolean {
    return this.#strings.read(bytes) || this.#refused !== null;
  }

  /**
   * Once all is read.
   *
   * @returns the places in their order, or why there is one that may not be; null where the text is no JSON, which has none
   */
  places(): readonly JsonPlace[] | Refusal | null {
    if (this.#refused !== null) return this.#refused;
    return this.#strings.malformed === null ? this.#places : null;
  }

  #string(string: JsonString): void {
    const { placeholders } = this.#binder;
    const { start, end, isEscaped, isKey } = string;
    if (this.#refused !== null || end - start - 2 < placeholders.shortest) return; // no escape is shorter than what it says
    /* No place, and to undo its escapes would be a long pause: a placeholder in it is found by the search of all bytes. */
    if (isEscaped && end - start > limits.bodySliceBytes) return;
    const plain = isEscaped ? null : this.#text.subarray(start + 1, end - 1);
    const hit =
      plain === null ? placeholders.find(this.#strings.valueOf(string)) : placeholders.findInBytes(plain);
    if (hit === null) return;
    if (isKey) {
      this.#refused = undeclared(hit, `a key of ${this.#scope.what}`, this.#request, this.#binder);
      return;
    }
    const { pointer } = this.#strings;
    const place = `${pointer || 'the top'} of ${this.#scope.what}`;
    const bound = claim(hit, place, this.#request, this.#binder);
    if (bound instanceof Refusal) this.#refused = bound;
    else if (
      this.#strings.valueOf(string) === bound.binding.placeholder &&
      this.#scope.pointersOf(bound).has(pointer)
    )
      this.#places.push({ bound, start, end });
    else this.#refused = misplaced(bound, place, this.#request);
  }
}

const BACKSLASH = 0x5c;

/**
 * A whole body of a JSON type.
 *
 * @throws Refusal `egress_placeholder_misplaced`, `egress_placeholder_foreign`
 */
export async function bindJsonBody(
  body: Buffer,
  request: EgressRequest,
  binder: Binder,
): Promise<BodyPieces> {
  const places = await findPlaces(body, request, binder);
  for (const { bound } of places)
    request.injections.push({ binding: bound.binding, place: { kind: 'body' } });
  /* What is bound is cut out: whatever else looks like a placeholder, in base64 for example, stands elsewhere. */
  const pieces = cutOut(body, places);
  const scan = new BodyScan(request, binder);
  for (const piece of pieces)
    if (Buffer.isBuffer(piece)) await eachSlice(piece, request, (slice) => scan.push(slice));
  const refused = scan.end();
  if (refused !== null) throw refused;
  return pieces;
}

async function findPlaces(
  body: Buffer,
  request: EgressRequest,
  binder: Binder,
): Promise<readonly JsonPlace[]> {
  /* Strings say what they look like where there are no escapes: then there is nothing to find in them either. */
  if (!body.includes(BACKSLASH) && !(await hasPlaceholder(body, request, binder))) return [];
  const json = new JsonBinder(body, BODY, request, binder);
  while (!json.read(limits.bodySliceBytes)) await turnOf(request);
  const places = json.places() ?? []; // what is not JSON after all has no declared place
  if (places instanceof Refusal) throw places;
  return places;
}

async function hasPlaceholder(body: Buffer, work: SlicedWork, { placeholders }: Binder): Promise<boolean> {
  let found = false;
  await eachSlice(body, work, (slice, at) => {
    const overlap = body.subarray(Math.max(0, at - placeholders.longest + 1), at + slice.length);
    found ||= placeholders.findInBytes(overlap) !== null;
    return null;
  });
  return found;
}

/** @param places in their order */
function cutOut(text: Buffer, places: readonly JsonPlace[]): BodyPieces {
  const pieces: (Buffer | Gap)[] = [];
  let at = 0;
  for (const { bound, start, end } of places) {
    pieces.push(text.subarray(at, start), { binding: bound.binding, as: { kind: 'json' } });
    at = end;
  }
  pieces.push(text.subarray(at));
  return pieces;
}
