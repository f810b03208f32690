import { describe, expect, it } from 'vitest';
import { type CallTimes, decideUse } from '../../src/policy/index.ts';

const times = (over: Partial<CallTimes> = {}): CallTimes => ({
  inFlight: 0,
  begun: true,
  sinceStartMs: 60_000,
  sinceEndMs: null,
  ...over,
});
const allowed = (over: Partial<CallTimes>): boolean =>
  decideUse({ name: 'KEY', use: 'during-calls' }, times(over)).allow;

describe('a credential for calls', () => {
  it.each([
    ['a call is in flight', { inFlight: 1 }, true],
    ['nothing is in flight', {}, false],
    ['the cell has just started', { begun: false, sinceStartMs: 0 }, true],
    ['its start is about over', { begun: false, sinceStartMs: 30_000 }, true],
    ['its start is over', { begun: false, sinceStartMs: 30_001 }, false],
    ['the first call has begun and ended, at the start', { begun: true, sinceStartMs: 10 }, false],
    ['a call has just ended', { sinceEndMs: 2_000 }, true],
    ['a call ended a while ago', { sinceEndMs: 2_001 }, false],
    ['a call ended a while ago and another runs', { sinceEndMs: 2_001, inFlight: 1 }, true],
  ])('%s', (_, over, answer) => {
    expect(allowed(over)).toBe(answer);
  });

  it('says what is the matter, and what would allow it', () => {
    expect(decideUse({ name: 'KEY', use: 'during-calls' }, times())).toEqual({
      allow: false,
      code: 'egress_credential_outside_call',
      message: 'KEY is only for requests that belong to a tool call, and none is in flight.',
      hint: 'If the server has to work between calls, set "use: always" for KEY in its manifest.',
    });
  });

  it('may be used at any time where nothing else is said', () => {
    expect(decideUse({ name: 'KEY' }, times()).allow).toBe(true);
    expect(decideUse({ name: 'KEY', use: 'always' }, times()).allow).toBe(true);
  });
});
