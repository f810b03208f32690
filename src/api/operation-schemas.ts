/** What the operator does with a gateway: its state, calls by hand, kill switches, master keys. */
import { z } from '@hono/zod-openapi';
import { Slug } from './schemas.ts';

export const CallBody = z
  .strictObject({
    server: Slug,
    tool: z.string().min(1),
    /** A JSON object as text: it is forwarded as it is. */
    arguments: z.string(),
    profile: Slug.optional(),
  })
  .openapi('Call');

export const KillView = z
  .object({
    scope: z.enum(['all', 'workspace', 'server', 'token', 'user', 'credential']),
    target: z.string(),
    at: z.number(),
    by: z.string(),
    reason: z.string(),
  })
  .openapi('Kill');

export const SetKill = z
  .strictObject({
    scope: z.enum(['all', 'workspace', 'server', 'token', 'user', 'credential']),
    target: z.string().default(''),
    reason: z.string().default(''),
  })
  .openapi('SetKill');

export const LiftKill = SetKill.omit({ reason: true }).openapi('LiftKill');

export const KeyStatus = z
  .object({
    provider: z.string(),
    /** Oldest first; `wraps` counts tenant keys. */
    keys: z.array(
      z.object({ id: z.string(), createdAt: z.number(), current: z.boolean(), wraps: z.number() }),
    ),
    /** Master keys that something is wrapped by and that are not there. */
    missing: z.array(z.object({ id: z.string(), wraps: z.number() })),
  })
  .openapi('KeyStatus');

export const KeyRotation = z
  .object({
    from: z.string(),
    to: z.string(),
    rewrapped: z.number(),
    retired: z.array(z.string()),
    resumed: z.boolean(),
  })
  .openapi('KeyRotation');

export const StatusView = z
  .object({
    version: z.string(),
    home: z.string(),
    pid: z.number(),
    url: z.string().nullable(),
    startedAt: z.number(),
    /** `none-unsafe`: servers run without any isolation. */
    isolation: z.enum(['cell', 'none-unsafe']),
    cells: z.array(
      z.object({
        id: z.string(),
        server: z.string(),
        profile: z.string().nullable(),
        owner: z.string().nullable(),
        startedAt: z.number(),
      }),
    ),
  })
  .openapi('Status');

export type KillView = z.infer<typeof KillView>;
export type KeyStatus = z.infer<typeof KeyStatus>;
export type KeyRotation = z.infer<typeof KeyRotation>;
export type StatusView = z.infer<typeof StatusView>;
