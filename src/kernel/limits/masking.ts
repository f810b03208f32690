/** What masking looks into, and how deep. */
import { KIB, MIB } from './size.ts';

/** Encodings on top of each other that are undone in search of what must be masked: escapes, base64, hex, JSON in strings. */
export const maskingLayersMax = 4;
/** Shortest run of base64 or hex characters that is decoded, in characters. */
export const maskingEncodedCharsMin = 20;
/** Shortest line of what is encoded and goes on in the next, in characters: those of digests are shorter. */
export const maskingEncodedLineCharsMin = 44;
/** Shortest run of printable bytes in what was decoded that is looked into, in bytes. */
export const maskingPrintableBytesMin = 12;
/** The same of UTF-16, in characters. */
export const maskingWideCharsMin = 16;
/** Of each of several strings next to each other, what is put together at its ends, in characters; a PEM of a large key fits. */
export const maskingJoinCharsMax = 8 * KIB;
/** Longest private key in its armour, in characters. */
export const maskingArmourCharsMax = 64 * KIB;
/** How far before a number a word is looked for that says what it is, in characters. */
export const maskingContextChars = 48;
/** Keys of JSON objects that are remembered with what is known of them. */
export const maskingKeysKept = 4096;
/** The same, of keys near numbers, for each kind of number. */
export const maskingContextKeysKept = 256;
/** Rules, and names or patterns in each of them. */
export const maskingRulesMax = 200;
export const maskingSelectorsMax = 500;
/** A pattern, in characters. */
export const maskingPatternCharsMax = 1024;
/** Instructions that a pattern may compile to: what is scanned costs at most so many steps per character. */
export const maskingPatternStepsMax = 2000;
/** Steps of `$ref` that are followed in a schema. */
export const maskingSchemaStepsMax = 32;
/** What is spent on fitting one masked value to its schema, in looks at a part of the schema. */
export const maskingSchemaWorkMax = 200_000;
/** Structured content that is fitted to its schema once it is masked, in characters. */
export const maskingFitCharsMax = 512 * KIB;
/** An answer that is masked, in characters. */
export const maskingAnswerCharsMax = 4 * MIB;
/** A message from which on it is masked on another thread, in characters: below, the way there takes longer than it saves. */
export const maskingApartCharsMin = 64 * KIB;
/** Threads that mask, and the memory of each, in MiB. */
export const maskingThreadsMax = 2;
export const maskingThreadMemoryMiB = 512;
/** How long a message may take there, and what waits for its turn together: milliseconds, characters. */
export const maskingApartMs = 30_000;
export const maskingApartWaitingCharsMax = 64 * MIB;
/** A thread that has had nothing to do for so long is ended, in milliseconds. */
export const maskingThreadIdleMs = 60_000;
/** What a server says to one client beside its answers and has to wait for its turn, in characters. */
export const maskingBesideCharsMax = 8 * MIB;
/** Sets of rules that are kept compiled. */
export const maskingSetsKept = 64;
/** Of what was masked in one answer, what is on record: entries, and characters of where it was. */
export const maskingHitsRecorded = 32;
export const maskingWhereCharsMax = 200;
