/**
 * A policy's text to rules. Everything that is wrong with it is told at once, each with its line and what would be right;
 * a policy with a single mistake is not used.
 */
import { err, limits, ok, type Result } from '../../kernel/index.ts';
import {
  type Cursor,
  type Fields,
  type ManifestError,
  parseTree,
  readChoice,
  readEach,
  readFields,
  readList,
  readText,
  refuse,
  Report,
} from '../../manifest/index.ts';
import { readTemplate } from '../templates/read-template.ts';
import type { Draft } from '../templates/template.ts';
import { type Condition, compileCondition } from './condition.ts';
import { findContradictions } from './contradictions.ts';
import { type KnownThings, refuseUnknownNames } from './known-names.ts';
import { refuseUnmaskable } from './masking.ts';
import { readAction } from './read-action.ts';
import type { Subject } from './request.ts';
import { readMatch, subjectsOf } from './read-match.ts';
import { type Action, deeds, type Rule, type RuleSet } from './types.ts';

export type PolicyError = ManifestError;

export interface DecodeOptions {
  /** What there is to have rules about; absent: names are not held against anything. */
  readonly known?: KnownThings;
  /** How many people there are to agree to anything; absent: not known. */
  readonly approvers?: number;
}

export interface Decoded {
  readonly rules: RuleSet;
  readonly warnings: readonly PolicyError[];
}

const FILE_KEYS = ['default', 'rules'] as const;
const EFFECT_KEYS = ['approve', 'limit', 'mask', 'record', 'alert'] as const;
const RULE_KEYS = [
  'id',
  'on',
  'match',
  'when',
  'do',
  'message',
  'instead',
  'template',
  'with',
  ...EFFECT_KEYS,
] as const;
const ID = /^[a-z0-9][a-z0-9._-]{0,63}$/;

/** @param file name shown in every finding */
export function decodePolicy(
  text: string,
  file: string,
  options: DecodeOptions = {},
): Result<Decoded, readonly PolicyError[]> {
  const report = new Report(file, 'policy');
  const tree = parseTree(text, report);
  const rules = tree === undefined ? undefined : readSet({ node: tree, path: '' }, options, report);
  if (rules === undefined || report.failed) return err(report.errors);
  return ok({ rules, warnings: report.warnings });
}

function readSet(cursor: Cursor, options: DecodeOptions, report: Report): RuleSet | undefined {
  const fields = readFields(cursor, FILE_KEYS, report);
  if (fields === undefined) return undefined;
  const fallback = readChoice(fields.get('default'), ['allow', 'deny'] as const, report);
  const items = readList(fields.get('rules'), 'a list of rules', report) ?? [];
  if (items.length > limits.policyRulesMax) {
    refuse(
      cursor,
      {
        code: 'policy_too_many_rules',
        message: `there are ${items.length} rules`,
        expected: `at most ${limits.policyRulesMax}`,
      },
      report,
    );
    return undefined;
  }
  const rules = readEach(items, (item) => readRule(item, options, report)) ?? [];
  refuseDoubles(items, rules, report);
  const { approvers = null } = options;
  findContradictions({ rules, items, fallback: fallback ?? null, cursor, approvers }, report);
  return { fallback: fallback ?? null, rules, place: { file: report.file, line: cursor.node.at.line } };
}

function refuseDoubles(items: readonly Cursor[], rules: readonly Rule[], report: Report): void {
  const seen = new Map<string, Rule>();
  for (const [index, rule] of rules.entries()) {
    const other = seen.get(rule.id);
    const item = items[index];
    if (other === undefined || item === undefined) seen.set(rule.id, rule);
    else {
      const message = `the id ${JSON.stringify(rule.id)} is taken by the rule on line ${other.place.line}`;
      refuse(item, { code: 'policy_duplicate_id', message, expected: 'an id of its own' }, report);
    }
  }
}

function readRule(cursor: Cursor, options: DecodeOptions, report: Report): Rule | undefined {
  const fields = readFields(cursor, RULE_KEYS, report);
  if (fields === undefined) return undefined;
  const id = readId(fields, report);
  const draft = readTemplate(fields, report);
  const own = readMatch(fields.get('match'), report);
  const action = actionOf(fields, draft, report);
  const when = conditionOf(fields, draft ?? null, report);
  const message = readWords(fields.get('message'), report) ?? draft?.message ?? null;
  const instead =
    readWords(fields.get('instead'), report) ?? (message === draft?.message ? draft?.instead : null) ?? null;
  if (
    id === undefined ||
    own === undefined ||
    action === undefined ||
    when === undefined ||
    draft === undefined
  )
    return undefined;
  const match = { ...draft?.match, ...own };
  const about = subjectsOf(fields, match, when, report);
  if (about === undefined) return undefined;
  refuseUncounted(action, about, fields, report);
  refuseUnmaskable(action, about, fields, report);
  if (options.known !== undefined) refuseUnknownNames(options.known, { fields, match, when }, report);
  if (action.do === 'approve' && about.has('egress')) {
    const message = 'nobody can be asked in the middle of a request that a server sends';
    const expected = 'a rule about the call that it is sent for, or `do: deny`';
    const at = fields.get('do') ?? fields.get('template');
    return at && refuse(at, { code: 'policy_approve_egress', message, expected }, report);
  }
  const place = { file: report.file, line: fields.at.line };
  return { id, subjects: about, match, when, action, message, instead, place };
}

function readId(fields: Fields, report: Report): string | undefined {
  const expected = 'a name of small letters, digits, dots, hyphens and underscores, at most 64 characters';
  const cursor = fields.need('id', expected);
  const id = readText(cursor, expected, report);
  if (cursor === undefined || id === undefined || ID.test(id)) return id;
  return refuse(
    cursor,
    { code: 'policy_id_invalid', message: `${JSON.stringify(id)} is no id`, expected },
    report,
  );
}

function readWords(cursor: Cursor | undefined, report: Report): string | undefined {
  const text = readText(cursor, 'a sentence', report);
  if (cursor === undefined || text === undefined) return undefined;
  if (text.length <= limits.policyTextCharsMax) return text;
  const expected = `at most ${limits.policyTextCharsMax} characters`;
  return refuse(cursor, { code: 'policy_text_too_long', message: 'this is too long', expected }, report);
}

function actionOf(fields: Fields, draft: Draft | null | undefined, report: Report): Action | undefined {
  const cursor = draft === null ? fields.need('do', `one of ${deeds.join(', ')}`) : fields.get('do');
  const deed = readChoice(cursor, deeds, report);
  for (const key of EFFECT_KEYS) {
    const at = fields.get(key);
    if (at !== undefined && draft !== undefined && (deed ?? draft?.action.do) !== key)
      refuse(
        at,
        {
          code: 'policy_unused_key',
          message: `these are parameters of \`do: ${key}\``,
          expected: `\`do: ${key}\`, or no such key`,
        },
        report,
      );
  }
  if (cursor !== undefined && deed === undefined) return undefined;
  const action = deed === undefined ? draft?.action : readAction(deed, fields, report);
  if (
    action === undefined ||
    cursor === undefined ||
    draft === null ||
    draft === undefined ||
    draft.action.do === 'deny' ||
    draft.action.do === action.do
  )
    return action;
  return refuse(
    cursor,
    {
      code: 'policy_template_action',
      message: `this template does ${draft.action.do}`,
      expected: 'no other action: leave it out',
    },
    report,
  );
}

/** Limits that cannot be kept: what they would count by is not known of what the rule is about. */
function refuseUncounted(action: Action, about: ReadonlySet<Subject>, fields: Fields, report: Report): void {
  const cursor = fields.get('limit') ?? fields.get('with') ?? fields.get('template');
  if (action.do !== 'limit' || cursor === undefined) return;
  const wrong = (message: string, expected: string): undefined =>
    refuse(cursor, { code: 'policy_limit_uncounted', message, expected }, report);
  const { by, per, calls, concurrent, resultBytes } = action;
  const isEgress = about.has('egress');
  if (isEgress && about.size > 1) {
    wrong(
      'calls and requests of servers cannot be counted together',
      'a rule for each: `on: egress` for the requests',
    );
  } else if (isEgress) {
    if (by.some((key) => key !== 'server' && key !== 'credential'))
      wrong(
        'whose call a request of a server belongs to is not certain',
        '`by: [server]`, `by: [credential]` or both',
      );
    if (concurrent !== null || resultBytes !== null || (calls !== null && per === 'session'))
      wrong('requests of servers are counted over time only', '`calls` per minute, hour, day or month');
  } else if (by.includes('credential')) {
    wrong('calls use no credential: the requests of servers do', '`on: egress` beside it');
  }
}

/** Null: there is none. Undefined: it is wrong. */
function conditionOf(fields: Fields, draft: Draft | null, report: Report): Condition | null | undefined {
  const cursor = fields.get('when');
  const written = readText(cursor, 'a condition', report);
  if (cursor !== undefined && written === undefined) return undefined;
  const text = [draft?.when, written].filter((part) => part !== undefined);
  const [first, second] = text;
  if (first === undefined) return null;
  // Each for itself first, so that a parenthesis in one does not reach into the other.
  const own = written === undefined ? null : compileCondition(written);
  const whole =
    second === undefined ? compileCondition(first) : compileCondition(`(${first}) && (${second})`);
  const failed = own !== null && !own.ok ? own : whole;
  if (failed.ok) return whole.ok ? whole.value : undefined;
  const { message, expected, offset } = failed.error;
  const at = cursor ?? fields.get('with') ?? fields.get('template');
  if (at === undefined) return undefined;
  const { line, column } = at.node.at;
  const isPlain =
    cursor !== undefined &&
    at.node.kind === 'scalar' &&
    at.node.plain !== undefined &&
    !(written ?? '').includes('\n');
  report.error({ line, column: isPlain ? column + offset : column }, at.path, {
    code: 'policy_condition_invalid',
    message,
    expected,
  });
  return undefined;
}
