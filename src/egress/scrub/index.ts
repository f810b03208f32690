/**
 * Scrubbing: no known secret comes back to a cell.
 *
 * Seen, wherever a stream is cut: the value as it is; any mixture, character by character, of percent-encoding,
 * JSON and JavaScript escapes, HTML references, and the usual double escapes of punctuation; base64 in both
 * alphabets at all three alignments, in lines or not, with `+` and `/` escaped; hex in any case; UTF-16 in both
 * byte orders; all of it through gzip, deflate, br and zstd.
 *
 * Not seen: values shorter than `limits.scrubValueBytesMin` (listed in `ScrubSet.unprotected`), and base64 of
 * values of four bytes; a part of a value; a value in another case, reversed, encrypted, or spread over several
 * answers; two encodings on top of each other, other than double escapes of punctuation; hex with separators;
 * named HTML references other than the five of XML; archives and images.
 */
export { parseContentEncoding } from './content-coding.ts';
export { createContentScrubber } from './content-scrubber.ts';
export { createScrubSet, type MaskedSecret, type ScrubSet } from './scrub-set.ts';
export { createScrubber, type Scrubber, type ScrubHit, scrubText } from './scrubber.ts';
