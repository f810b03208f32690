/**
 * Scrubs one WebSocket message, whatever frames it comes in. A message can be older than a key that comes in it: what
 * became known meanwhile is looked for from then on. Each message has to be delivered when it ends, whatever the next one
 * begins with: of a key in two messages, the first part passes, and the second does not.
 */
import { createScrubber, type Scrubber, type ScrubHit, type ScrubSet } from '../scrub/index.ts';

/** What is looked for now, and who is told. */
export interface ScrubSource {
  readonly scrubSet: ScrubSet;
  onHit(hit: ScrubHit): void;
}

const EMPTY: Buffer = Buffer.alloc(0);

export class MessageScrubber {
  readonly #source: ScrubSource;
  #set: ScrubSet;
  /** The first is as old as the message. */
  readonly #scrubbers: Scrubber[];

  /** @param before `rest` of the message before */
  constructor(source: ScrubSource, before: Buffer = EMPTY) {
    this.#source = source;
    this.#set = source.scrubSet;
    this.#scrubbers = [createScrubber(this.#set, this.#onHit, before)];
  }

  /** Once it has ended: what a key may begin with that goes on in the next message. */
  get rest(): Buffer {
    return this.#scrubbers.at(-1)?.rest ?? EMPTY;
  }

  push(data: Buffer): Buffer {
    this.#follow();
    return this.#scrubbers.reduce((passed, scrubber) => scrubber.push(passed), data);
  }

  /** What was held back. Nothing may be pushed afterwards. */
  end(): Buffer {
    this.#follow();
    return this.#scrubbers.reduce((passed: Buffer, scrubber) => {
      const last = passed.length === 0 ? EMPTY : scrubber.push(passed);
      const held = scrubber.end();
      return last.length === 0 ? held : Buffer.concat([last, held]);
    }, EMPTY);
  }

  readonly #onHit = (hit: ScrubHit): void => this.#source.onHit(hit);

  #follow(): void {
    const { scrubSet } = this.#source;
    if (this.#set === scrubSet) return;
    this.#set = scrubSet;
    this.#scrubbers.push(createScrubber(scrubSet, this.#onHit));
  }
}
