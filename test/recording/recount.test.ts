import { expect, it } from 'vitest';
import { type DecisionEntry, Recount } from '../../src/recording/index.ts';
import { rulesOf } from '../policy/rules/asking.ts';
import { asked } from './world.ts';

const entry = (at: number, over: Partial<DecisionEntry> = {}): DecisionEntry => ({
  kind: 'decision',
  ms: at,
  request: 1,
  subject: 'tool',
  server: 'echo',
  name: 'say',
  at,
  outcome: 'allow',
  rule: null,
  users: [],
  agents: ['bot'],
  tokens: ['tok_1'],
  ...over,
});
const held = (limit: string) =>
  rulesOf(`rules: [{ id: few, do: limit, limit: ${limit} }]`).decide(asked()).limits;

it('has room again when one that is in flight has landed', () => {
  const recount = new Recount('ses_1');
  const limit = held('{ concurrent: 1 }');
  expect(recount.take(entry(1_000), limit, 5_000)).toBeNull();
  expect(recount.take(entry(2_000), limit, 9_000)).toBe('few');
  expect(recount.take(entry(5_001), limit, Infinity)).toBeNull();
  expect(recount.take(entry(99_000), limit, 100_000)).toBe('few');
});

it('has it as time goes on, and for everybody apart', () => {
  const recount = new Recount('ses_1');
  const limit = held('{ calls: 2, per: minute, by: [token] }');
  const took = (at: number, token = 'tok_1') => recount.take(entry(at, { tokens: [token] }), limit, at);
  expect([took(0), took(1), took(2), took(3, 'tok_2')]).toEqual([null, null, 'few', null]);
  expect([took(30_001), took(30_002), took(60_003)]).toEqual([null, 'few', null]);
  // What was counted a moment after it was decided, and just had room.
  expect(took(90_003 - 60)).toBeNull();
});
