/** Requests that wait for somebody to agree to them, as the API shows them and takes answers. */
import { z } from '@hono/zod-openapi';
import { limits } from '../kernel/index.ts';
import { approvalStates } from '../policy/index.ts';

const Scope = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('once') }),
    z.strictObject({ kind: z.literal('session') }),
    z.strictObject({
      kind: z.literal('minutes'),
      minutes: z.number().int().min(1).max(limits.approvalMinutesMax),
    }),
  ])
  .openapi('ApprovalScope');

const ApprovalState = z.enum(approvalStates);

const answer = {
  /** The person, `user:…`; where nobody says whose the account is, that account. */
  by: z.string(),
  /** How they came: `local:1000`, `slack:U…`, `webhook:maria`. */
  account: z.string(),
  /** Milliseconds since the Unix epoch, as every time here. */
  at: z.number(),
  reason: z.string().nullable(),
};

export const ApprovalView = z
  .object({
    id: z.string(),
    state: ApprovalState,
    server: z.string(),
    subject: z.enum(['tool', 'prompt', 'resource']),
    name: z.string(),
    profile: z.string().nullable(),
    /** Who asks, as the audit log names it. */
    requester: z.string(),
    agent: z.string(),
    /** The rules that hold it back. */
    rules: z.array(z.string()),
    /** Of the request in its canonical form. */
    hash: z.string(),
    /** How many have to agree. */
    people: z.number(),
    /** Whether whoever agrees has to say why. */
    justification: z.boolean(),
    askedAt: z.number(),
    askUntil: z.number(),
    /** How many of those who agreed count, by who is who now. */
    counts: z.number(),
    agreed: z.array(z.object({ ...answer, scope: Scope })),
    /** Who rejected or revoked it. */
    ended: z.object(answer).nullable(),
    /** What was agreed to, once enough have. */
    grant: z.object({ once: z.boolean(), session: z.boolean(), until: z.number() }).nullable(),
    uses: z.number(),
  })
  .openapi('Approval');
export type ApprovalView = z.infer<typeof ApprovalView>;

export const ApprovalDetail = ApprovalView.extend({
  /** JSON as the client wrote it; null: none. */
  arguments: z.string().nullable(),
  /** Parameters beside them that no revision of the protocol explains, JSON too; null: none. */
  beside: z.string().nullable(),
  /** Of what the server says of it. */
  definitionHash: z.string().nullable(),
}).openapi('ApprovalDetail');
export type ApprovalDetail = z.infer<typeof ApprovalDetail>;

export const ApprovalQuery = z.strictObject({ state: ApprovalState.optional() });

export const AnswerApproval = z
  .strictObject({
    decision: z.enum(['approve', 'reject', 'revoke']),
    scope: Scope.default({ kind: 'once' }),
    reason: z.string().max(limits.approvalReasonCharsMax).nullable().default(null),
  })
  .openapi('AnswerApproval');
export type AnswerApproval = z.input<typeof AnswerApproval>;
export type ApprovalAnswer = z.output<typeof AnswerApproval>;
