/**
 * Masks secrets in a stream of bytes. What is followed by a byte that no secret holds passes at once and without
 * being copied; only a tail without one is held back until the next bytes tell, whatever it says (`tail.ts`). A
 * match never passes, however the stream was cut. After a match, whatever overlaps it is swallowed too.
 * Where two pieces meet, only as much of the second as a match can reach into is put behind what was held of the first.
 */
import { matchAt } from './match.ts';
import { type Encoding, encodeMask, encodingOf } from './mask.ts';
import type { Opening } from './openings.ts';
import type { Pattern } from './pattern.ts';
import type { ScrubSet } from './scrub-set.ts';
import { GRAM_BYTES, hashOf, mayHoldMatch, type SkipTable, stepBack } from './skip-table.ts';
import { tailStart } from './tail.ts';
import { step } from './trie.ts';

export interface ScrubHit {
  /** The credential's name. */
  readonly name: string;
  readonly encoding: Encoding;
}

export interface Scrubber {
  /** Takes the next bytes and gives what may pass now; the very same buffer when nothing was found in it. */
  push(chunk: Buffer): Buffer;
  /** The same, piece by piece in order and without copying what was not held: none is empty. */
  pass(chunk: Buffer, to: (piece: Buffer) => void): void;
  /** Gives what was held back. Nothing may be pushed afterwards. */
  end(): Buffer;
  /** Once it has ended: what a match may begin with that goes on in the next run of bytes, where readers join the two. */
  readonly rest: Buffer;
}

const EMPTY: Buffer = Buffer.alloc(0);
const PASSING: Scrubber = {
  push: (chunk) => chunk,
  pass(chunk, to) {
    if (chunk.length > 0) to(chunk);
  },
  end: () => EMPTY,
  rest: EMPTY,
};

/** @param before the `rest` of the run that came before, which has passed: a match that begins in it is masked from here on */
export function createScrubber(set: ScrubSet, onHit: (hit: ScrubHit) => void, before = EMPTY): Scrubber {
  const { table } = set;
  if (table === null) return PASSING;
  return new StreamScrubber(set, table, onHit, before);
}

interface Found {
  /** Just past the match. */
  readonly end: number;
  readonly pattern: Pattern;
  readonly encoding: Encoding;
}

class StreamScrubber implements Scrubber {
  readonly #set: ScrubSet;
  readonly #table: SkipTable;
  readonly #onHit: (hit: ScrubHit) => void;
  /** The tail of what came so far. */
  #held: Buffer;
  /** How many of the held bytes are not to pass: they have, or belong to a match that was masked. */
  #swallowed: number;
  /** How many of the held bytes passed in the run before this one. */
  #before: number;
  /** Once it has ended: where in what was held the last match ends. */
  #matched = 0;

  constructor(set: ScrubSet, table: SkipTable, onHit: (hit: ScrubHit) => void, before: Buffer) {
    this.#set = set;
    this.#table = table;
    this.#onHit = onHit;
    this.#held = before;
    this.#swallowed = this.#before = before.length;
  }

  get rest(): Buffer {
    return this.#held.subarray(Math.max(this.#matched, tailStart(this.#table.tail, this.#held)));
  }

  push(chunk: Buffer): Buffer {
    const passed = this.#next(chunk);
    return passed.length > 1 ? Buffer.concat(passed) : (passed[0] ?? EMPTY);
  }

  pass(chunk: Buffer, to: (piece: Buffer) => void): void {
    for (const piece of this.#next(chunk)) to(piece);
  }

  end(): Buffer {
    const held = this.#held;
    const before = this.#before;
    const passed: Buffer[] = [];
    const from = this.#search(held, held.length, passed);
    if (from < held.length) passed.push(held.subarray(from));
    this.#matched = from > before ? from : 0;
    return passed.length > 1 ? Buffer.concat(passed) : (passed[0] ?? EMPTY);
  }

  #next(chunk: Buffer): Buffer[] {
    const held = this.#held;
    if (held.length === 0) return this.#scan(chunk, []);
    const { reach } = this.#table.tail;
    if (chunk.length < reach) return this.#scan(Buffer.concat([held, chunk]), []);
    const passed: Buffer[] = [];
    this.#junction(Buffer.concat([held, chunk.subarray(0, reach)]), held.length, passed);
    return this.#scan(chunk, passed);
  }

  /** Passes what was held, `data` up to `end`: whatever match begins in there ends in `data`. */
  #junction(data: Buffer, end: number, passed: Buffer[]): void {
    const from = this.#search(data, end, passed);
    if (from < end) passed.push(data.subarray(from, end));
    this.#swallowed = Math.max(0, from - end);
    this.#before = 0;
  }

  #scan(data: Buffer, passed: Buffer[]): Buffer[] {
    const holdAt = tailStart(this.#table.tail, data);
    const from = this.#search(data, holdAt, passed);
    this.#swallowed = Math.max(0, from - holdAt);
    this.#before = Math.max(0, this.#before - holdAt);
    this.#held = holdAt === data.length ? EMPTY : Buffer.from(data.subarray(holdAt));
    if (from < holdAt) passed.push(from === 0 && holdAt === data.length ? data : data.subarray(from, holdAt));
    return passed;
  }

  /** Masks what begins before `end`. @returns where what has not been passed or swallowed begins */
  #search(data: Buffer, end: number, passed: Buffer[]): number {
    const table = this.#table;
    let from = this.#swallowed;
    for (let at = nextCandidate(table, data, 0); at < end; at = nextCandidate(table, data, at + 1)) {
      const found = longestAt(table, data, at);
      if (found !== null) from = this.#mask(found, data, at, from, passed);
    }
    return from;
  }

  /** Passes what stands before a match, and the mask unless it overlaps the one before; gives its end. */
  #mask(found: Found, data: Buffer, start: number, from: number, passed: Buffer[]): number {
    const { pattern, encoding, end } = found;
    /* What of it has passed has passed; the mask stands for all of it. */
    const hasBegun = start < this.#before && from === this.#before && end > from;
    if (start >= from || hasBegun) {
      if (start > from) passed.push(data.subarray(from, start));
      passed.push(encodeMask(this.#set.maskOf(pattern), pattern, encoding, data.subarray(start, end)));
      this.#onHit({ name: pattern.name, encoding });
    }
    return Math.max(from, end);
  }
}

/** The longest match that begins at a place, `null` for none. */
function longestAt(table: SkipTable, data: Buffer, start: number): Found | null {
  const group = table.groups[table.head[hashOf(gramAt(data, start), table.headShift)] ?? 0];
  if (group === undefined) return null;
  let best = longerOf(null, group.patterns, data, start);
  if (!group.hasTexts) return best;
  let node: Opening | null = table.openings;
  for (let at = start; node !== null; at += 1) {
    best = longerOf(best, node.patterns, data, start);
    node = step(node, data[at]);
  }
  return best;
}

function longerOf(
  best: Found | null,
  patterns: readonly Pattern[],
  data: Buffer,
  start: number,
): Found | null {
  let longest = best;
  for (const pattern of patterns) {
    const { end, kinds } = matchAt(pattern, data, start);
    if (end > (longest?.end ?? 0)) longest = { end, pattern, encoding: encodingOf(pattern, kinds) };
  }
  return longest;
}

/** The first place from `start` on where a match may begin; the end of the data for none. */
function nextCandidate(table: SkipTable, data: Buffer, start: number): number {
  const { known, knownShift, head, headShift, window } = table;
  const lead = window - GRAM_BYTES;
  const back = stepBack(lead);
  const last = data.length - GRAM_BYTES;
  let at = start + lead;
  // The long step does not depend on what the table says, so that the processor can go on to the next window
  // before it has the entry for this one.
  while (at <= last) {
    if (known[hashOf(gramAt(data, at), knownShift)] === 0) at += lead + 1;
    else if (back > 0 && known[hashOf(gramAt(data, at - GRAM_BYTES), knownShift)] === 0) at += back;
    else if (head[hashOf(gramAt(data, at - lead), headShift)] === 0) at += 1;
    else break;
  }
  return at <= last ? at - lead : data.length;
}

const gramAt = (data: Buffer, at: number): number =>
  (data[at] ?? 0) | ((data[at + 1] ?? 0) << 8) | ((data[at + 2] ?? 0) << 16);

/**
 * Masks secrets in a header value or another short text. Characters up to U+00FF are taken as bytes, as Node
 * gives header values; a text with others as UTF-8. The same string comes back when nothing was found.
 */
export function scrubText(set: ScrubSet, text: string, onHit: (hit: ScrubHit) => void = () => {}): string {
  const { table } = set;
  if (table === null) return text;
  const encoding = /[^\x00-\xff]/.test(text) ? 'utf8' : 'latin1';
  if (encoding === 'latin1' && !mayHoldMatch(table, text)) return text;
  let found = false;
  const scrubber = createScrubber(set, (hit) => {
    found = true;
    onHit(hit);
  });
  const scrubbed = [scrubber.push(Buffer.from(text, encoding)), scrubber.end()];
  return found ? Buffer.concat(scrubbed).toString(encoding) : text;
}
