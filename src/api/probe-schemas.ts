/** Probes of servers, as the API shows and takes them. */
import { z } from '@hono/zod-openapi';
import { limits } from '../kernel/index.ts';

const ProbeEntry = z
  .object({
    credential: z.string(),
    host: z.string(),
    port: z.number(),
    /** `header Authorization`, `basic password`, `query key`, `json /key`. */
    place: z.string(),
    /** `answered`: read to its end, or to the limit. `failed`: not, see `code`. `skipped`: not asked. */
    outcome: z.enum(['answered', 'failed', 'skipped']),
    method: z.string().nullable(),
    path: z.string().nullable(),
    /** Null without an answer. */
    status: z.number().nullable(),
    /** Where the value came back: `header Set-Cookie`, `body`, `trailer X-Sum`, and in which encoding. */
    echoed: z.array(z.object({ where: z.string(), encoding: z.string() })),
    /** The answer was longer than what is looked at. */
    truncated: z.boolean(),
    code: z.string().nullable(),
    reason: z.string().nullable(),
  })
  .openapi('ProbeEntry');

/** What is kept of a probe. */
export const ProbeReport = z.object({ probes: z.array(ProbeEntry) });

export const ProbeView = ProbeReport.extend({
  at: z.number(),
  /** The manifest that was probed. */
  manifestHash: z.string(),
}).openapi('ProbeReport');

export const ProbeBody = z
  .strictObject({
    /** Path and query to ask for; without it, the first path that the rules allow. */
    path: z.string().min(1).max(limits.targetCharsMax).optional(),
    /** Names below wildcards to ask too. */
    hosts: z.array(z.string().min(1)).max(limits.probeHostsMax).optional(),
    /** Make requests with a body as well. */
    post: z.boolean().optional(),
  })
  .openapi('ProbeOptions');

export type ProbeEntry = z.infer<typeof ProbeEntry>;
export type ProbeReport = z.infer<typeof ProbeReport>;
export type ProbeView = z.infer<typeof ProbeView>;
export type ProbeBody = z.infer<typeof ProbeBody>;
