/** Settings of approvals: who may answer from where. What is secret in them is in files of their own. */
import { z } from 'zod';
import { limits } from '../kernel/index.ts';
import { httpUrl } from './config-exports.ts';

/** What somebody is called in approvals: the same name from wherever they answer, so that each counts once. */
const person = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'is not of small letters, digits, `.`, `_`, `-`');

/** What else somebody is: by which they are known for the same one, and what they ask for as their own. */
const accounts = z.strictObject({
  /** Users of this machine, by number. */
  local: z.array(z.number().int().min(0)).default([]),
  /** Tokens that they work with, by id, and agents, by the name that their tokens were made for. */
  tokens: z.array(z.string().regex(/^tok_[0-9a-z]+$/, 'is no id of a token')).default([]),
  agents: z.array(z.string().min(1)).default([]),
});

const slackSettings = z
  .strictObject({
    /** The app's signing secret. */
    signingSecretFile: z.string().min(1),
    /** The address of an incoming webhook: what waits is told there, and what became of it by a further message. */
    urlFile: z.string().min(1).optional(),
    /** Or its bot's token, `xoxb-…`, which may write in `channel`: what it told is changed when it is answered. */
    tokenFile: z.string().min(1).optional(),
    channel: z
      .string()
      .regex(/^[CGD][A-Z0-9]{2,20}$/, 'is no id of a channel')
      .optional(),
    /** Where Slack's methods are, for a Slack that is elsewhere. */
    apiUrl: httpUrl.default('https://slack.com/api').transform((url) => url.replace(/\/+$/, '')),
    /** The only workspace of Slack's whose members may answer: ids of members are told apart within one. */
    team: z
      .string()
      .regex(/^[TE][A-Z0-9]{2,20}$/, 'is no id of a workspace')
      .optional(),
    /** Who may answer: members of the Slack workspace by their ids, `U…`, and what they are called here. */
    people: z.record(z.string().regex(/^[UW][A-Z0-9]{2,20}$/, 'is no id of a member'), person),
  })
  .refine(
    ({ urlFile, tokenFile, channel }) =>
      urlFile === undefined
        ? tokenFile !== undefined && channel !== undefined
        : tokenFile === undefined && channel === undefined,
    'needs urlFile, or tokenFile and channel',
  );
export type SlackSettings = z.output<typeof slackSettings>;

export const approvalSettings = z
  .strictObject({
    /** Who is who. Absent: nobody said, so one may agree, and never several. */
    people: z.record(person, accounts.prefault({})).optional(),
    /** How long a client that cannot be sent elsewhere is kept waiting, in seconds, before it is told to ask again. */
    holdSeconds: z
      .number()
      .int()
      .min(0)
      .max(600)
      .default(limits.approvalHoldMs / 1_000),
    /** Answers that come signed, as Standard Webhooks has it. */
    webhook: z
      .strictObject({
        /** `whsec_…`, and on a second line the one before while it is replaced. */
        secretFile: z.string().min(1),
        /** Whose answers it may bring. */
        people: z.array(person).min(1),
      })
      .optional(),
    slack: slackSettings.optional(),
  })
  .superRefine(({ people, webhook, slack }, context) => {
    if (people === undefined) return;
    const answering = [...(webhook?.people ?? []), ...Object.values(slack?.people ?? {})];
    for (const name of answering)
      if (!Object.hasOwn(people, name)) context.addIssue(`\`${name}\` may answer, and is not in people`);
    const locals = Object.values(people).flatMap(({ local }) => local);
    if (new Set(locals).size < locals.length)
      context.addIssue('people has one user of this machine as two people');
  })
  .prefault({});

export type ApprovalSettings = z.output<typeof approvalSettings>;
