/**
 * Recording: what clients and servers said to each other, for whoever has to know later. Masked before it is kept, sealed
 * before it is written, apart from the way of a request; read back with proof that nothing is missing, and held against
 * other rules. It sends nothing anywhere, and never calls anything again.
 */
export { keyContext } from './chunk.ts';
export type { Batch, BatchOutcome, RecordingLink } from './handover.ts';
export type { CallEntry, DecisionEntry, Entry, SessionFacts } from './entry.ts';
export { type RecordingLevel, recordingLevels } from './level.ts';
export { type Scrub, textMask } from './masking.ts';
export type { Growth, StoredValues, WriterPorts } from './ports.ts';
export { type RecordingFault, RecordingReader, type StoredChunk } from './reader.ts';
export { SessionRecorder } from './recorder.ts';
export { Recount } from './recount.ts';
export { type Rejudged, rejudge } from './rejudge.ts';
export { RecordingWriter } from './writer.ts';
