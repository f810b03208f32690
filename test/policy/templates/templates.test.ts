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
