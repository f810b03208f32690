/** What `server show --plan` answers. */
import { z } from '@hono/zod-openapi';
import { Slug } from './schemas.ts';
import { EgressRuleView } from './server-schemas.ts';

/** What starting a server would do. Where a credential would stand, its name does. */
export const LaunchPlan = z
  .object({
    server: Slug,
    /** What would keep it from being started. */
    problems: z.array(z.string()),
    program: z.array(z.string()),
    package: z.object({ spec: z.string(), integrity: z.string() }).nullable(),
    reaches: z.array(EgressRuleView),
    credentials: z.array(
      z.object({
        name: z.string(),
        tier: z.enum(['sealed', 'entrusted']),
        variable: z.string().nullable(),
        set: z.boolean(),
      }),
    ),
    cell: z.object({
      user: z.object({ host: z.enum(['gateway', 'own']), cell: z.number() }),
      /** Ports with a listener, besides 53. */
      ports: z.array(z.number()).readonly(),
      environment: z.record(z.string(), z.string()).readonly(),
      /** In the order in which they are made. */
      mounts: z
        .array(
          z.object({
            kind: z.enum(['bind', 'link', 'memory', 'proc', 'devices', 'mask', 'seal']),
            path: z.string(),
            source: z.string().optional(),
            write: z.boolean().optional(),
            target: z.string().optional(),
            bytes: z.number().optional(),
            mode: z.string().optional(),
          }),
        )
        .readonly(),
      /** Null: certificates, which are made at the launch. */
      files: z.array(z.object({ path: z.string(), text: z.string().nullable() })).readonly(),
      limits: z.array(z.object({ what: z.string(), most: z.string(), by: z.string() })).readonly(),
      systemCalls: z.object({
        allowed: z.number(),
        byArgument: z.array(z.string()).readonly(),
        instructions: z.number(),
      }),
      launcher: z.array(z.string()).readonly(),
      options: z.array(z.string()).readonly(),
      command: z.array(z.string()).readonly(),
    }),
  })
  .openapi('LaunchPlan');

export type LaunchPlan = z.infer<typeof LaunchPlan>;
