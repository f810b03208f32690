import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import { AppError } from '../../../src/kernel/index.ts';
import {
  API,
  call,
  apiRule,
  bearer,
  errorOf,
  httpsUpstream,
  httpUpstream,
  inWorld,
  PLACEHOLDER,
  readAll,
  TOKEN,
  type Upstream,
} from '../world.ts';

interface Seen {
  method: string;
  url: string;
  headers: IncomingMessage['headers'];
  body: string;
}

/** An upstream that keeps what it got, and says `ok`. */
async function recorder(name = API): Promise<{ upstream: Upstream; seen: Seen[] }> {
  const seen: Seen[] = [];
  const upstream = await httpsUpstream(async (request, response) => {
    let body = '';
    for await (const piece of request) body += String(piece);
    seen.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body });
    response.end('ok');
  }, name);
  return { upstream, seen };
}

const JSON_HEADERS = { 'Content-Type': 'application/json' };

describe('injection', () => {
  it('puts the key into a header, and the placeholder is all that the cell sent', async () => {
    const { upstream, seen } = await recorder();
    await inWorld({ upstreams: { 'api.test:443': upstream } }, async (world) => {
      const reply = await world.request({
        path: '/repos?q=1',
        headers: { Authorization: `Bearer ${PLACEHOLDER}`, 'X-Other': 'kept' },
      });
      expect([reply.status, reply.body.toString()]).toEqual([200, 'ok']);
      expect(seen).toHaveLength(1);
      expect(seen[0]).toMatchObject({
        method: 'GET',
        url: '/repos?q=1',
        headers: { authorization: `Bearer ${TOKEN}`, host: API, 'x-other': 'kept' },
      });
      expect(world.uses).toEqual([{ credential: 'TOKEN', path: '/repos' }]);
      const [finished] = await world.eventsOf('egress.finished');
      expect(world.events.map(({ type }) => type)).toEqual(['credential.used', 'egress.finished']);
      expect(finished?.data).toMatchObject({
        host: API,
        port: 443,
        scheme: 'https',
        method: 'GET',
        path: '/repos',
        status: 200,
        requestBytes: 0,
        responseBytes: 2,
        credentials: ['TOKEN'],
        profile: 'default',
      });
      expect(finished).toMatchObject({
        server: 'github',
        actor: { kind: 'cell', id: world.spec.identity.cell },
      });
    });
  });

  it('puts keys into Basic authentication, either half or both', async () => {
    const { upstream, seen } = await recorder();
    const second = 'PLACEHOLDERb6Kq9XyZ24';
    await inWorld(
      {
        upstreams: { 'api.test:443': upstream },
        credentials: [
          bearer({ inject: [{ basic: 'password' }] }),
          bearer({ name: 'USER', placeholder: second, inject: [{ basic: 'user' }] }),
        ],
        secrets: { TOKEN, USER: 'somebody@example.test' },
      },
      async (world) => {
        const basic = (pair: string): string => `Basic ${Buffer.from(pair).toString('base64')}`;
        await world.request({ headers: { Authorization: basic(`me:${PLACEHOLDER}`) } });
        await world.request({ headers: { Authorization: basic(`${second}:${PLACEHOLDER}`) } });
        await world.request({ headers: { Authorization: basic('nobody:nothing') } });
        expect(seen.map(({ headers }) => headers.authorization)).toEqual([
          basic(`me:${TOKEN}`),
          basic(`somebody@example.test:${TOKEN}`),
          basic('nobody:nothing'),
        ]);
      },
    );
  });

  it('puts the key into a query parameter, percent-encoded', async () => {
    const { upstream, seen } = await recorder();
    await inWorld(
      {
        upstreams: { 'api.test:443': upstream },
        credentials: [bearer({ inject: [{ query: 'api_key' }] })],
        secrets: { TOKEN: 'a&b=c d/é+' },
      },
      async (world) => {
        await world.request({ path: `/search?x=%20y&api_key=${PLACEHOLDER}&z` });
        expect(seen[0]?.url).toBe('/search?x=%20y&api_key=a%26b%3Dc%20d%2F%C3%A9%2B&z');
      },
    );
  });

  it('puts the key into a JSON body and fixes its length, leaving every other byte alone', async () => {
    const { upstream, seen } = await recorder();
    await inWorld(
      {
        upstreams: { 'api.test:443': upstream },
        credentials: [
          bearer({ inject: [{ json: '/auth/0/api_key' }, { header: 'X-Key', format: '{token}' }] }),
        ],
        secrets: { TOKEN: 'quote " and \\ and é' },
      },
      async (world) => {
        const body = `{ "n": 1.10000000000000000001, "auth" : [ {"api_key":"${PLACEHOLDER}"} ],\n "t":"é" }`;
        const reply = await world.request({ method: 'POST', headers: JSON_HEADERS, body });
        expect(reply.status).toBe(200);
        expect(seen[0]?.body).toBe(body.replace(`"${PLACEHOLDER}"`, '"quote \\" and \\\\ and é"'));
        await world.request({
          method: 'POST',
          headers: { ...JSON_HEADERS, 'Transfer-Encoding': 'chunked' },
          body,
        });
        expect(seen[1]?.body).toBe(seen[0]?.body);
        expect(seen[1]?.headers['content-length']).toBe(String(Buffer.byteLength(seen[0]?.body ?? '')));
      },
    );
  });

  it('uses a credential once however many places of a request it goes to', async () => {
    const { upstream, seen } = await recorder();
    const credentials = [
      bearer({ inject: [{ json: '/api_key' }, { header: 'Authorization', format: 'Bearer {token}' }] }),
    ];
    await inWorld({ upstreams: { 'api.test:443': upstream }, credentials }, async (world) => {
      const headers = { ...JSON_HEADERS, Authorization: `Bearer ${PLACEHOLDER}` };
      await world.request({ method: 'POST', headers, body: JSON.stringify({ api_key: PLACEHOLDER }) });
      expect(seen[0]).toMatchObject({
        body: `{"api_key":"${TOKEN}"}`,
        headers: { authorization: `Bearer ${TOKEN}` },
      });
      expect(world.uses).toHaveLength(1);
    });
  });

  it('finds a placeholder that JSON escapes hide, in its place and elsewhere', async () => {
    const { upstream, seen } = await recorder();
    await inWorld(
      { upstreams: { 'api.test:443': upstream }, credentials: [bearer({ inject: [{ json: '/k' }] })] },
      async (world) => {
        const hidden = PLACEHOLDER.replace('g', '\\u0067');
        expect(
          (await world.request({ method: 'POST', headers: JSON_HEADERS, body: `{"k":"${hidden}"}` })).status,
        ).toBe(200);
        expect(seen[0]?.body).toBe(`{"k":"${TOKEN}"}`);
        const elsewhere = await world.request({
          method: 'POST',
          headers: JSON_HEADERS,
          body: `{"other":"${hidden}"}`,
        });
        expect(errorOf(elsewhere).code).toBe('egress_placeholder_misplaced');
        expect(seen).toHaveLength(1);
      },
    );
  });

  it('works over plain HTTP where the manifest says so', async () => {
    let seen = '';
    const upstream = await httpUpstream((request, response) => {
      seen = request.headers.authorization ?? '';
      response.end('ok');
    });
    await inWorld(
      { upstreams: { 'api.test:8080': upstream }, rules: [apiRule({ port: 8080, protocol: 'http' })] },
      async (world) => {
        const socket = await world.connectTcp(API, 8080);
        socket.end(`GET / HTTP/1.1\r\nHost: ${API}:8080\r\nAuthorization: Bearer ${PLACEHOLDER}\r\n\r\n`);
        expect(await readAll(socket)).toContain('200 OK');
        expect(seen).toBe(`Bearer ${TOKEN}`);
      },
    );
  });

  it('does without credentials, and then records the intent itself', async () => {
    const { upstream, seen } = await recorder();
    const calls = [call({ id: 'c1', tool: 'search' })];
    await inWorld({ upstreams: { 'api.test:443': upstream }, calls }, async (world) => {
      await world.request({ path: '/public' });
      await world.eventsOf('egress.finished');
      expect(world.events.map(({ type }) => type)).toEqual(['egress.request', 'egress.finished']);
      expect(world.events[0]?.data).toMatchObject({
        host: API,
        path: '/public',
        attribution: 'only',
        calls: [{ id: 'c1', tool: 'search', actor: 'tok_1', token: 'tok_1', user: null, agent: 'cursor' }],
      });
      expect(seen).toHaveLength(1);
    });
  });

  it('refuses a value that would change the shape of the request', async () => {
    const { upstream, seen } = await recorder();
    await inWorld(
      { upstreams: { 'api.test:443': upstream }, secrets: { TOKEN: 'abcdefgh\r\nX-Injected: 1' } },
      async (world) => {
        const reply = await world.request({ headers: { Authorization: `Bearer ${PLACEHOLDER}` } });
        expect([reply.status, errorOf(reply).code]).toEqual([502, 'egress_credential_unusable']);
        expect(seen).toHaveLength(0);
        expect((await world.eventsOf('egress.refused'))[0]?.data).toMatchObject({
          code: 'egress_credential_unusable',
        });
      },
    );
  });
});

describe('what the vault says', () => {
  it.each([
    ['vault_credential_missing', 'not_found', 403],
    ['kill_active', 'denied', 403],
    ['audit_unavailable', 'failed', 502],
  ] as const)('%s is passed on, and nothing is sent', async (code, kind, status) => {
    const { upstream, seen } = await recorder();
    await inWorld({ upstreams: { 'api.test:443': upstream } }, async (world) => {
      world.useFailure = new AppError(code, 'No.', { kind, hint: 'Do this.' });
      const reply = await world.request({ headers: { Authorization: `Bearer ${PLACEHOLDER}` } });
      expect(reply.status).toBe(status);
      expect(errorOf(reply)).toEqual({ code, message: 'No.', hint: 'Do this.' });
      expect(seen).toHaveLength(0);
      expect((await world.eventsOf('egress.refused'))[0]?.data).toMatchObject({ code, host: API });
    });
  });

  it('holds from the next request on: a rotated key, and one that is gone', async () => {
    const { upstream, seen } = await recorder();
    await inWorld({ upstreams: { 'api.test:443': upstream } }, async (world) => {
      const headers = { Authorization: `Bearer ${PLACEHOLDER}` };
      await world.request({ headers });
      world.secrets.set('TOKEN', 'ghp_new_value_after_rotation_0001');
      await world.request({ headers });
      world.secrets.delete('TOKEN');
      expect(errorOf(await world.request({ headers })).code).toBe('vault_credential_missing');
      expect(seen.map((request) => request.headers.authorization)).toEqual([
        `Bearer ${TOKEN}`,
        'Bearer ghp_new_value_after_rotation_0001',
      ]);
    });
  });

  it('masks a value from the first request that uses it on, without being told that it changed', async () => {
    const fresh = 'ghp_new_value_after_rotation_0002';
    const upstream = await httpsUpstream((request, response) => response.end(request.headers.authorization));
    await inWorld({ upstreams: { 'api.test:443': upstream } }, async (world) => {
      world.secrets.set('TOKEN', fresh);
      const reply = await world.request({ headers: { Authorization: `Bearer ${PLACEHOLDER}` } });
      expect(reply.body.toString()).toBe(`Bearer ${PLACEHOLDER}`);
      expect((await world.eventsOf('egress.masked'))[0]?.data).toMatchObject({ credentials: ['TOKEN'] });
    });
  });

  it('uses nothing that could not be masked', async () => {
    const { upstream, seen } = await recorder();
    await inWorld({ upstreams: { 'api.test:443': upstream }, unknown: ['TOKEN'] }, async (world) => {
      const reply = await world.request({ headers: { Authorization: `Bearer ${PLACEHOLDER}` } });
      expect([reply.status, errorOf(reply).code]).toEqual([502, 'egress_credential_unmasked']);
      expect(seen).toHaveLength(0);
    });
  });

  it('lets nothing out when the intent cannot be recorded', async () => {
    const { upstream, seen } = await recorder();
    await inWorld({ upstreams: { 'api.test:443': upstream } }, async (world) => {
      world.auditFailure = new AppError('audit_unavailable', 'The audit log cannot be written.', {
        kind: 'failed',
      });
      const reply = await world.request();
      expect([reply.status, errorOf(reply).code]).toEqual([502, 'audit_unavailable']);
      expect(seen).toHaveLength(0);
    });
  });
});
