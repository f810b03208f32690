/** What was used, as the API says it. */
import { z } from '@hono/zod-openapi';

const PARTS = ['day', 'server', 'tool', 'agent', 'actor'] as const;
const count = z.number().int().min(0);
const Day = z
  .string()
  .regex(/^\d{4}-\d{2}-\d{2}$/)
  .refine((day) => !Number.isNaN(Date.parse(day)), 'is no day');

export const UsageQuery = z.object({
  /** In UTC, both included. Default: the last seven. */
  since: Day.optional(),
  until: Day.optional(),
  /** Between commas. */
  by: z
    .string()
    .default('server,tool')
    .transform((text) => text.split(',').filter((part) => part !== ''))
    .pipe(z.array(z.enum(PARTS))),
  server: z.string().optional(),
});

export const UsageView = z
  .object({
    since: z.string(),
    until: z.string(),
    lines: z.array(
      z.object({
        of: z.object({
          day: z.string().optional(),
          server: z.string().optional(),
          tool: z.string().optional(),
          agent: z.string().optional(),
          actor: z.string().optional(),
        }),
        calls: count,
        ok: count,
        toolErrors: count,
        errors: count,
        cancelled: count,
        failed: count,
        denied: count,
        durationMs: count,
        p50Ms: count.nullable(),
        p95Ms: count.nullable(),
        requests: count,
        requestErrors: count,
        requestsDenied: count,
        requestBytes: count,
        responseBytes: count,
      }),
    ),
  })
  .openapi('Usage');
export type UsageView = z.infer<typeof UsageView>;
