/** What rules are told of calls before: named in full or refused, read only where it is asked for, and strict where it is not known. */
import { describe, expect, it } from 'vitest';
import type { RuleRequest } from '../../../src/policy/index.ts';
import { call, errorsOf, rulesOf } from './asking.ts';

const when = (condition: string, deed = 'deny'): string =>
  `rules: [{ id: one, when: '${condition}', do: ${deed} }]`;
const counted = (counts: { readonly [name: string]: number }, tool = 'pay'): RuleRequest => ({
  ...call(tool),
  usage: new Map(Object.entries(counts)),
});

describe('names', () => {
  it.each([
    ['usage.tool.dya > 3', 'usage.tool.day'],
    ['usage.tols.day > 3', 'usage.tool.day'],
    ['usage.tool > 3', null],
    ['size(usage) > 3', null],
    ['[1].exists(n, usage.tool.year > n)', null],
  ])('%s is refused where it stands', (condition, meant) => {
    const [error, ...others] = errorsOf(when(condition));
    expect(others).toEqual([]);
    expect(error?.code).toBe('policy_condition_invalid');
    expect(error?.expected).toContain('one of usage.tool.hour, usage.tool.day');
    if (meant !== null) expect(error?.message).toContain(`did you mean "${meant}"`);
  });

  it('are numbers', () => {
    expect(errorsOf(when('usage.tool.day == "3"'))).toMatchObject([{ code: 'policy_condition_invalid' }]);
    expect(errorsOf(when('usage.tool.day + usage.all.ever * 2 >= 3'))).toEqual([]);
  });

  it('are known of tools alone', () => {
    expect(errorsOf(when('usage.tool.day > 3 && egress.method == "GET"'))).not.toEqual([]);
    expect(rulesOf(when('usage.tool.day > 3')).decide({ ...call('p'), subject: 'prompt' }).matched).toEqual(
      [],
    );
  });

  it('have nothing to do with arguments of that name', () => {
    const rules = rulesOf(when('usage.tool.day > 3 && has(args.a)'));
    const asked = { ...counted({ 'tool.day': 0 }), args: '{"a":1,"DAY":2,"Tool":3}' };
    expect(rules.decide(asked)).toMatchObject({ outcome: 'allow', matched: [] });
  });
});

it('only what a rule about the tool asks for is asked for', () => {
  const rules = rulesOf(`
rules:
  - { id: a, match: { tools: pay }, when: usage.server.day > 3, do: deny }
  - { id: b, match: { tools: 'p*' }, when: 'usage.tool.ever == 0 || usage.server.day > 9', do: alert }
  - { id: c, when: args.n > 3, do: deny }`);
  const names = (tool: string) => rules.counts(call(tool)).map(({ scope, period }) => `${scope}.${period}`);
  expect(names('pay')).toEqual(['tool.ever', 'server.day']);
  expect(names('other')).toEqual([]);
  expect(rules.counts({ ...call('pay'), subject: 'prompt' })).toEqual([]);
  expect(rulesOf().counts(call('pay'))).toEqual([]);
  expect(rules.decide(call('other')).usage).toBeUndefined();
});

it('what nobody counted counts as met, unless the rule would allow', () => {
  for (const [deed, outcome] of [
    ['deny', 'deny'],
    ['approve', 'approve'],
  ] as const)
    expect(rulesOf(when('usage.tool.day > 3', deed)).decide(call('pay')).outcome).toBe(outcome);
  const allowing = rulesOf(`default: deny\n${when('usage.tool.day < 3', 'allow')}`);
  expect(allowing.decide(call('pay')).outcome).toBe('deny');
  // Some were counted, and this one was not.
  expect(rulesOf(when('usage.tool.day > 3')).decide(counted({ 'tool.hour': 0 })).outcome).toBe('deny');
  // The control.
  expect(rulesOf(when('usage.tool.day > 3')).decide(counted({ 'tool.day': 3 })).outcome).toBe('allow');
  expect(allowing.decide(counted({ 'tool.day': 2 })).outcome).toBe('allow');
});

it('a tool that could be called at another time is listed', () => {
  expect(rulesOf(when('usage.tool.day >= 0')).shows(call('pay'))).toBe(true);
  expect(rulesOf(`default: deny\n${when('usage.tool.day < 3', 'allow')}`).shows(call('pay'))).toBe(true);
  expect(rulesOf(when('call.tool == "pay"')).shows(call('pay'))).toBe(false);
});

describe('what was decided holds', () => {
  const decided = (text: string, day = 0) => {
    const { usage } = rulesOf(text).decide(counted({ 'tool.day': day }));
    return (now: number) => usage?.moved(new Map([['tool.day', now]]));
  };

  it('until more is said', () => {
    const moved = decided(when('usage.tool.day >= 2'));
    expect([moved(0), moved(1), moved(2)]).toEqual([null, null, 'one']);
    expect(decided(when('usage.tool.day >= 2', 'approve'))(2)).toBe('one');
    expect(decided(`rules: [{ id: one, when: usage.tool.day > 1, do: mask, mask: { keys: [a] } }]`)(2)).toBe(
      'one',
    );
  });

  it('where less is said, or what was said before', () => {
    expect(decided(when('usage.tool.day == 0', 'approve'))(5)).toBeNull();
    expect(decided(when('usage.tool.day >= 2', 'approve'), 2)(3)).toBeNull();
    expect(decided(when('usage.tool.day >= 2', 'alert'))(2)).toBeNull();
  });

  it('until it is not allowed any more', () => {
    expect(decided(`default: deny\n${when('usage.tool.day < 2', 'allow')}`)(2)).toBe('one');
    expect(decided(`default: deny\n${when('usage.tool.day < 2', 'allow')}`)(1)).toBeNull();
  });
});
