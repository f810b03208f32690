/** What the pages say of rules: every example is one that `policy check` takes, and conditions know what the page says they do. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { FUNCTIONS, VARIABLES } from '../../../src/policy/rules/functions.ts';
import { call, type CallParts, errorsOf, rulesOf, warningsOf } from './asking.ts';

const docs = new URL('../../../docs/', import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, docs), 'utf8');
const page = read('policy.md');

const IS_RULES = /\bdo: (?:deny|approve|allow|limit|mask|alert|record)\b|^ +template: /m;
const examples = readdirSync(docs, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.md'))
  .flatMap((name) =>
    [...read(name).matchAll(/^```ya?ml\n(.*?)^```/gms)].map(([, yaml = '']) => [name, yaml] as const),
  )
  .filter(([, yaml]) => IS_RULES.test(yaml))
  .map(([name, yaml]) => [name, /^(?:rules|default):/m.test(yaml) ? yaml : `rules:\n${yaml}`] as const);

test('there are examples', () => {
  expect(new Set(examples.map(([name]) => name))).toContain('policy.md');
  expect(examples.length).toBeGreaterThanOrEqual(3);
});

test.each(examples)('an example of %s is taken as it is: %s', (_, yaml) => {
  expect(errorsOf(yaml)).toEqual([]);
  expect(warningsOf(yaml)).toEqual([]);
});

describe('the first example', () => {
  const [, first = ''] = examples.find(([name]) => name === 'policy.md') ?? [];
  const rules = rulesOf(first);
  const rule = (tool: string, args: unknown, parts: CallParts = {}): string | null =>
    rules.decide(call(tool, { args, ...parts })).decisive?.rule.id ?? null;

  test('does what it says', () => {
    expect(rule('push_files', { branch: 'release' })).toBe('main-is-protected');
    expect(rule('push_files', { branch: 'feature' })).toBeNull();
    expect(rule('create_charge', { amount: 501 }, { server: 'stripe' })).toBe('no-large-payments');
    expect(rule('create_charge', { amount: 500 }, { server: 'stripe' })).toBeNull();
    expect(rule('create_charge', { amount: 501 }, { server: 'stripe', agent: 'billing' })).toBeNull();
    expect(rule('create_charge', { amount: 'much' }, { server: 'stripe' })).toBe('no-large-payments');
    expect(rule('create_customer', { name: 'Ann' }, { server: 'stripe' })).toBeNull();
  });

  test('lets searches read alone', () => {
    const sent = (method: string, tool: string) =>
      rules.decide({
        ...call('api.github.com'),
        subject: 'egress',
        egress: { methods: [method], path: '/', tools: [tool] },
      }).outcome;
    expect(sent('POST', 'search_code')).toBe('deny');
    expect(sent('GET', 'search_code')).toBe('allow');
    expect(sent('POST', 'push_files')).toBe('allow');
  });
});

describe('the lists of names and functions', () => {
  const rows = (heading: string): string =>
    page
      .split(heading)[1]
      ?.split('\n\n')[0]
      ?.replaceAll(/\| [^`|][^|]*\|$/gm, '') ?? '';

  test('are whole', () => {
    const functions = rows('| function | |');
    const told = [...functions.matchAll(/`[^`]*`/g)].join(' ');
    const isTold = (name: string): boolean => new RegExp(`(?<![A-Za-z])${name}(?![A-Za-z])`).test(told);
    expect([...FUNCTIONS].filter((name) => !isTold(name))).toEqual([]);
    const names = rows('| name | is | known of |');
    for (const [name, fields] of Object.entries(VARIABLES)) {
      for (const field of fields ?? []) expect(names).toContain(`.${field}\``);
      expect(names).toMatch(new RegExp(`\`${name}[.\`]`));
    }
  });

  test('say nothing that is not there', () => {
    const called = [...rows('| function | |').matchAll(/([A-Za-z]+)\(/g)].map(([, name = '']) => name);
    expect(called.length).toBeGreaterThan(20);
    expect(called.filter((name) => !FUNCTIONS.has(name))).toEqual([]);
  });
});
