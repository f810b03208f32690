/** Recorded sessions, as the API shows them. */
import { z } from '@hono/zod-openapi';
import { limits } from '../kernel/index.ts';

/** `off` and what rules may raise it to. */
export const RecordLevel = z.enum(['off', 'metadata', 'arguments', 'full']);

export const RecordingView = z
  .object({
    id: z.string(),
    profile: z.string().nullable(),
    /** The only server of its endpoint; null: all of the profile. */
    server: z.string().nullable(),
    /** `KIND:ID`, as the audit names it. */
    actor: z.string(),
    agent: z.string(),
    /** One connection, or what one caller asked without one until it paused. */
    via: z.enum(['session', 'requests']),
    startedAt: z.number(),
    updatedAt: z.number(),
    /** Null while it may go on, and where its gateway died. */
    endedAt: z.number().nullable(),
    /** Whether this gateway still adds to it. */
    isGrowing: z.boolean(),
    servers: z.array(z.string()),
    entries: z.number(),
    calls: z.number(),
    /** Messages that could not be kept. */
    dropped: z.number(),
    /** As they are stored. */
    bytes: z.number(),
  })
  .openapi('Recording');
export type RecordingView = z.infer<typeof RecordingView>;

const Hit = z.object({ rule: z.string(), detector: z.string(), where: z.string(), count: z.number() });
const Left = z.enum(['too_long', 'values_unknown']);
const Outcome = z.enum(['allow', 'approve', 'deny']);
const Rejudged = z.enum([...Outcome.options, 'limited']);
const RecordingFault = z.object({
  code: z.enum(['chunk_missing', 'chunk_altered', 'begin_altered', 'end_missing', 'end_wrong']),
  chunk: z.number().nullable(),
});

/** A line of a recording. `ms`: since the session began. The last line says what was checked. */
export const RecordingLine = z
  .discriminatedUnion('kind', [
    z.object({
      kind: z.literal('session'),
      ms: z.number(),
      facts: RecordingView.pick({
        id: true,
        profile: true,
        server: true,
        actor: true,
        agent: true,
        via: true,
        startedAt: true,
      }),
    }),
    z.object({
      kind: z.literal('message'),
      ms: z.number(),
      from: z.enum(['client', 'gateway']),
      type: z.enum(['request', 'response', 'notification', 'unknown']),
      id: z.string().optional(),
      request: z.number().optional(),
      method: z.string().optional(),
      chars: z.number(),
      outcome: z.enum(['ok', 'tool_error', 'error', 'cancelled']).optional(),
      code: z.string().optional(),
      text: z.string().optional(),
      masked: z.array(Hit).readonly().optional(),
      left: z.enum([...Left.options, 'rest_too_long']).optional(),
    }),
    z.object({
      kind: z.literal('decision'),
      ms: z.number(),
      request: z.number(),
      subject: z.enum(['tool', 'prompt', 'resource']),
      server: z.string(),
      name: z.string(),
      at: z.number(),
      outcome: Outcome,
      rule: z.string().nullable(),
      users: z.array(z.string()).readonly(),
      agents: z.array(z.string()).readonly(),
      tokens: z.array(z.string()).readonly(),
      clientIp: z.string().optional(),
      usage: z.record(z.string(), z.number()).readonly().optional(),
      annotations: z.string().optional(),
      arguments: z.string().nullable().optional(),
      masked: z.array(Hit).readonly().optional(),
      left: Left.optional(),
    }),
    z.object({
      kind: z.literal('call'),
      ms: z.number(),
      request: z.number(),
      call: z.string(),
      cell: z.string(),
      server: z.string(),
      tool: z.string(),
    }),
    z.object({
      kind: z.literal('asked'),
      ms: z.number(),
      request: z.number(),
      cell: z.string(),
      server: z.string(),
    }),
    z.object({ kind: z.literal('dropped'), ms: z.number(), messages: z.number() }),
    z.object({ kind: z.literal('end'), ms: z.number(), entries: z.number() }),
    /**
     * Of the audit log: a request that a server sent during one of the calls, or while these requests for prompts and
     * resources were with it.
     */
    z.object({
      kind: z.literal('event'),
      ms: z.number(),
      sequence: z.number(),
      type: z.string(),
      server: z.string().nullable(),
      calls: z.array(z.string()),
      requests: z.array(z.number()),
      data: z.record(z.string(), z.unknown()),
    }),
    z.object({
      kind: z.literal('checked'),
      /** `missing`: its gateway was ended, or another one still adds to it; what is there is sound but for the faults. */
      end: z.enum(['there', 'not_yet', 'missing']),
      faults: z.array(RecordingFault),
    }),
  ])
  .openapi('RecordingLine');
export type RecordingLine = z.infer<typeof RecordingLine>;

export const Rejudge = z
  .strictObject({
    /** Rules to hold it against, in place of those that hold. */
    text: z.string().max(limits.manifestBytesMax).nullable().default(null),
  })
  .openapi('RejudgeRecording');

export const RejudgeReport = z
  .object({
    requests: z.array(
      z.object({
        ms: z.number(),
        request: z.number(),
        at: z.number(),
        subject: z.enum(['tool', 'prompt', 'resource']),
        server: z.string(),
        name: z.string(),
        /** `limited`: it was allowed, and a limit had no room for it. */
        before: Rejudged,
        ruleBefore: z.string().nullable(),
        after: Rejudged,
        rule: z.string().nullable(),
        /** Why it may be decided otherwise; null: it would not. */
        unsure: z
          .enum(['arguments_not_recorded', 'arguments_masked', 'usage_not_recorded', 'limits_of_others'])
          .nullable(),
        /** Whether it went to its server. */
        ran: z.boolean(),
      }),
    ),
    /** How many would certainly be decided otherwise. */
    changed: z.number(),
    unsure: z.number(),
    /** How many went to their servers, and certainly would not any more without more ado. */
    refused: z.number(),
    faults: z.array(RecordingFault),
  })
  .openapi('RejudgeReport');
export type RejudgeReport = z.infer<typeof RejudgeReport>;
