/** Settings of alerts: what is watched for, and who is told. */
import { z } from 'zod';
import { limits } from '../kernel/index.ts';
import { channelName, httpUrl, oneAddress } from './config-exports.ts';

const id = channelName;
const windowMinutes = (usual: number) => z.number().int().min(1).max(10_080).default(usual);
const learnHours = z.number().min(0).max(8_760).default(24);
const count = (usual: number) => z.number().int().min(1).max(100).default(usual);

/** `HH:MM` to minutes of the day. */
const time = z.string().transform((text, context) => {
  const [, hour = '', minute = ''] = /^(\d\d):(\d\d)$/.exec(text) ?? [];
  const minutes = Number(hour) * 60 + Number(minute);
  if (hour !== '' && Number(minute) < 60 && minutes <= 24 * 60) return minutes;
  context.addIssue(`\`${text}\` is not a time such as 08:00`);
  return z.NEVER;
});
const timeZone = z.string().refine((name) => {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}, 'is not the name of a time zone, such as Europe/Berlin');

const AlertRuleSettings = z.discriminatedUnion('kind', [
  z.strictObject({
    id: id.default('volume'),
    kind: z.literal('volume'),
    per: z.enum(['token', 'server']).default('token'),
    windowMinutes: windowMinutes(60),
    minimum: z.number().int().min(1).default(1_000),
    factor: z.number().min(1).default(5),
  }),
  z.strictObject({ id: id.default('first-host'), kind: z.literal('first-host'), learnHours }),
  z.strictObject({ id: id.default('first-tool'), kind: z.literal('first-tool'), learnHours }),
  z.strictObject({
    id: id.default('denials'),
    kind: z.literal('denials'),
    count: count(20),
    windowMinutes: windowMinutes(5),
  }),
  z.strictObject({
    id: id.default('crash-loop'),
    kind: z.literal('crash-loop'),
    count: count(5),
    windowMinutes: windowMinutes(10),
  }),
  z.strictObject({ id: id.default('reflected-secret'), kind: z.literal('reflected-secret') }),
  z.strictObject({ id: id.default('foreign-placeholder'), kind: z.literal('foreign-placeholder') }),
  z.strictObject({ id: id.default('policy-rule'), kind: z.literal('policy-rule') }),
  z.strictObject({ id: id.default('kill-switch'), kind: z.literal('kill-switch') }),
  z
    .strictObject({
      id: id.default('off-hours'),
      kind: z.literal('off-hours'),
      days: z.array(z.number().int().min(1).max(7)).min(1).default([1, 2, 3, 4, 5]),
      from: time,
      until: time,
      timeZone,
    })
    .refine((rule) => rule.from < rule.until, 'has to begin before it ends')
    .transform(({ from, until, ...rule }) => ({ ...rule, fromMinute: from, untilMinute: until })),
]);

/** Without rules of one's own: all that need no word of the owner's. */
const USUAL = [
  'volume',
  'first-host',
  'first-tool',
  'denials',
  'crash-loop',
  'reflected-secret',
  'foreign-placeholder',
  'policy-rule',
  'kill-switch',
].map((kind) => ({ kind }));

const AlertChannel = z.discriminatedUnion('kind', [
  z
    .strictObject({
      name: channelName,
      kind: z.literal('webhook'),
      url: httpUrl.optional(),
      urlFile: z.string().optional(),
      authorizationFile: z.string().optional(),
      secretFile: z.string().optional(),
    })
    .refine(oneAddress, 'needs url or urlFile'),
  /** Its address is all that it takes to write there. */
  z.strictObject({ name: channelName, kind: z.literal('slack'), urlFile: z.string() }),
]);

const isUnique = (names: readonly string[]): boolean => new Set(names).size === names.length;

export const alertSettings = z.strictObject({
  /** The same is not told again until it was quiet for so long. */
  quietMinutes: z.number().int().min(0).max(10_080).default(60),
  rules: z
    .array(AlertRuleSettings)
    .max(limits.alertRulesMax)
    .refine((rules) => isUnique(rules.map((rule) => rule.id)), 'has two of one id: give each its own')
    .prefault(() => USUAL as z.input<typeof AlertRuleSettings>[]),
  channels: z
    .array(AlertChannel)
    .max(limits.deliveryStreamsMax)
    .refine((channels) => isUnique(channels.map(({ name }) => name)), 'has two of one name')
    .default([]),
});

export type AlertConfig = z.output<typeof alertSettings>;
