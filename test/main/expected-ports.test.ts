import { describe, expect, it } from 'vitest';
import type { ServerRow } from '../../src/api/index.ts';
import type { JsonObject, ServerId } from '../../src/kernel/index.ts';
import { expectedPorts } from '../../src/main/cells/expected-ports.ts';

const row = (ports: readonly number[], over: Partial<ServerRow> = {}): ServerRow => {
  const manifest: JsonObject = {
    schemaVersion: 2,
    name: 'one',
    version: '1.0.0',
    server: { kind: 'sandboxed', command: ['server'] },
    egress: ports.map((port) => ({ host: `host${port}.example.com`, port, protocol: 'tcp' })),
    credentials: [],
  };
  return {
    id: 'srv_one' as ServerId, // an id of the right shape
    slug: 'one',
    manifest,
    manifestHash: '',
    source: 'one',
    package: null,
    enabled: true,
    createdAt: 1,
    updatedAt: 1,
    ...over,
  };
};

describe('expectedPorts', () => {
  it('names each list once, in whatever order its ports stand', () => {
    expect(expectedPorts([row([]), row([5432, 8443]), row([8443, 5432]), row([])])).toEqual([
      [80, 443],
      [80, 443, 5432, 8443],
    ]);
  });

  it('leaves out what is disabled, and what could not be started', () => {
    expect(expectedPorts([row([5432], { enabled: false }), row([], { manifest: {} })])).toEqual([]);
  });
});
