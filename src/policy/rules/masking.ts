/**
 * Rules that mask: what they say is masked, whether that can be done, and what of it holds for an answer. What is masked in
 * texts, `masking/` knows; here it is only asked whether it would take such a rule.
 */
import {
  type Cursor,
  type Fields,
  readChoice,
  readEach,
  readFields,
  readInteger,
  readList,
  readText,
  refuse,
  type Report,
} from '../../manifest/index.ts';
import { checkMasking, type MaskingError, type MaskingRule, strictnessOf } from '../../masking/index.ts';
import type { Rules } from './engine.ts';
import { coversCaller, coversServer } from './patterns.ts';
import type { RuleRequest, Subject } from './request.ts';
import { type Action, type DecidedMask, type Mask, maskStrategies } from './types.ts';

const FOUND_BY = ['detectors', 'keys', 'pointers', 'patterns'] as const;
const KEPT = { min: 1, max: 16 };
const KEPT_PRESET = 4;

/** @param cursor of the parameters */
export function readMask(cursor: Cursor, report: Report): Mask | undefined {
  const given = readFields(cursor, [...FOUND_BY, 'strategy', 'keepLast'], report);
  if (given === undefined) return undefined;
  const texts = (key: string): readonly string[] =>
    readEach(readList(given.get(key), 'a list of texts', report), (one) => readText(one, 'a text', report)) ??
    [];
  const found = {
    detectors: texts('detectors'),
    keys: texts('keys'),
    pointers: texts('pointers'),
    patterns: texts('patterns'),
  };
  if (Object.values(found).every((list) => list.length === 0)) {
    const expected = 'detectors, keys, pointers or patterns';
    return refuse(cursor, { code: 'policy_nothing_masked', message: 'this masks nothing', expected }, report);
  }
  const strategy = readChoice(given.get('strategy'), maskStrategies, report) ?? 'redact';
  const keepLast = given.get('keepLast');
  if (keepLast !== undefined && strategy !== 'partial')
    refuse(
      keepLast,
      {
        code: 'policy_mask_misfit',
        message: '`keepLast` means nothing here',
        expected: '`strategy: partial` beside it',
      },
      report,
    );
  return { do: 'mask', ...found, strategy, keepLast: readInteger(keepLast, KEPT, report) ?? KEPT_PRESET };
}

/** What a rule would mask and cannot. @param fields of the rule */
export function refuseUnmaskable(
  action: Action,
  about: ReadonlySet<Subject>,
  fields: Fields,
  report: Report,
): void {
  const cursor = fields.get('mask') ?? fields.get('with') ?? fields.get('template') ?? fields.get('do');
  if (action.do !== 'mask' || cursor === undefined) return;
  const wrong = (message: string, expected: string): undefined =>
    refuse(cursor, { code: 'policy_mask_invalid', message, expected }, report);
  if (about.has('egress'))
    wrong('nothing is masked in requests of servers', '`on: tool`, `prompt` or `resource`');
  const checked = checkMasking(maskingRule({ ...action, rule: 'rule' }));
  if (!checked.ok) wrong(checked.error.message, EXPECTED[checked.error.code]);
}

const EXPECTED: Readonly<Record<MaskingError['code'], string>> = {
  masking_rule_empty: 'detectors, keys, pointers or patterns',
  masking_rule_id: 'another id',
  masking_too_many: 'fewer of them',
  masking_key: 'the name of a key',
  masking_pointer: 'a JSON pointer such as `/items/*/owner`',
  masking_pattern: 'a pattern in RE2 syntax',
  masking_detector: 'detectors or groups of them, such as `secrets`, `personal`, `payment-card`',
  masking_strategy: 'another strategy',
};

/** The rules that hold, as masking takes them: the strictest first, since what several select the first of them masks. */
export const maskingRules = (masks: readonly DecidedMask[]): readonly MaskingRule[] =>
  masks.map(maskingRule).toSorted((a, b) => strictnessOf(b.strategy) - strictnessOf(a.strategy));

const maskingRule = ({
  rule,
  detectors,
  keys,
  pointers,
  patterns,
  strategy,
  keepLast,
}: DecidedMask): MaskingRule => ({
  id: rule,
  detectors,
  keys,
  pointers,
  patterns,
  strategy: strategy === 'partial' ? { kind: strategy, keepLast } : { kind: strategy },
});

/**
 * What is masked in whatever a server says beside its answers: which of them it is about cannot be told, so every rule that
 * may be about anything of this server counts, its condition as met.
 */
export const masksBeside = (
  { all }: Pick<Rules, 'all'>,
  server: string,
  caller: Pick<RuleRequest, 'users' | 'agents' | 'tokens'>,
): readonly DecidedMask[] =>
  all.flatMap(({ action, id, match }) =>
    action.do === 'mask' && coversServer(match, server) && coversCaller(match, caller)
      ? [{ ...action, rule: id }]
      : [],
  );
