import { describe, expect, it } from 'vitest';
import { compileMasking, type MaskingRule } from '../../src/masking/index.ts';
import { hash } from './support.ts';

const redact = { kind: 'redact' } as const;
const errorOf = (rule: MaskingRule): unknown => {
  const compiled = compileMasking([{ id: 'fine', keys: ['x'], strategy: redact }, rule], { hash });
  return compiled.ok ? null : compiled.error;
};

describe('rules that are refused', () => {
  it.each([
    ['masking_rule_empty', { id: 'a', strategy: redact }],
    ['masking_rule_id', { id: 'a b', keys: ['x'], strategy: redact }],
    ['masking_key', { id: 'a', keys: ['_'], strategy: redact }],
    ['masking_pointer', { id: 'a', pointers: ['a/b'], strategy: redact }],
    ['masking_pointer', { id: 'a', pointers: ['/a~2'], strategy: redact }],
    ['masking_pattern', { id: 'a', patterns: ['('], strategy: redact }],
    ['masking_pattern', { id: 'a', patterns: ['x*'], strategy: redact }],
    ['masking_pattern', { id: 'a', patterns: ['(?:(?:a{1,100}){1,100})'], strategy: redact }],
    ['masking_pattern', { id: 'a', patterns: ['x'.repeat(2000)], strategy: redact }],
    ['masking_detector', { id: 'a', detectors: ['githubtoken'], strategy: redact }],
    ['masking_strategy', { id: 'a', keys: ['x'], strategy: { kind: 'partial', keepLast: 0 } }],
    [
      'masking_too_many',
      { id: 'a', keys: Array.from({ length: 501 }, (_, index) => `k${index}`), strategy: redact },
    ],
  ] as const)('%s', (code, rule) => {
    expect(errorOf(rule)).toMatchObject({ code, rule: 1 });
  });

  it('says what was meant', () => {
    expect(errorOf({ id: 'a', detectors: ['github'], strategy: redact })).toMatchObject({
      message: 'There is no detector or group "github". Did you mean "github-token"?',
    });
  });
});
