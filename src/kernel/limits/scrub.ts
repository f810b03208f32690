/** Search of what upstreams answer. */
import { MIB } from './size.ts';

/** Values, rotated ones included, that the answers to one cell are searched for. */
export const cellKnownSecretsMax = 64;
/** Shortest value that answers are scrubbed of, in bytes: a shorter one would be found everywhere. */
export const scrubValueBytesMin = 4;
/** Fewest certain base64 characters that are looked for: fewer are found in any base64 by accident. */
export const scrubBase64CharsMin = 6;
/** Longest window of the scrubber's skip table, in bytes; more would be slower to build and no faster to scan. */
export const scrubWindowBytesMax = 64;
/** Content codings that may be applied to one body on top of each other. */
export const contentCodingsMax = 3;
/** Window that a zstd body may ask for, as a power of two; RFC 9659 allows 8 MiB. */
export const zstdWindowLogMax = 23;
/** Decoded bytes of a body that are passed whatever its coded size, in bytes. */
export const decodedFreeBytes = 64 * MIB;
/** Decoded bytes per coded byte beyond that; plain text reaches 100, a bomb a thousand and more. */
export const decodedRatioMax = 512;
/** Frames that a zstd body may have whatever its size. */
export const zstdFramesFree = 128;
/** Coded bytes per zstd frame beyond that: each frame costs about 0.1 ms, however little it holds. */
export const zstdFrameBytesMin = 1024;
/** How often it is told that keys were found in an answer that has not ended, in milliseconds. */
export const hitsToldIntervalMs = 60_000;
