/** Recordings of sessions: how much waits to be written, how it is cut, and how long it is kept. */
import { MIB } from './size.ts';

/** What was said waits at most so long before it is written. */
export const recordingFlushIntervalMs = 500;
/** Characters of messages that may wait to be written; what is more is counted, and lost. */
export const recordingQueueCharsMax = 32 * MIB;
/** Characters that are handed at once to whoever writes, unless one message is longer: one transaction. */
export const recordingBatchCharsMax = 512 * 1_024;
/** Memory of the thread that writes, in MiB: of the longest message that may wait there are a few forms at a time. */
export const recordingThreadMib = 512;
/** Longest message that is masked, in characters: of a longer one no text is kept. */
export const recordingMaskedCharsMax = 16 * MIB;
/** What is kept of a message at most, and the longest arguments, in characters. */
export const recordingMessageCharsMax = 4 * MIB;
/** Longest name, method or id that is kept of a message, in characters. */
export const recordingNameCharsMax = 300;
/** Longest name, method or id that is masked, in characters: of a longer one nothing is kept. */
export const recordingMaskedNameCharsMax = 64 * 1_024;
/** Plaintext of one chunk, in bytes: below what may be sealed at once. */
export const recordingChunkBytesMax = 128 * 1_024;
/** What one caller asks without a session belongs together until it pauses so long. */
export const recordingPauseMs = 10 * 60_000;
/** How often such sessions are looked at. */
export const recordingPauseCheckMs = 60_000;
/** A session without an end that was written so lately may go on in another process: neither retention nor anybody else takes it. */
export const recordingElsewhereMs = 15 * 60_000;
/** How often what is too old or too much is removed. */
export const recordingSweepIntervalMs = 60 * 60_000;
/** Sessions that one list shows. */
export const recordingsListedMax = 1_000;
/** Chunks that are read at once. */
export const recordingChunksReadMax = 16;
/** Audit events that are read at most to find the requests of a session's calls. */
export const recordingAuditEventsMax = 200_000;
/** Days that a recording is kept after its last message, and what all of them may take, where the configuration says nothing. */
export const recordingKeepDays = 30;
export const recordingKeepMib = 1_024;
