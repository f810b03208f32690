/**
 * Binds the placeholders in form bodies, urlencoded and multipart, while they come by. A field that was declared is
 * taken out when its whole value is the placeholder and no other field has its name; everything else is searched.
 */
import {
  type FormField,
  type FormPiece,
  type FormReader,
  MultipartReader,
  UrlencodedReader,
} from '../../wire/index.ts';
import type { BodyReading } from './body-reading.ts';
import { BodyScan } from './body-scan.ts';
import type { BoundCredential } from './bound-credentials.ts';
import { type Binder, claim, misplaced } from './claim.ts';
import type { BodyPieces, Gap, GapKind } from './injection.ts';
import { Refusal } from '../refusals.ts';
import type { EgressRequest } from '../request.ts';

export type FormReading = Extract<BodyReading, { kind: 'form' | 'multipart' }>;

export class FormBinder {
  readonly #reader: FormReader;
  readonly #as: GapKind;
  readonly #request: EgressRequest;
  readonly #binder: Binder;
  readonly #scan: BodyScan;
  /** Declared fields that were there, with the credential that goes into them. */
  readonly #seen = new Map<string, BoundCredential | null>();
  #hasGaps = false;

  constructor(reading: FormReading, request: EgressRequest, binder: Binder) {
    this.#reader =
      reading.kind === 'form'
        ? new UrlencodedReader(reading.fields)
        : new MultipartReader(reading.boundary, reading.fields);
    this.#as =
      reading.kind === 'form' ? { kind: 'form' } : { kind: reading.kind, boundary: reading.boundary };
    this.#request = request;
    this.#binder = binder;
    this.#scan = new BodyScan(request, binder);
  }

  /** @throws Refusal `egress_placeholder_misplaced`, `egress_placeholder_foreign`, `egress_request_malformed` */
  push(data: Buffer): BodyPieces {
    return this.#bind(this.#reader.push(data));
  }

  /** The body is complete. @throws Refusal as `push` */
  end(): BodyPieces {
    const rest = this.#bind(this.#reader.end());
    const refused = this.#scan.end();
    if (refused !== null) throw refused;
    return rest;
  }

  #bind(pieces: readonly FormPiece[]): BodyPieces {
    const bound: (Buffer | Gap)[] = [];
    for (const piece of pieces) {
      const gap = Buffer.isBuffer(piece) ? null : this.#field(piece);
      if (gap !== null) {
        bound.push(gap);
        continue;
      }
      const bytes = Buffer.isBuffer(piece) ? piece : piece.bytes;
      const refused = this.#scan.push(bytes);
      if (refused !== null) throw refused;
      bound.push(bytes);
    }
    /* What was bound was bound because of a shape that the body turns out not to have. */
    if (this.#hasGaps && this.#reader.malformed !== null)
      throw Refusal.of('egress_request_malformed', { reason: this.#reader.malformed });
    return bound;
  }

  /** Where the field's value goes, when it is a placeholder in its place; null when it is none at all. */
  #field({ name, value }: FormField): Gap | null {
    const place = `the form field ${name}`;
    const again = `${place}, which is there twice`;
    const hit = this.#binder.placeholders.find(value);
    const earlier = this.#seen.get(name);
    if (hit === null) {
      if (earlier !== undefined && earlier !== null) throw misplaced(earlier, again, this.#request);
      this.#seen.set(name, null);
      return null;
    }
    const bound = claim(hit, place, this.#request, this.#binder);
    if (bound instanceof Refusal) throw bound;
    if (earlier !== undefined) throw misplaced(bound, again, this.#request);
    const { binding } = bound;
    const declared = this.#as.kind === 'form' ? bound.formFields : bound.multipartFields;
    if (value !== binding.placeholder || !declared.has(name)) throw misplaced(bound, place, this.#request);
    this.#seen.set(name, bound);
    this.#request.injections.push({ binding, place: { kind: 'body' } });
    this.#hasGaps = true;
    return { binding, as: this.#as };
  }
}
