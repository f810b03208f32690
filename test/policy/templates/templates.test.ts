import { describe, expect, test } from 'vitest';
import { type Sample, templates } from '../../../src/policy/index.ts';
import { call, errorsOf, rulesOf } from '../rules/asking.ts';

const asked = ({ tool, egress, usage, ...parts }: Sample) => {
  const counts = usage === undefined ? {} : { usage: new Map(Object.entries(usage)) };
  const request = { ...call(tool ?? egress?.host ?? 'some_tool', parts), ...counts };
  if (egress === undefined) return request;
  const { method, path, bytes, tools } = egress;
  return {
    ...request,
    subject: 'egress' as const,
    egress: {
      methods: [method],
      path: path ?? '/',
      tools: tools ?? [],
      ...(bytes === undefined ? {} : { bytes }),
    },
  };
};

test('there are enough of them, and each has a name of its own', () => {
  expect(templates.length).toBeGreaterThanOrEqual(30);
  expect(new Set(templates.map(({ name }) => name)).size).toBe(templates.length);
});

describe('parameters that would match nothing are refused', () => {
  test.each([
    ['working-hours', { zone: 'UTC', from: '07:00', to: '9:30' }],
    ['working-hours', { zone: 'UTC', from: '25:00' }],
    ['freeze', { zone: 'UTC', from: '2026-12-5', to: '2026-12-09' }],
    ['freeze', { zone: 'UTC', from: '2026-12-05', to: '2026-13-09' }],
    ['block-domains', { domains: ['*.evil.example'] }],
    ['block-domains', { domains: 'https://evil.example/' }],
    ['external-recipients', { domains: ['@example.com'] }],
    ['protect-branches', { branches: ['main', 'release/*'] }],
    ['block-files', { names: ['*.pem'] }],
    ['sql-block-tables', { tables: ['audit_*'] }],
  ])('%s %j', (template, given) => {
    const text = JSON.stringify({ rules: [{ id: 'one', template, with: given }] });
    expect(errorsOf(text).map(({ code }) => code)).toEqual(['policy_never_matches']);
  });

  test('a branch is protected by its whole name as well', () => {
    const branches = ['refs/heads/main'];
    const rules = rulesOf(
      JSON.stringify({ rules: [{ id: 'one', template: 'protect-branches', with: { branches } }] }),
    );
    for (const branch of ['main', 'refs/heads/main'])
      expect(rules.decide(call('push', { args: { branch } })).outcome).toBe('deny');
    expect(rules.decide(call('push', { args: { branch: 'other' } })).outcome).toBe('allow');
  });
});

describe.each(templates.map((template) => [template.name, template] as const))('%s', (name, template) => {
  const { example } = template;
  const rules = rulesOf(JSON.stringify({ rules: [{ id: 'one', template: name, with: example.with }] }));
  const isMatched = (sample: Sample): boolean => rules.decide(asked(sample)).matched.length === 1;

  test('is about what its example says, and not about the rest', () => {
    expect(example.meets.length).toBeGreaterThan(0);
    expect(example.passes.length).toBeGreaterThan(0);
    expect(example.meets.filter((sample) => !isMatched(sample))).toEqual([]);
    expect(example.passes.filter(isMatched)).toEqual([]);
  });

  test('refuses parameters that it does not have, and ones of another type', () => {
    const codes = (given: unknown) =>
      errorsOf(JSON.stringify({ rules: [{ id: 'one', template: name, with: given }] })).map(
        ({ code }) => code,
      );
    expect(codes({ ...example.with, nonsense: 1 })).toEqual(['policy_unknown_key']);
    for (const parameter of Object.keys(template.parameters)) {
      expect(codes({ ...example.with, [parameter]: { a: 1 } })).toEqual(['policy_wrong_type']);
    }
  });
});
