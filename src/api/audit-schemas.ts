/** The audit log and what is made of it, as the API shows it: events, checkpoints, alerts, exports. */
import { z } from '@hono/zod-openapi';

/** An event of the audit log, as it was hashed. */
export const RecordedEvent = z
  .object({
    workspace: z.string(),
    sequence: z.number(),
    at: z.number(),
    type: z.string(),
    actor: z.object({ kind: z.string(), id: z.string() }),
    server: z.string().optional(),
    data: z.looseObject({}),
    previous: z.string(),
    hash: z.string(),
  })
  .openapi('AuditEvent');

export const VerifyView = z
  .object({
    ok: z.boolean(),
    events: z.number(),
    checkpoints: z.number(),
    problems: z.array(z.object({ code: z.string(), sequence: z.number(), message: z.string() })),
    /** Whether there are more problems than are listed. */
    more: z.boolean(),
  })
  .openapi('AuditVerification');

/** What was kept outside of the database. */
export const VerifyBody = z
  .object({
    /** JSON Lines; those that are no checkpoints are left out. */
    checkpoints: z.string().min(1),
  })
  .openapi('VerifyAgainst');

/** Signed: that the chain had this hash at this sequence. */
export const CheckpointView = z
  .object({
    sequence: z.number(),
    at: z.number(),
    workspace: z.string(),
    hash: z.string(),
    publicKey: z.string(),
    signature: z.string(),
  })
  .openapi('AuditCheckpoint');

export const AlertView = z
  .object({
    id: z.string(),
    rule: z.string(),
    kind: z.string(),
    key: z.string(),
    message: z.string(),
    at: z.number(),
    sequence: z.number(),
  })
  .openapi('Alert');

export const ExportView = z
  .object({
    name: z.string(),
    kind: z.string(),
    /** Whether calls are refused while it is too far behind. */
    required: z.boolean(),
    /** Of the last event that the receiver has. */
    sequence: z.number(),
    behind: z.number(),
    failures: z.number(),
    code: z.string().nullable(),
    failingSince: z.number().nullable(),
  })
  .openapi('AuditExport');

export type AlertView = z.infer<typeof AlertView>;
export type ExportView = z.infer<typeof ExportView>;
export type CheckpointView = z.infer<typeof CheckpointView>;
export type VerifyView = z.infer<typeof VerifyView>;
