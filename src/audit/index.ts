/**
 * Audit: what happened, in one hash chain per workspace. Recorded before it is done, and no change goes unnoticed.
 */
export { type AuditLog, type AuditLogDeps, createAuditLog } from './audit-log.ts';
export { checkpointRecord, readCheckpointLines, toCheckpointLine } from './checkpoint-line.ts';
export { canonicalForm, hashOf } from './canonical.ts';
export { directRecorder } from './direct-recorder.ts';
export type { Actor, AuditEvent, AuditEventType, RecordedEvent } from './events.ts';
export { eventRecord, toJsonLine, toJsonLines } from './json-lines.ts';
export { type Durability } from './journal/durability.ts';
export { JournalIngester } from './journal/ingester.ts';
export { type JournalKeys, journalKeys } from './journal/keys.ts';
export { channelLog, serveIngester } from './journal/ingest-service.ts';
export { ingestLink } from './journal/link.ts';
export type { JournalFile, JournalFolder, JournalSource } from './journal/ports.ts';
export { type Channel, ingestedIn, type SharedNumbers, sharedNumbers } from './journal/protocol.ts';
export { journalRecorder } from './journal/recorder.ts';
export { endJournal, recoverJournals } from './journal/recovery.ts';
export type {
  AuditHead,
  AuditSink,
  AuditStore,
  Checkpoint,
  EventRow,
  JournalProgress,
  JournalRow,
} from './ports.ts';
export type { ExportRange, TailOptions } from './readers.ts';
export type { Recorder } from './recorder.ts';
export { RECEIVERS } from './own-names.ts';
export { createScribe, type Scribe, type ScribeDeps } from './scribe.ts';
export type { VerifyOptions, VerifyProblem, VerifyProblemCode, VerifyReport } from './verify-report.ts';
