export type { Actor, AuditEvent, AuditEventType, RecordedEvent } from './events.ts';
export type { AuditHead, AuditSink, AuditStore, Checkpoint } from './ports.ts';
