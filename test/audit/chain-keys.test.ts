import { describe, expect, it } from 'vitest';
import { chainKeys } from '../../src/audit/chain-keys.ts';
import { Secret, type WorkspaceId } from '../../src/kernel/index.ts';

const A = 'ws_a' as WorkspaceId;
const hash = 'ab'.repeat(32);

describe('the keys of a chain', () => {
  it('make the same MAC for the same head, and another for any other', () => {
    const keys = chainKeys(Secret.fromBytes(Buffer.alloc(32, 5)));
    const mac = keys.headMac(A, 7, hash);
    expect(mac.toString('hex')).toBe('d301cad24b382bfe320349fb64ea5d7e921dd9f57e4fd95e72d7b5f5b99df95c');
    expect(keys.isHeadGenuine(A, { sequence: 7, hash, mac })).toBe(true);
    expect(keys.isHeadGenuine(A, { sequence: 8, hash, mac })).toBe(false);
    expect(keys.isHeadGenuine('ws_b' as WorkspaceId, { sequence: 7, hash, mac })).toBe(false);
    expect(keys.isHeadGenuine(A, { sequence: 7, hash: 'ac'.repeat(32), mac })).toBe(false);
    expect(keys.isHeadGenuine(A, { sequence: 7, hash, mac: mac.subarray(1) })).toBe(false);
  });

  it('make none once they were destroyed', () => {
    const keys = chainKeys(Secret.fromBytes(Buffer.alloc(32, 5)));
    keys.destroy();
    expect(() => keys.headMac(A, 1, hash)).toThrow('destroyed');
  });
});
