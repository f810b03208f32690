/**
 * Recorded requests held against other rules: what would become of them. Nothing is called. Where the rules ask for what was
 * not recorded, or was masked, it says so in place of a guess.
 */
import { type DecidedLimit, type RuleRequest, type Rules, usageKey } from '../policy/index.ts';
import type { DecisionEntry } from './entry.ts';

export interface Rejudged {
  readonly entry: DecisionEntry;
  readonly after: DecisionEntry['outcome'];
  /** The rule that decides; null: the default. */
  readonly rule: string | null;
  /** What it would be held to. */
  readonly limits: readonly DecidedLimit[];
  /** Why it may be decided otherwise, with all that was known at the time; null: it would not. */
  readonly unsure: 'arguments_not_recorded' | 'arguments_masked' | 'usage_not_recorded' | null;
}

export function rejudge(entry: DecisionEntry, profile: string | null, rules: Rules): Rejudged {
  const asked = requestOf(entry, profile);
  const { decision, looked } = rules.explain(asked);
  const rule = decision.decisive?.rule ?? null;
  const missing = missingOf(entry);
  const asksFor = (name: 'args' | 'usage', { look, rule: held }: (typeof looked)[number]): boolean =>
    (look === 'when' || look === 'matched') && held.when?.uses.has(name) === true;
  // A refusal that no argument can change is certain.
  const isCertain =
    decision.outcome === 'deny' &&
    rule !== null &&
    rule.when?.uses.has('args') !== true &&
    rule.when?.uses.has('usage') !== true;
  const isOpen = (name: 'args' | 'usage'): boolean =>
    !isCertain && looked.some((one) => asksFor(name, one) && DECIDING.has(one.rule.action.do));
  const isUncounted = rules.counts(asked).some((name) => entry.usage?.[usageKey(name)] === undefined);
  const unsure = missing !== null && isOpen('args') ? missing : null;
  return {
    entry,
    after: decision.outcome,
    rule: rule?.id ?? null,
    limits: decision.limits,
    unsure: unsure ?? (isUncounted && isOpen('usage') ? 'usage_not_recorded' : null),
  };
}

const DECIDING: ReadonlySet<string> = new Set(['deny', 'approve', 'allow', 'limit']);

function missingOf({ arguments: given, masked, subject }: DecisionEntry): Rejudged['unsure'] {
  if (subject === 'resource') return null;
  if (given === undefined) return 'arguments_not_recorded';
  return masked === undefined ? null : 'arguments_masked';
}

function requestOf(entry: DecisionEntry, profile: string | null): RuleRequest {
  const {
    subject,
    server,
    name,
    users,
    agents,
    tokens,
    at,
    clientIp,
    usage,
    annotations,
    arguments: args,
  } = entry;
  return {
    subject,
    server,
    profile: profile ?? '',
    name,
    users,
    agents,
    tokens,
    now: at,
    ...(clientIp === undefined ? {} : { clientIp }),
    ...(usage === undefined ? {} : { usage: new Map(Object.entries(usage)) }),
    ...(args === undefined || args === null ? {} : { args }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}
