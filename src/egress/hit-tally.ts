/** Keys that were found in one answer, counted: an answer can hold any number. */
import type { Encoding, ScrubHit } from './scrub/index.ts';

export class HitTally {
  readonly credentials = new Set<string>();
  readonly encodings = new Set<Encoding>();
  hits = 0;

  add({ name, encoding }: ScrubHit): void {
    this.credentials.add(name);
    this.encodings.add(encoding);
    this.hits += 1;
  }
}
