/**
 * Scrubbing: no known secret comes back to a cell.
 *
 * Seen, wherever a stream is cut: the value as it is, in UTF-8 and, where it fits, in Latin-1; any mixture, character
 * by character, of percent-encoding, JSON and JavaScript escapes (`\u`, `\x`, octal), HTML references, and any two
 * of these on top of each other; base64 in both alphabets at all three alignments, in lines or not, with `+` and `/`
 * escaped, of the value, of its URL and JSON forms, of its UTF-16 and of its base64; hex in any case, with colons,
 * hyphens or nothing between bytes; UTF-16 in both byte orders; all of it through gzip, deflate, br and zstd.
 *
 * Not seen: values shorter than `limits.scrubValueBytesMin` (listed in `ScrubSet.unprotected`), and base64 of
 * values of four bytes; a part of a value; a value in another case, reversed, encrypted, or spread over several
 * answers; three encodings on top of each other, and two where one is hex or UTF-16, other than those above; hex
 * with spaces; `\u{…}`; named HTML references beyond ASCII and Latin-1; quoted-printable, base32, UTF-7, UTF-32;
 * base64 with indented lines; archives and images.
 *
 * One scrubber is for one run of bytes that belong together: a body, or one WebSocket message, whatever frames it
 * comes in. A held tail ends with it: call `end()` at the end of the message, and make another for the next, with the
 * `rest` of this one. A value in several messages is then masked in the one in which it is complete; the parts in those
 * before it have passed.
 */
export { parseContentEncoding } from './content-coding.ts';
export { createContentScrubber } from './content-scrubber.ts';
export type { Encoding } from './mask.ts';
export { createScrubSet, type MaskedSecret, type ScrubSet } from './scrub-set.ts';
export { createScrubber, type Scrubber, type ScrubHit, scrubText } from './scrubber.ts';
