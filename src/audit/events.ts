/** What the audit log records. Adding a type here is how a module gets to record it. */
import type { JsonObject, WorkspaceId } from '../kernel/index.ts';

/** Who did it, as decided by the gateway. */
export interface Actor {
  readonly kind: 'system' | 'local' | 'token' | 'user' | 'cell';
  /** Token, user or cell id; the operating system's user id for `local`; `gateway` for `system`. */
  readonly id: string;
}

export type AuditEventType =
  | 'gateway.started'
  | 'gateway.stopped'
  | 'audit.journal_forged'
  | 'server.added'
  | 'server.changed'
  | 'server.removed'
  | 'package.installed'
  | 'package.refused'
  | 'package.removed'
  | 'definitions.seen'
  | 'definitions.approved'
  | 'definitions.rejected'
  | 'secret.set'
  | 'secret.deleted'
  | 'policy.changed'
  | 'policy.removed'
  | 'policy.alerted'
  | 'recording.begun'
  | 'recording.ended'
  | 'recording.read'
  | 'recording.removed'
  | 'profile.changed'
  | 'profile.deleted'
  | 'token.created'
  | 'token.revoked'
  | 'token.refused'
  | 'key.rotated'
  | 'kill.set'
  | 'kill.lifted'
  | 'cell.started'
  | 'cell.refused'
  | 'cell.exited'
  | 'upstream.opened'
  | 'upstream.closed'
  | 'upstream.reason'
  | 'upstream.refused'
  | 'grant.begun'
  | 'grant.granted'
  | 'grant.refreshed'
  | 'grant.refused'
  | 'grant.removed'
  | 'run.started'
  | 'run.finished'
  | 'approval.requested'
  | 'approval.agreed'
  | 'approval.rejected'
  | 'approval.revoked'
  | 'approval.expired'
  | 'approval.executed'
  | 'approval.refused'
  | 'call.started'
  | 'call.finished'
  | 'call.refused'
  | 'mask.applied'
  | 'credential.used'
  | 'credential.refused'
  | 'egress.request'
  | 'egress.finished'
  | 'egress.refused'
  | 'egress.masked'
  | 'egress.probed'
  | 'alert.raised'
  | 'delivery.failed'
  | 'delivery.resumed'
  | 'delivery.rejected'
  | 'dns.refused'
  | 'placeholder.foreign';

/** An event as its author hands it in. `data` never holds a secret or a body. */
export interface AuditEvent {
  readonly workspace: WorkspaceId;
  readonly type: AuditEventType;
  readonly actor: Actor;
  /** The server's slug, where one is concerned. */
  readonly server?: string;
  readonly data: JsonObject;
}

/** An event in its place in the workspace's chain. */
export interface RecordedEvent extends AuditEvent {
  /** 1, 2, 3 … without gaps within a workspace. */
  readonly sequence: number;
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  /** Hex SHA-256 of the event before; 64 zeros for the first. */
  readonly previous: string;
  /** Hex SHA-256 over the canonical form of everything above. */
  readonly hash: string;
}
