/** What is counted together, and that a request counts everywhere or nowhere. */
import { describe, expect, it } from 'vitest';
import { decideLimits, type LimitedRequest, limitRefusal, planLimits } from '../../../src/policy/index.ts';
import { call, errorsOf, rulesOf } from '../rules/asking.ts';

const NOW = Date.parse('2026-11-20T10:00:00Z');
const held = (text: string, tool = 'search') => rulesOf(`rules: [${text}]`).decide(call(tool)).limits;
const asked: LimitedRequest = {
  server: 'github',
  name: 'search',
  token: 'tok_1',
  agent: 'claude',
  session: 's1',
};
const keysOf = (limit: string, request: LimitedRequest): readonly string[] =>
  planLimits(held(`{ id: a, do: limit, limit: ${limit} }`), request).counted.map(({ key }) => key);

describe('counts are kept apart', () => {
  it.each([
    ['token', { token: 'tok_2' }],
    ['agent', { agent: 'other' }],
    ['user', { user: 'usr_1' }],
    ['server', { server: 'gitlab' }],
    ['tool', { name: 'write' }],
    ['tool', { server: 'gitlab' }],
  ])('by %s, where the rule says so', (by, other) => {
    const limit = `{ calls: 3, by: [${by}] }`;
    expect(keysOf(limit, { ...asked, ...other })).not.toEqual(keysOf(limit, asked));
    expect(keysOf('{ calls: 3, by: [] }', { ...asked, ...other })).toEqual(
      keysOf('{ calls: 3, by: [] }', asked),
    );
  });

  it('by session, rule and text of rules', () => {
    const session = '{ calls: 3, per: session }';
    expect(keysOf(session, { ...asked, session: 's2' })).not.toEqual(keysOf(session, asked));
    const [one] = held('{ id: a, do: limit, limit: { calls: 1 } }');
    if (one === undefined) throw new Error('no limit');
    const keys = [one, { ...one, rule: 'b' }, { ...one, source: 'profile dev' }].flatMap((limit) =>
      planLimits([limit], asked).counted.map(({ key }) => key),
    );
    expect(new Set(keys).size).toBe(3);
  });
});

it('what one limit refuses counts against none, and the longest wait is told', () => {
  const limits = held(
    `{ id: wide, do: limit, limit: { calls: 100, per: hour } },
     { id: minute, do: limit, limit: { calls: 1 } },
     { id: day, do: limit, limit: { calls: 1, per: day, zone: Europe/Berlin } }`,
  );
  const plan = planLimits(limits, asked);
  const first = decideLimits(plan, { counts: [null, null, null], flights: [] }, NOW);
  if (!first.ok) throw new Error('refused');
  const second = decideLimits(plan, { counts: first.counts, flights: [] }, NOW);
  if (second.ok) throw new Error('let through');
  expect(limitRefusal(second.exceeded)).toEqual({
    code: 'limit_exceeded',
    message: 'There may be 1 per day for each token. Rule: day. Call again in 13 hours.',
    hint: 'What is counted together, and how much there may be, the rule says.',
    retryAfterSeconds: 13 * 3_600,
  });
});

it('calls in flight are refused without a promise of when', () => {
  const plan = planLimits(held('{ id: few, do: limit, limit: { concurrent: 2 } }'), asked);
  expect(decideLimits(plan, { counts: [], flights: [1] }, NOW)).toEqual({ ok: true, counts: [] });
  const full = decideLimits(plan, { counts: [], flights: [2] }, NOW);
  if (full.ok) throw new Error('let through');
  expect(limitRefusal(full.exceeded)).toMatchObject({
    message: 'There may be 2 at once for each token. Rule: few. Call again when one of those has ended.',
    retryAfterSeconds: 1,
  });
});

describe('a limit that could not be kept is refused when it is written', () => {
  it.each([
    ['{ calls: 1, by: [credential] }', '', 'policy_limit_uncounted'],
    ['{ calls: 1, by: [token] }', 'on: egress, ', 'policy_limit_uncounted'],
    ['{ concurrent: 1, by: [server] }', 'on: egress, ', 'policy_limit_uncounted'],
    ['{ calls: 1, by: [server] }', 'on: [tool, egress], ', 'policy_limit_uncounted'],
    ['{ calls: 1, per: day, zone: Mars/Olympus }', '', 'policy_zone_unknown'],
    ['{ calls: 1, per: minute, zone: UTC }', '', 'policy_limit_misfit'],
    ['{ calls: 1, per: day, burst: 3 }', '', 'policy_limit_misfit'],
    ['{ concurrent: 1, per: day }', '', 'policy_limit_misfit'],
    ['{ by: [token] }', '', 'policy_nothing_limited'],
  ])('%s', (limit, on, code) => {
    expect(errorsOf(`rules: [{ id: a, ${on}do: limit, limit: ${limit} }]`).map((one) => one.code)).toEqual([
      code,
    ]);
  });

  it('and one that can is not', () => {
    const text = `rules:
  - { id: a, do: limit, limit: { calls: 60, burst: 5, by: [user, tool] } }
  - { id: b, do: limit, limit: { calls: 9, per: month, zone: Asia/Tokyo, by: [] } }
  - { id: c, on: egress, do: limit, limit: { calls: 9, per: hour, by: [server, credential] } }`;
    expect(errorsOf(text)).toEqual([]);
  });
});
