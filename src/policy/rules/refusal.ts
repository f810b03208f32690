/** What whoever is refused is told: which rule, why, and what would be allowed. Nothing of other rules, and no value of an argument. */
import { limits } from '../../kernel/index.ts';
import { listed, type Refusal, refuse } from '../decision.ts';
import type { Rules } from './engine.ts';
import { coversThing } from './patterns.ts';
import type { RuleRequest } from './request.ts';
import type { Match, RuleDecision } from './types.ts';

export type RuleRefusalCode = 'policy_denied' | 'policy_default_denied' | 'policy_approval_required';

const KINDS = {
  tool: 'The tool',
  prompt: 'The prompt',
  resource: 'The resource',
  egress: 'A request to',
} as const;

/** @param decision one that does not allow */
export function refusalOf(
  request: RuleRequest,
  decision: RuleDecision,
  rules: Rules,
): Refusal<RuleRefusalCode> {
  const what = `${KINDS[request.subject]} ${request.name.slice(0, limits.toolNameShownCharsMax)} of ${request.server}`;
  const { decisive } = decision;
  if (decisive === null) {
    return refuse(
      'policy_default_denied',
      `${what} is refused, because no rule allows it.`,
      allowedByDefault(request, rules),
    );
  }
  const { rule, fault } = decisive;
  const why =
    rule.message ?? `${what} is ${rule.action.do === 'deny' ? 'refused' : 'for somebody to approve'}.`;
  const because = fault === null ? '' : ` Its condition could not be judged (${fault}), so it counts as met.`;
  return refuse(
    rule.action.do === 'deny' ? 'policy_denied' : 'policy_approval_required',
    `${sentence(why)} Rule: ${rule.id}.${because}`,
    rule.instead ?? allowedBeside(rule.match, rule.when?.text ?? null),
  );
}

const sentence = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`);

function allowedBeside(match: Match, when: string | null): string {
  if (when !== null) return `Allowed is what does not meet its condition: ${when}`;
  const about = Object.entries(match).map(([key, names]) => `${key} ${listed(shown(names ?? []))}`);
  return about.length === 0
    ? 'This rule is about everything.'
    : `Allowed is what the rule is not about. It is about ${about.join(', ')}.`;
}

const shown = (names: readonly string[]): readonly string[] =>
  names.length <= limits.policyNamesShownMax
    ? names
    : [...names.slice(0, limits.policyNamesShownMax), `${names.length - limits.policyNamesShownMax} more`];

function allowedByDefault({ subject, server }: RuleRequest, { all }: Rules): string {
  const names = all
    .filter(({ action, subjects }) => action.do !== 'deny' && subjects.has(subject))
    .filter(({ match }) =>
      coversThing({ ...(match.servers && { servers: match.servers }) }, subject, server, ''),
    )
    .filter(({ action }) => action.do === 'allow' || action.do === 'approve')
    .flatMap(({ match }) => (subject === 'egress' ? [] : (match[`${subject}s`] ?? ['*'])));
  return names.length === 0
    ? `No ${subject} of ${server} is allowed.`
    : `Allowed may be: ${listed(shown([...new Set(names)]))}.`;
}
