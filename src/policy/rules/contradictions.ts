/**
 * Rules that can never match, and those that never decide anything, are never satisfied, or count less than their names say. The
 * first kind is a mistake; the others may be meant.
 */
import { type Cursor, refuse, type Report } from '../../manifest/index.ts';
import { matchName } from './patterns.ts';
import type { Match, Rule } from './types.ts';
import { usageKey, type UsageName, usageOf } from './usage.ts';

interface Reading {
  readonly rules: readonly Rule[];
  /** Where they stand. */
  readonly items: readonly Cursor[];
  readonly fallback: 'allow' | 'deny' | null;
  readonly cursor: Cursor;
  /** How many people there are to agree to anything; null: not known. */
  readonly approvers: number | null;
}

export function findContradictions(reading: Reading, report: Report): void {
  const { rules, items, fallback, cursor } = reading;
  findUnsatisfied(reading, report);
  findNarrowCounts(reading, report);
  for (const [index, rule] of rules.entries()) {
    const item = items[index];
    if (item === undefined) continue;
    const reason = neverMet(rule);
    if (reason !== null) {
      const expected = 'a condition that some request meets';
      refuse(
        item,
        { code: 'policy_never_matches', message: `the rule ${rule.id} can never match: ${reason}`, expected },
        report,
      );
    } else if (rule.when?.constant === true) {
      warn(item, report, {
        code: 'policy_condition_constant',
        message: `the condition of ${rule.id} always holds`,
        expected: 'no condition',
      });
    }
  }
  const permits = rules.some(({ action }) => action.do === 'allow' || action.do === 'approve');
  if (fallback === 'deny' && !permits)
    warn(cursor, report, {
      code: 'policy_nothing_allowed',
      message: 'every call is refused: the default is deny, and no rule allows or approves anything',
      expected: 'a rule with `do: allow`',
    });
  const closing = rules.find((rule) => rule.action.do === 'deny' && coversEverything(rule));
  for (const [index, rule] of rules.entries()) {
    const item = items[index];
    if (item === undefined || rule === closing) continue;
    if (closing !== undefined && [...rule.subjects].every((one) => closing.subjects.has(one)))
      warn(item, report, {
        code: 'policy_shadowed',
        message: `the rule ${rule.id} decides nothing: ${closing.id} refuses everything`,
        expected: 'rules that are about something each',
      });
    else if (fallback !== 'deny' && rule.action.do === 'allow')
      warn(item, report, {
        code: 'policy_shadowed',
        message: `the rule ${rule.id} decides nothing: the default is allow`,
        expected: '`default: deny`, unless another policy says so',
      });
  }
}

/** Rules that want more people than there are: what they are about never runs. */
function findUnsatisfied({ rules, items, approvers }: Reading, report: Report): void {
  for (const [index, { id, action }] of rules.entries()) {
    const item = items[index];
    if (item === undefined || approvers === null || action.do !== 'approve') continue;
    if (action.people <= approvers) continue;
    const wanted = `${action.people} ${action.people === 1 ? 'person' : 'people'}`;
    warn(item, report, {
      code: 'policy_too_few_people',
      message: `the rule ${id} wants ${wanted} to agree, and there ${approvers === 1 ? 'is' : 'are'} ${approvers} who can`,
      expected: 'more who may answer in sallyport.yaml: `approvals.people`',
    });
  }
}

/** Calls count where some rule about them asks for the count: a rule about a few tools has no count of all. */
function findNarrowCounts({ rules, items }: Reading, report: Report): void {
  for (const [index, { id, match, when }] of rules.entries()) {
    const item = items[index];
    if (item === undefined || when === null) continue;
    for (const name of usageOf(when.uses)) {
      const narrow = narrowed(match, name);
      if (narrow === null || rules.some((other) => countsAll(other, match, name))) continue;
      const key = `usage.${usageKey(name)}`;
      warn(item, report, {
        code: 'policy_count_narrow',
        message: `in the rule ${id}, ${key} counts the calls of its ${narrow} alone, and not those of ${name.scope === 'all' ? 'everything' : 'the whole server'}`,
        expected: `no ${narrow} in its match: name them in its condition`,
      });
      break;
    }
  }
}

/** @returns what keeps calls from the count; null: it counts as its name says */
function narrowed({ servers, tools }: Match, { scope }: UsageName): 'tools' | 'servers' | null {
  if (scope === 'tool') return null;
  if (!coversAny(tools)) return 'tools';
  return scope === 'all' && !coversAny(servers) ? 'servers' : null;
}

/** Whether a rule has everything counted that the count of another one is about. */
function countsAll({ match, when }: Rule, about: Match, name: UsageName): boolean {
  if (when === null || narrowed(match, name) !== null) return false;
  if (!usageOf(when.uses).some((one) => usageKey(one) === usageKey(name))) return false;
  return coversAny(match.servers) || about.servers?.every((one) => match.servers?.includes(one)) === true;
}

const coversAny = (names: readonly string[] | undefined): boolean => names?.includes('*') !== false;

function warn(cursor: Cursor, report: Report, complaint: Parameters<Report['warn']>[2]): void {
  report.warn(cursor.node.at, cursor.path, complaint);
}

const coversEverything = ({ match, when }: Rule): boolean =>
  Object.values(match).every((names) => names === undefined || names.includes('*')) &&
  (when === null || when.constant === true);

/** @returns why */
function neverMet({ match, when }: Rule): string | null {
  if (when === null) return null;
  if (when.constant === false) return 'its condition is always false';
  const { equalities } = when;
  const values = new Map<string, string>();
  for (const { path, value } of equalities) {
    const other = values.get(path);
    if (other !== undefined && other !== value) return `${path} cannot be ${other} and ${value}`;
    values.set(path, value);
  }
  for (const [path, names] of [
    ['call.server', match.servers],
    ['call.tool', match.tools],
    ['call.prompt', match.prompts],
    ['agent', match.agents],
    ['user', match.users],
  ] as const) {
    const value = values.get(path);
    if (value === undefined || names === undefined) continue;
    const plain: unknown = JSON.parse(value);
    if (typeof plain === 'string' && !names.some((pattern) => matchName(pattern, plain)))
      return `${path} cannot be ${value} where its match says otherwise`;
  }
  return null;
}
