/** Manifests, and the placeholders that they describe. */
import { KIB, MIB } from './size.ts';

/** Largest manifest or toolspec, in bytes. The largest real one is under 13 KiB. */
export const manifestBytesMax = 256 * KIB;
/** Deepest nesting of maps and lists in a manifest. The format itself needs 6 levels. */
export const manifestDepthMax = 24;
/** Longest placeholder that a manifest may ask for, in characters. */
export const placeholderCharsMax = 512;
/** Shortest placeholder, in characters: a shorter one could turn up in a request by chance. */
export const placeholderCharsMin = 16;
/** Least randomness of a placeholder, in bits. */
export const placeholderEntropyBitsMin = 64;
/** Findings about one manifest that are kept; more help nobody, and a hostile file must not make a huge answer. */
export const manifestFindingsMax = 100;
/** Each text of a finding, in characters. */
export const manifestFindingCharsMax = 1_000;
/** Longest path prefix in a manifest, in characters. */
export const manifestPathCharsMax = 512;
/** Texts of stored manifests whose meaning is remembered, all together, in UTF-16 units. */
export const manifestCharsKept = 4 * MIB;
