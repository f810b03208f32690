/** The manifest that is made for an address: where it may be reached, what it is called, where its credential goes. */
import { describe, expect, it } from 'vitest';
import { fromAddress } from '../../src/api/remote-source.ts';
import { isAppError } from '../../src/kernel/index.ts';

const codeOf = (make: () => unknown): unknown => {
  try {
    make();
    return 'made';
  } catch (error) {
    return isAppError(error) ? error.code : error;
  }
};

describe('a server by its address', () => {
  it.each([
    ['https://mcp.linear.app/mcp', 'linear'],
    ['https://api.example.com', 'example'],
    ['https://example.com/mcp', 'example'],
    ['https://docs.mcp.example.com/', 'docs-mcp-example'],
    ['https://mcp.example.co.uk/sse', 'example-co'],
    ['https://mcp.dev/', 'mcp'],
    ['https://localhost:8443/mcp', 'localhost'],
  ])('%s is called %s', (source, name) => {
    expect(fromAddress({ source })).toMatchObject({ name, server: { kind: 'remote' }, credentials: [] });
  });

  it('may be reached there, and nowhere else', () => {
    const { egress, server } = fromAddress({ source: 'https://mcp.example.com:8443/mcp?a=1' });
    expect(server).toEqual({ kind: 'remote', url: 'https://mcp.example.com:8443/mcp?a=1' });
    expect(egress).toEqual([
      { host: 'mcp.example.com', port: 8443, protocol: 'https', methods: ['GET', 'POST', 'DELETE'] },
    ]);
  });

  it.each([
    [
      { credential: 'GITHUB_TOKEN' },
      'GITHUB_TOKEN',
      { header: 'X-Mcp-Secret-GITHUB-TOKEN', format: '{token}' },
    ],
    [{ place: { query: 'key' } }, 'EXAMPLE_TOKEN', { query: 'key' }],
    [
      { credential: 'K', place: { header: 'Authorization', format: 'Bearer {token}' } },
      'K',
      { header: 'Authorization', format: 'Bearer {token}' },
    ],
  ])('has its credential where %j says, for its own host', (input, name, inject) => {
    const { credentials } = fromAddress({ source: 'https://mcp.example.com/mcp', ...input });
    expect(credentials).toMatchObject([
      { name, tier: 'sealed', required: true, hosts: ['mcp.example.com'], inject: [inject] },
    ]);
  });

  it('has a credential whose name a manifest takes, whatever the server is called', () => {
    const input = { source: 'https://mcp.example.com/', name: '4-you', place: { query: 'key' } };
    expect(fromAddress(input).credentials[0]?.name).toBe('SERVER_4_YOU_TOKEN');
  });

  it.each([
    ['http://mcp.example.com/mcp', 'server_source_unsupported'],
    ['https://me@mcp.example.com/', 'server_source_unsupported'],
    ['https://mcp.example.com/#a', 'server_source_unsupported'],
    ['https://', 'server_source_unsupported'],
    ['https://127.0.0.1/mcp', 'manifest_invalid'],
    ['https://[::1]/mcp', 'server_name_needed'],
  ])('is none: %s', (source, code) => {
    expect(codeOf(() => fromAddress({ source }))).toBe(code);
  });
});
