/** What a server offers to agents, and what was decided about it, as bodies and answers of the API. */
import { z } from '@hono/zod-openapi';
import { limits } from '../kernel/index.ts';

const DefinitionKind = z.enum(['tool', 'prompt', 'instructions']);

const Definition = z
  .object({
    kind: DefinitionKind,
    /** The server's own name of it; empty for its instructions. */
    name: z.string(),
    /**
     * `new`, `changed`: withheld until somebody decides. `rejected`: somebody did, against it. `gone`: agreed to, and not
     * listed any more. `approved`: shown to agents.
     */
    state: z.enum(['approved', 'new', 'changed', 'rejected', 'gone']),
    hash: z.string(),
    summary: z.string(),
    /** What it says of itself; null where it says nothing. */
    readOnly: z.boolean().nullable(),
    /** Characters that nobody sees, or takes for others. */
    characters: z.array(z.object({ flag: z.string(), place: z.string(), shown: z.string() })),
    /** What reads like instructions to a model. */
    instructions: z.array(z.object({ rule: z.string(), place: z.string(), shown: z.string() })),
    /** Other names that look like this one, `SERVER: NAME`. */
    alike: z.array(z.string()),
    /** Against what is approved. */
    changes: z.array(
      z.object({ place: z.string(), before: z.string().nullable(), after: z.string().nullable() }),
    ),
  })
  .openapi('Definition');

export const DefinitionReport = z
  .object({
    server: z.string(),
    /** Whether anything of it was ever agreed to. */
    looked: z.boolean(),
    /** Why it could not be asked what it offers now; null: it was asked, or nobody wanted that. */
    problem: z.object({ code: z.string(), message: z.string(), hint: z.string().optional() }).nullable(),
    definitions: z.array(Definition),
    /** Names all that waits for a decision, as it is now. */
    fingerprint: z.string(),
  })
  .openapi('DefinitionReport');

export const PinnedView = z.object({ looked: z.boolean(), approved: z.number(), withheld: z.number() });

export const Decision = z
  .strictObject({
    /** As reported: what has changed meanwhile is not decided about. */
    definitions: z
      .array(z.strictObject({ kind: DefinitionKind, name: z.string(), hash: z.string() }))
      .min(1)
      .max(limits.definitionsPendingMax + 1),
    decision: z.enum(['approve', 'reject']),
  })
  .openapi('DefinitionDecision');

export type Definition = z.infer<typeof Definition>;
export type DefinitionReport = z.infer<typeof DefinitionReport>;
export type PinnedView = z.infer<typeof PinnedView>;
export type Decision = z.infer<typeof Decision>;
