/**
 * Audit: what happened, in one hash chain per workspace. Recorded before it is done, and no change goes unnoticed.
 */
export { type AuditLog, type AuditLogDeps, createAuditLog } from './audit-log.ts';
export { canonicalForm, hashOf } from './canonical.ts';
export type { Actor, AuditEvent, AuditEventType, RecordedEvent } from './events.ts';
export { toJsonLine, toJsonLines } from './json-lines.ts';
export type { Durability } from './durability.ts';
export type { AuditHead, AuditSink, AuditStore, Checkpoint, EventRow } from './ports.ts';
export type { ExportRange, TailOptions } from './readers.ts';
export { pairedScribe } from './paired-scribe.ts';
export { createScribe, type Scribe, type ScribeDeps } from './scribe.ts';
export { type Channel, channelLog, remoteScribe, serveScribe } from './scribe-channel.ts';
export type { VerifyOptions, VerifyProblem, VerifyProblemCode, VerifyReport } from './verify-report.ts';
