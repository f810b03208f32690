/** Rules that mask: what can be written, what is refused, and which hold beside an answer. */
import { describe, expect, it } from 'vitest';
import { maskingRules, masksBeside } from '../../../src/policy/index.ts';
import { errorsOf, rulesOf } from './asking.ts';

const rule = (mask: string, more = ''): string =>
  `rules: [{ id: one, match: { tools: pay }, ${more} do: mask, mask: ${mask} }]`;

describe('a rule that masks', () => {
  it('says what, by detectors, keys, pointers and patterns, and how', () => {
    const rules = rulesOf(
      rule(
        '{ detectors: [email], keys: [a], pointers: [/x/*], patterns: ["x+"], strategy: partial, keepLast: 2 }',
      ),
    );
    const decision = rules.decide({ ...asked, name: 'pay' });
    expect(decision.outcome).toBe('allow');
    expect(maskingRules(decision.masks)).toEqual([
      {
        id: 'one',
        detectors: ['email'],
        keys: ['a'],
        pointers: ['/x/*'],
        patterns: ['x+'],
        strategy: { kind: 'partial', keepLast: 2 },
      },
    ]);
    expect(rules.decide({ ...asked, name: 'other' }).masks).toEqual([]);
  });

  it.each([
    ['{ detectors: [emial] }', 'policy_mask_invalid', 'There is no detector or group "emial"'],
    ['{ pointers: [items] }', 'policy_mask_invalid', 'is no JSON pointer'],
    ['{ patterns: ["("] }', 'policy_mask_invalid', ''],
    ['{ keys: ["_"] }', 'policy_mask_invalid', 'has no letters'],
    ['{ strategy: hash }', 'policy_nothing_masked', ''],
    ['{ keys: [a], keepLast: 3 }', 'policy_mask_misfit', '`keepLast` means nothing here'],
  ])('%s is refused', (mask, code, message) => {
    expect(errorsOf(rule(mask))).toMatchObject([
      { code, message: expect.stringContaining(message) as string, line: 1 },
    ]);
  });

  it('is not about requests of servers', () => {
    expect(errorsOf('rules: [{ id: one, on: egress, do: mask, mask: { keys: [a] } }]')).toMatchObject([
      { code: 'policy_mask_invalid' },
    ]);
    expect(
      errorsOf('rules: [{ id: one, template: mask-results, with: { detectors: [nothing] } }]'),
    ).toMatchObject([{ code: 'policy_mask_invalid' }]);
  });
});

it('beside an answer every rule about the server and the caller counts, as if its condition were met', () => {
  const rules = rulesOf(
    `rules:
  - { id: pay, match: { servers: shop, tools: pay }, when: 'args.x == 1', do: mask, mask: { keys: [a] } }
  - { id: elsewhere, match: { servers: bank, tools: pay }, do: mask, mask: { keys: [a] } }
  - { id: another, match: { servers: shop, agents: [other] }, on: tool, do: mask, mask: { keys: [a] } }
  - { id: read, match: { resources: '*' }, do: mask, mask: { keys: [a] } }`,
  );
  const caller = { users: [], agents: ['claude'], tokens: [] };
  expect(masksBeside(rules, 'shop', caller).map((mask) => mask.rule)).toEqual(['pay', 'read']);
});

const asked = {
  subject: 'tool',
  server: 'shop',
  profile: '',
  users: [],
  agents: [],
  tokens: [],
  now: 0,
} as const;
