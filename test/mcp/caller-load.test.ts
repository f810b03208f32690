import { describe, expect, it } from 'vitest';
import { limits } from '../../src/kernel/index.ts';
import { CallerLoad } from '../../src/mcp/client/caller-load.ts';

const refused = (load: CallerLoad, caller: string, chars = 1): string => {
  try {
    load.begin(caller, chars);
    return '';
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe('what a caller has in flight', () => {
  it('is so many requests, and others have theirs', () => {
    const load = new CallerLoad();
    const ends = Array.from({ length: limits.mcpRequestsPerCallerMax }, () => load.begin('a', 1));
    expect(refused(load, 'a')).toBe('mcp_requests_too_many');
    expect(refused(load, 'b')).toBe('');
    ends[0]?.();
    expect(refused(load, 'a')).toBe('');
    expect(refused(load, 'a')).toBe('mcp_requests_too_many');
  });

  it('is so much of them, beside the last', () => {
    const load = new CallerLoad();
    const end = load.begin('a', limits.mcpRequestCharsPerCallerMax + 1);
    expect(refused(load, 'a')).toBe('mcp_requests_too_many');
    expect(refused(load, 'b')).toBe('');
    end();
    expect(refused(load, 'a', 10 * limits.mcpRequestCharsPerCallerMax)).toBe('');
  });

  it('is nothing once all of it is answered', () => {
    const load = new CallerLoad();
    for (let round = 0; round < 3; round += 1) {
      const ends = [load.begin('a', 5), load.begin('a', 7)];
      for (const end of ends) end();
    }
    load.begin('a', limits.mcpRequestCharsPerCallerMax);
    expect(refused(load, 'a')).toBe('');
  });
});
