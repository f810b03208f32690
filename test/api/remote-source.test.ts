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
    ['https://mcp.example.com/mcp?exaApiKey=x', 'server_address_secret'],
    ['https://mcp.example.com/mcp?team=1&access_token=a.b', 'server_address_secret'],
    ['https://mcp.example.com/mcp?k=sk-live-4eC39HqLyjWDarjtT1zdp7dc', 'server_address_secret'],
    ['https://mcp.example.com/s/4eC39HqLyjWDarjtT1zdp7dc/mcp', 'server_address_secret'],
    ['https://mcp.example.com/mcp?team=1&key=', 'made'],
    [
      'https://mcp.example.com/3f2504e0-4f89-41d3-9a0c-0305e82c3301/mcp?project=a-long-name-of-a-project',
      'made',
    ],
    ['https://127.0.0.1/mcp', 'manifest_invalid'],
    ['https://[::1]/mcp', 'server_name_needed'],
  ])('is none: %s', (source, code) => {
    expect(codeOf(() => fromAddress({ source }))).toBe(code);
  });

  it('does not repeat a key that stands in it, and says where else it goes', () => {
    const said = (source: string): string => {
      try {
        return JSON.stringify(fromAddress({ source }));
      } catch (error) {
        return isAppError(error) ? `${error.message} ${error.hint ?? ''}` : String(error);
      }
    };
    expect(said('https://mcp.example.com/mcp?api_key=hunter2')).toBe(
      'There seems to be a key in the parameter `api_key` of the address, which is kept and shown as it is. Leave it out: sallyport server add https://mcp.example.com/mcp --query api_key. Then: sallyport secret set SERVER NAME',
    );
    expect(said('https://mcp.example.com/s/4eC39HqLyjWDarjtT1zdp7dc/mcp')).toContain(
      "There seems to be a key in the path of the address, which is kept and shown as it is. Put another word in its place, and say where the key goes: sallyport server add https://mcp.example.com/s/key/mcp, then sallyport secret inject SERVER NAME --path '/s/{token}/mcp'.",
    );
    for (const source of [
      'https://me:hunter2@mcp.example.com/',
      'https://mcp.example.com/mcp?api_key=hunter2',
      'https://mcp.example.com/mcp?k=hunter2hunter2hunter2hunter2',
    ])
      expect(said(source)).not.toContain('hunter2');
  });
});
