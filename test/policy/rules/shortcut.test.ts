/** Parts of conditions that are answered without the evaluator: never otherwise than it does. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compileCondition } from '../../../src/policy/rules/condition.ts';
import { Facts } from '../../../src/policy/rules/facts.ts';
import { createEnvironment } from '../../../src/policy/rules/functions.ts';
import { shortcutOf } from '../../../src/policy/rules/shortcut.ts';
import { call } from './asking.ts';

const verdict = (text: string, args: string) => {
  const condition = compileCondition(text);
  if (!condition.ok) throw new Error(`${text}: ${condition.error.message}`);
  return condition.value.judge(new Facts({ ...call('create_issue', { agent: 'a' }), args }));
};
/** The same, of a kind that has no shortcut. */
const evaluated = (text: string, args: string) => verdict(`(${text}) ? true : false`, args);

const literal = fc.constantFrom('"a"', '"b"', '""', '1', '1.0', '0', '-1', '2.5', 'true', 'false', 'null');
const read = fc.constantFrom('args.a', 'args.b', 'args.a.b', 'args.missing');
const known = fc.constantFrom('agent', 'user', 'call.tool', 'call.server');
const text = fc.constantFrom('"a"', '"b"', '""', '"create"');
const atom = fc.oneof(
  fc.tuple(read, fc.constantFrom('==', '!=', '<', '<=', '>', '>='), literal).map((parts) => parts.join(' ')),
  fc.tuple(literal, fc.constantFrom('==', '!=', '<', '>='), read).map((parts) => parts.join(' ')),
  fc.tuple(known, fc.constantFrom('==', '!='), text).map((parts) => parts.join(' ')),
  fc.tuple(read, fc.constantFrom('==', '!=', '<'), read).map((parts) => parts.join(' ')),
  fc
    .tuple(fc.oneof(read, known), fc.array(text, { minLength: 1 }))
    .map(([one, list]) => `${one} in [${list.join()}]`),
  read.map((path) => `has(${path})`),
  fc
    .tuple(fc.oneof(read, known), fc.constantFrom('contains', 'startsWith', 'endsWith'), text)
    .map(([one, name, part]) => `${one}.${name}(${part})`),
  fc.constantFrom(
    'mentions(args, ["a"])',
    'size(args) > 1',
    'args.a[0] == "a"',
    'args.a.exists(x, x == "a")',
  ),
);
const { condition } = fc.letrec<{ condition: string }>((tie) => ({
  condition: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    atom,
    fc
      .tuple(tie('condition'), fc.constantFrom('&&', '||'), tie('condition'))
      .map(([left, sign, right]) => `(${left} ${sign} ${right})`),
    tie('condition').map((one) => `!(${one})`),
  ),
}));
const value = fc.oneof(
  fc.constantFrom<unknown>('a', 'b', '', 'create', 1, 0, -1, 2.5, 1e30, true, false, null, [], ['a'], {}),
  fc.constant({ b: 'a' }),
);
const args = fc.oneof(
  fc.record({ a: value, b: value }, { requiredKeys: [] }).map((one) => JSON.stringify(one)),
  fc.constantFrom(
    '{"a":1e400}',
    '{"a":-0}',
    '[]',
    '"a"',
    '{"__proto__":{"a":1}}',
    '{"A":1}',
    '{"a":9007199254740993}',
  ),
);

test('whatever the condition and the arguments', () => {
  fc.assert(
    fc.property(condition, args, (one, given) => {
      const compiled = compileCondition(one);
      // Types that cannot fit together are refused when rules are loaded, with a shortcut or without.
      fc.pre(compiled.ok);
      expect(verdict(one, given)).toEqual(evaluated(one, given));
    }),
    { numRuns: 3_000 },
  );
});

describe('what is certain', () => {
  const shortcut = (one: string, given: unknown): boolean | undefined => {
    const facts = new Facts(call('create_issue', { args: given, agent: 'a' }));
    return shortcutOf(createEnvironment().parse(one).ast)?.(
      facts.context({ args: true, annotations: true, usage: false }),
    );
  };

  test.each([
    ['has(args.n) && args.n > 1000', { n: 1001 }, true],
    ['has(args.n) && args.n > 1000', {}, false],
    ['args.n <= 2', { n: 2 }, true],
    ['!(args.s in ["a", "b"])', { s: 'c' }, true],
    ['args.s.contains("b") || agent == "a"', { s: 'x' }, true],
    ['call.tool.startsWith("delete_") && args.s != "a"', {}, false],
    ['args.deep.flag == true', { deep: { flag: true } }, true],
  ])('%s of %j', (one, given, expected) => {
    expect(shortcut(one, given)).toBe(expected);
  });

  test.each([
    ['args.n > 1000', { n: '1001' }],
    ['args.n > 1000', {}],
    ['args.s == 1', { s: '1' }],
    ['args.n == 1', { n: 1 }],
    ['args.s in ["a"]', { s: ['a'] }],
    ['has(args.a.b)', { a: 1 }],
    ['args.n > 1000 || agent == "a"', { n: null }],
    ['mentions(args, ["a"]) || agent == "a"', {}],
    ['agent == "a" && size(args) > 1', {}],
  ])('is not %s of %j: the evaluator says', (one, given) => {
    expect(shortcut(one, given)).toBeUndefined();
  });
});
