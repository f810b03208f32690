/** Rules of the owner, as the API shows and takes them. */
import { z } from '@hono/zod-openapi';
import { limits } from '../kernel/index.ts';
import { deeds, subjects } from '../policy/index.ts';
import { Slug } from './schemas.ts';

const Finding = z
  .object({
    file: z.string(),
    line: z.number(),
    column: z.number(),
    /** `rules[0].match.tools`. */
    field: z.string(),
    code: z.string(),
    message: z.string(),
    expected: z.string(),
  })
  .openapi('PolicyFinding');

const Fallback = z.enum(['allow', 'deny']);

export const PolicyCheck = z
  .object({
    ok: z.boolean(),
    default: Fallback.nullable(),
    rules: z.number(),
    errors: z.array(Finding),
    warnings: z.array(Finding),
  })
  .openapi('PolicyCheck');
export type PolicyCheck = z.infer<typeof PolicyCheck>;

export const PolicySource = z
  .object({
    /** `file`: `policy.yaml` in the home. */
    origin: z.enum(['file', 'workspace', 'profile']),
    profile: z.string().nullable(),
    text: z.string(),
    updatedAt: z.number().nullable(),
    updatedBy: z.string().nullable(),
    /** Why it is not used; what held before goes on, or nothing is allowed. */
    errors: z.array(Finding),
  })
  .openapi('PolicySource');
export type PolicySource = z.infer<typeof PolicySource>;

const text = z.string().max(limits.manifestBytesMax);
const Profile = z.string().min(1).nullable().default(null);

export const CheckPolicy = z
  .strictObject({ text, file: z.string().max(limits.policyTextCharsMax).default('policy.yaml') })
  .openapi('CheckPolicy');
export type CheckPolicy = z.input<typeof CheckPolicy>;

export const ApplyPolicy = z.strictObject({ text, profile: Profile }).openapi('ApplyPolicy');
export type ApplyPolicy = z.input<typeof ApplyPolicy>;

export const RemovePolicy = z.strictObject({ profile: Profile }).openapi('RemovePolicy');

export const ExplainPolicy = z
  .strictObject({
    subject: z.enum(subjects).default('tool'),
    server: Slug,
    /** The server's own name of a tool or prompt, a resource's URI, or the host of a request. */
    name: z.string().min(1),
    /** JSON. */
    arguments: z.string().max(limits.policyArgumentsCharsMax).default('{}'),
    profile: Profile,
    user: z.string().nullable().default(null),
    agent: z.string().nullable().default(null),
    clientIp: z.string().nullable().default(null),
    /** Milliseconds since the Unix epoch; null: now. */
    at: z.number().int().nullable().default(null),
    /** Of a request that a server sends. */
    egress: z
      .strictObject({ method: z.string(), path: z.string(), tools: z.array(z.string()) })
      .nullable()
      .default(null),
    /** Rules to hold it against, in place of those that hold. */
    text: text.nullable().default(null),
  })
  .openapi('ExplainPolicy');
export type ExplainPolicy = z.input<typeof ExplainPolicy>;
export type PolicyAsked = z.output<typeof ExplainPolicy>;

const Deed = z.enum(deeds);

export const PolicyExplanation = z
  .object({
    outcome: z.enum(['allow', 'approve', 'deny']),
    default: Fallback,
    /** The rule that decides; null: the default. */
    rule: z.string().nullable(),
    /** What a caller is told where it is not allowed. */
    code: z.string().nullable(),
    message: z.string().nullable(),
    hint: z.string().nullable(),
    rules: z.array(
      z.object({
        id: z.string(),
        do: Deed,
        file: z.string(),
        line: z.number(),
        when: z.string().nullable(),
        /** `subject`, `match`, `caller`, `when`: what of it did not fit. */
        look: z.enum(['subject', 'match', 'caller', 'when', 'matched']),
        /** Why its condition could not be judged. */
        fault: z.string().nullable(),
      }),
    ),
  })
  .openapi('PolicyExplanation');
export type PolicyExplanation = z.infer<typeof PolicyExplanation>;

export const TemplateView = z
  .object({
    name: z.string(),
    summary: z.string(),
    parameters: z.array(
      z.object({
        name: z.string(),
        type: z.string(),
        about: z.string(),
        required: z.boolean(),
        words: z.array(z.string()).optional(),
      }),
    ),
    /** A rule, as YAML. */
    example: z.string(),
  })
  .openapi('PolicyTemplate');
export type TemplateView = z.infer<typeof TemplateView>;
