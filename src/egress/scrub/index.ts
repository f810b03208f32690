/** Scrubbing: no byte of a known secret comes back to a cell, in any of the encodings that `pattern.ts` lists. */
export { type ContentCoding, parseContentEncoding } from './content-coding.ts';
export { createContentScrubber } from './content-scrubber.ts';
export type { Encoding } from './mask.ts';
export { createScrubSet, type MaskedSecret, type ScrubSet } from './scrub-set.ts';
export { createScrubber, type Scrubber, type ScrubHit, scrubText } from './scrubber.ts';
