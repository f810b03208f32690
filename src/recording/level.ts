/** How much is kept of what clients and servers say. */

export const recordingLevels = ['off', 'metadata', 'arguments', 'full'] as const;

/**
 * `metadata`: who asked which server for what, when, and how it ended. `arguments`: with the arguments of calls and prompts.
 * `full`: every message, as it was said to the client and by it, masked.
 */
export type RecordingLevel = (typeof recordingLevels)[number];

const rank = (level: RecordingLevel): number => recordingLevels.indexOf(level);

/** Rules raise a level, and never lower one. */
export const higher = (one: RecordingLevel, other: RecordingLevel): RecordingLevel =>
  rank(one) >= rank(other) ? one : other;

export const reaches = (level: RecordingLevel, wanted: RecordingLevel): boolean =>
  rank(level) >= rank(wanted);
