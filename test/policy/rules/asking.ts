/** Rules from their text, and requests to ask them. */
import {
  combineRules,
  type DecodeOptions,
  decodePolicy,
  type KnownThings,
  type PolicyError,
  type RuleRequest,
  type Rules,
  type RuleSet,
} from '../../../src/policy/index.ts';

export function ruleSet(text: string): RuleSet {
  const read = decodePolicy(text, 'policy.yaml');
  if (!read.ok) throw new Error(JSON.stringify(read.error, null, 2));
  return read.value.rules;
}

export const rulesOf = (...texts: readonly string[]): Rules => combineRules(texts.map(ruleSet));

export function errorsOf(
  text: string,
  options: { readonly known?: KnownThings } = {},
): readonly PolicyError[] {
  const read = decodePolicy(text, 'policy.yaml', options);
  return read.ok ? [] : read.error;
}

export const warningsOf = (text: string, options: DecodeOptions = {}): readonly PolicyError[] => {
  const read = decodePolicy(text, 'policy.yaml', options);
  return read.ok ? read.value.warnings : [];
};

export interface CallParts {
  readonly server?: string;
  readonly args?: unknown;
  readonly annotations?: unknown;
  readonly user?: string;
  readonly agent?: string;
  readonly clientIp?: string;
  readonly now?: string;
}

export const call = (tool: string, parts: CallParts = {}): RuleRequest => ({
  subject: 'tool',
  server: parts.server ?? 'github',
  profile: 'dev',
  name: tool,
  users: parts.user === undefined ? [] : [parts.user],
  agents: [parts.agent ?? 'claude'],
  tokens: ['tok_1'],
  now: Date.parse(parts.now ?? '2026-11-20T10:00:00Z'),
  ...(parts.clientIp === undefined ? {} : { clientIp: parts.clientIp }),
  args: JSON.stringify(parts.args ?? {}),
  annotations: JSON.stringify(parts.annotations ?? {}),
});
