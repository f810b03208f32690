/** What the gateway says of itself as a protected resource, and what it tells those whom it turns away. */
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixture, type Harness, startHarness } from './harness.ts';

const servers = { default: { echo: { command: fixture('echo') } } };
let plain: Harness;
let published: Harness;
beforeAll(async () => {
  plain = await startHarness(servers);
  published = await startHarness(servers, {
    publicUrl: 'https://gateway.example',
    authorizationServers: ['https://login.example/realms/a'],
  });
});
afterAll(() => Promise.all([plain.close(), published.close()]));

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: unknown;
}

function ask(
  harness: Harness,
  path: string,
  headers: Record<string, string> = {},
  method = 'GET',
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  httpRequest(harness.url, { path, method, headers }, (res) => {
    let text = '';
    res.on('data', (chunk: Buffer) => (text += chunk.toString()));
    res.on('end', () =>
      resolve({
        status: res.statusCode ?? 0,
        headers: res.headers,
        body: text === '' ? null : (JSON.parse(text) as unknown),
      }),
    );
  })
    .on('error', reject)
    .end();
  return promise;
}

const WELL_KNOWN = '/.well-known/oauth-protected-resource';

describe('the document', () => {
  it.each([
    ['', ''],
    ['/', ''],
    ['?x=1', ''],
    ['/mcp/default', '/mcp/default'],
    ['/mcp/default/', '/mcp/default'],
    ['/mcp/default/echo', '/mcp/default/echo'],
    ['/mcp/nobody-made-this', '/mcp/nobody-made-this'],
  ])('at %j is about %j, for everybody', async (path, resource) => {
    expect(await ask(published, WELL_KNOWN + path)).toMatchObject({
      status: 200,
      headers: { 'content-type': 'application/json', 'x-content-type-options': 'nosniff' },
      body: {
        resource: `https://gateway.example${resource}`,
        authorization_servers: ['https://login.example/realms/a'],
        bearer_methods_supported: ['header'],
      },
    });
  });

  it('goes by the Host of the request where no public address is set, and names nobody who gives out no tokens', async () => {
    const { port } = new URL(plain.url);
    for (const [host, resource] of [
      [`localhost:${port}`, `http://localhost:${port}`],
      ['127.0.0.1', 'http://127.0.0.1'],
      ['[::1]:8080', 'http://[::1]:8080'],
      ['GATEWAY.example:80', 'http://gateway.example'],
    ] as const) {
      const { body } = await ask(plain, WELL_KNOWN, { host });
      expect(body).toEqual({ resource, bearer_methods_supported: ['header'], resource_name: 'Sallyport' });
    }
  });

  it('is refused to a page of another site, and to who asks in another way', async () => {
    expect((await ask(plain, WELL_KNOWN, { host: 'evil.example' })).status).toBe(403);
    expect((await ask(plain, WELL_KNOWN, { origin: 'https://evil.example' })).status).toBe(403);
    expect((await ask(plain, WELL_KNOWN, {}, 'POST')).status).toBe(405);
  });

  it.each(['x', '/mcp', '/mcp/', '/mcp/a/b/c', '/api/v1', '/mcp/../x', '/mcp/"x"'])(
    'is not at %s',
    async (path) => {
      expect((await ask(plain, WELL_KNOWN + path)).status).toBe(404);
    },
  );
});

describe('a client without a token', () => {
  it.each(['/mcp/default', '/mcp/default/echo', '/mcp/default/echo/', '/mcp/default/echo?a="'])(
    'is told where to look, at %s',
    async (path) => {
      const { status, headers } = await ask(published, path, { accept: 'text/event-stream' });
      expect(status).toBe(401);
      const place = path.replace(/\?.*$/, '').replace(/\/$/, '');
      expect(headers['www-authenticate']).toBe(
        `Bearer realm="sallyport", error="invalid_token", resource_metadata="https://gateway.example${WELL_KNOWN}${place}"`,
      );
    },
  );

  it('is sent nowhere where nobody gives out tokens', async () => {
    const { headers } = await ask(plain, '/mcp/default', { accept: 'text/event-stream' });
    expect(headers['www-authenticate']).toBe('Bearer realm="sallyport", error="invalid_token"');
  });
});
