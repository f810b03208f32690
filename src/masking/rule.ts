/** What an operator says about masking, and what may be wrong with it. */
import { err, limits, ok, type Result } from '../kernel/index.ts';
import { GROUPS } from './detectors/index.ts';
import { compilePattern, type Pattern } from './pattern.ts';
import { type Strategy, strictnessOf } from './strategy.ts';

/** One rule. What several rules select, the first of them masks; where they overlap, the stricter strategy holds. */
export interface MaskingRule {
  /** Named in hits. */
  readonly id: string;
  /**
   * Keys of JSON objects at any depth, JSON within strings included: compared without regard to case and to `_` and `-`, so
   * that `api_key` is `apiKey`. The whole value is masked; of an object or array, every value in it.
   */
  readonly keys?: readonly string[];
  /** JSON pointers (RFC 6901) from the document down; a step `*` is any key or index. The whole value is masked. */
  readonly pointers?: readonly string[];
  /** Regular expressions in RE2 syntax. What one matches is masked; of one with a group, the first group. */
  readonly patterns?: readonly string[];
  /** Names of detectors, or of groups of them: `all`, `secrets`, `personal`, `provider-keys`, `private-keys`, `national-ids`. */
  readonly detectors?: readonly string[];
  readonly strategy: Strategy;
}

export interface MaskingError {
  readonly code:
    | 'masking_rule_empty'
    | 'masking_rule_id'
    | 'masking_too_many'
    | 'masking_key'
    | 'masking_pointer'
    | 'masking_pattern'
    | 'masking_detector'
    | 'masking_strategy';
  /** Index of the rule. */
  readonly rule: number;
  /** What is wrong and what would be right, in a sentence. */
  readonly message: string;
}

/** Where pointers lead, step by step. */
export interface Steps {
  readonly next: Map<string, Steps>;
  /** By the step `*`. */
  any: Steps | null;
  /** Index of the rule that ends here; negative for none. */
  rule: number;
}

/** All rules, by what is looked at. */
export interface CompiledRules {
  readonly strategies: readonly Strategy[];
  readonly ids: readonly string[];
  /** By normalised key: index of the rule. */
  readonly keys: ReadonlyMap<string, number>;
  readonly steps: Steps | null;
  readonly patterns: readonly { readonly rule: number; readonly pattern: Pattern }[];
  /** By name of a detector: index of the rule. */
  readonly detectors: ReadonlyMap<string, number>;
  /** How strict the strictest of the rules with detectors or patterns is. */
  readonly finderStrictness: number;
}

/** `apiKey`, `api_key`, `API-KEY`: one name. */
export const normalizeKey = (key: string): string => key.toLowerCase().replaceAll(/[_-]/g, '');

const newSteps = (): Steps => ({ next: new Map(), any: null, rule: -1 });

const ID = /^[a-z0-9][a-z0-9._-]{0,63}$/i;

export function compileRules(rules: readonly MaskingRule[]): Result<CompiledRules, MaskingError> {
  if (rules.length > limits.maskingRulesMax)
    return fail(
      'masking_too_many',
      limits.maskingRulesMax,
      `There are more than ${limits.maskingRulesMax} rules.`,
    );
  const keys = new Map<string, number>();
  const detectors = new Map<string, number>();
  const patterns: { rule: number; pattern: Pattern }[] = [];
  const root = newSteps();
  for (const [index, rule] of rules.entries()) {
    const error =
      checkRule(rule, index) ??
      addKeys(keys, rule.keys ?? [], index) ??
      addPointers(root, rule.pointers ?? [], index) ??
      addPatterns(patterns, rule.patterns ?? [], index) ??
      addDetectors(detectors, rule.detectors ?? [], index);
    if (error !== null) return err(error);
  }
  return ok({
    strategies: rules.map(({ strategy }) => strategy),
    ids: rules.map(({ id }) => id),
    keys,
    steps: root.next.size === 0 && root.any === null && root.rule < 0 ? null : root,
    patterns,
    detectors,
    finderStrictness: Math.max(
      0,
      ...rules
        .filter((rule) => (rule.patterns?.length ?? 0) + (rule.detectors?.length ?? 0) > 0)
        .map(({ strategy }) => strictnessOf(strategy)),
    ),
  });
}

/** Whether a rule can be carried out, without making anything of it. */
export function checkMasking(rule: MaskingRule): Result<null, MaskingError> {
  const compiled = compileRules([rule]);
  return compiled.ok ? ok(null) : compiled;
}

const fail = (code: MaskingError['code'], rule: number, message: string): Result<never, MaskingError> =>
  err({ code, rule, message });

function checkRule(
  { id, keys, pointers, patterns, detectors, strategy }: MaskingRule,
  rule: number,
): MaskingError | null {
  if (!ID.test(id))
    return {
      code: 'masking_rule_id',
      rule,
      message: `The id ${JSON.stringify(id)} must be of letters, digits, ".", "_" and "-".`,
    };
  const count = [keys, pointers, patterns, detectors].reduce((sum, list) => sum + (list?.length ?? 0), 0);
  if (count === 0)
    return {
      code: 'masking_rule_empty',
      rule,
      message: `The rule ${id} names no keys, pointers, patterns or detectors.`,
    };
  if (count > limits.maskingSelectorsMax)
    return {
      code: 'masking_too_many',
      rule,
      message: `The rule ${id} names more than ${limits.maskingSelectorsMax} things.`,
    };
  if (
    strategy.kind === 'partial' &&
    !(Number.isInteger(strategy.keepLast) && strategy.keepLast > 0 && strategy.keepLast <= 16)
  )
    return {
      code: 'masking_strategy',
      rule,
      message: `The rule ${id} must keep between 1 and 16 characters.`,
    };
  return null;
}

function addKeys(all: Map<string, number>, keys: readonly string[], rule: number): MaskingError | null {
  for (const key of keys) {
    const normalized = normalizeKey(key);
    if (normalized === '')
      return { code: 'masking_key', rule, message: `The key ${JSON.stringify(key)} has no letters.` };
    if (!all.has(normalized)) all.set(normalized, rule);
  }
  return null;
}

function addPointers(root: Steps, pointers: readonly string[], rule: number): MaskingError | null {
  for (const pointer of pointers) {
    if (!/^(?:\/(?:[^~/]|~[01])*)*$/.test(pointer))
      return {
        code: 'masking_pointer',
        rule,
        message: `${JSON.stringify(pointer)} is no JSON pointer: it begins with "/", and "~" is "~0".`,
      };
    let at = root;
    for (const step of pointer.split('/').slice(1)) at = stepTo(at, step);
    if (at.rule < 0) at.rule = rule;
  }
  return null;
}

function stepTo(at: Steps, step: string): Steps {
  if (step === '*') {
    at.any ??= newSteps();
    return at.any;
  }
  const key = step.replaceAll('~1', '/').replaceAll('~0', '~');
  const known = at.next.get(key);
  if (known !== undefined) return known;
  const next = newSteps();
  at.next.set(key, next);
  return next;
}

function addPatterns(
  all: { rule: number; pattern: Pattern }[],
  sources: readonly string[],
  rule: number,
): MaskingError | null {
  for (const source of sources) {
    const pattern = compilePattern(source);
    if (!pattern.ok) return { code: 'masking_pattern', rule, message: pattern.error };
    all.push({ rule, pattern: pattern.value });
  }
  return null;
}

function addDetectors(all: Map<string, number>, names: readonly string[], rule: number): MaskingError | null {
  const known = GROUPS.get('all') ?? [];
  for (const name of names) {
    const members = GROUPS.get(name) ?? (known.includes(name) ? [name] : null);
    if (members === null)
      return {
        code: 'masking_detector',
        rule,
        message: `There is no detector or group ${JSON.stringify(name)}.${nearest(name, known)}`,
      };
    for (const member of members) if (!all.has(member)) all.set(member, rule);
  }
  return null;
}

/** Says which name was meant, if one begins or ends alike. */
function nearest(name: string, known: readonly string[]): string {
  const candidates = [...GROUPS.keys(), ...known];
  const near = candidates.find(
    (other) => other.includes(name) || name.includes(other) || other.slice(0, 4) === name.slice(0, 4),
  );
  return near === undefined ? '' : ` Did you mean ${JSON.stringify(near)}?`;
}
