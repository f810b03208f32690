export type { Actor, AuditEvent, AuditEventType, RecordedEvent } from './events.ts';
