/** ATTACKS 13 and 14: paths and wildcards that reach further than a rule. */
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { parseManifest } from '../../src/manifest/index.ts';
import {
  API,
  apiRule,
  bearer,
  errorOf,
  httpsUpstream,
  inWorld,
  PLACEHOLDER,
  type RequestOptions,
  TOKEN,
  type World,
} from '../egress/world.ts';
import { VERSION_2 } from '../manifest/documents.ts';
import { PATH_TRICKS, PLAIN_PATHS } from './path-tricks.ts';

async function withPaths(body: (world: World, seen: string[]) => Promise<void>): Promise<void> {
  const seen: string[] = [];
  const upstream = await httpsUpstream((request, response) => {
    seen.push(request.url ?? '');
    response.end('ok');
  });
  await inWorld(
    {
      upstreams: { 'api.test:443': upstream },
      rules: [apiRule({ paths: ['/v1/public'], methods: ['GET'] })],
      credentials: [bearer()],
    },
    (world) => body(world, seen),
  );
}

describe('ATTACKS 13: path tricks', () => {
  it.each(PLAIN_PATHS)('control: %s passes as it is', async (path) => {
    await withPaths(async (world, seen) => {
      const text = await world.exchange(
        `GET ${path} HTTP/1.1\r\nHost: ${API}\r\nAuthorization: Bearer ${PLACEHOLDER}\r\nConnection: close\r\n\r\n`,
      );
      expect(text).toContain('200 OK');
      expect(seen).toEqual([path]);
    });
  });

  it.each(PATH_TRICKS)('%s', async (path) => {
    await withPaths(async (world, seen) => {
      const text = await world.exchange(
        `GET ${path} HTTP/1.1\r\nHost: ${API}\r\nAuthorization: Bearer ${PLACEHOLDER}\r\nConnection: close\r\n\r\n`,
      );
      expect(['egress_path_denied', 'egress_request_malformed']).toContain(errorOf(text).code);
      expect(seen).toEqual([]);
      expect(world.uses).toEqual([]);
      expect((await world.eventsOf('egress.refused'))[0]?.data['code']).toBe(errorOf(text).code);
    });
  });

  it('a method that is not on the list, in any spelling', async () => {
    await withPaths(async (world, seen) => {
      for (const method of ['POST', 'get', 'PROPFIND']) {
        const text = await world.exchange(
          `${method} /v1/public HTTP/1.1\r\nHost: ${API}\r\nConnection: close\r\n\r\n`,
        );
        expect(['egress_method_denied', 'egress_request_malformed']).toContain(errorOf(text).code);
      }
      expect(seen).toEqual([]);
      const refused = await world.eventsOf('egress.refused', 2);
      expect(new Set(refused.map(({ data }) => data['code']))).toEqual(
        new Set(['egress_method_denied', 'egress_request_malformed']),
      );
    });
  });
});

describe('ATTACKS 13: another method or target than the first line says', () => {
  const send = (world: World, path: string, field = ''): Promise<string> =>
    world.exchange(`GET ${path} HTTP/1.1\r\nHost: ${API}\r\n${field}Connection: close\r\n\r\n`);

  it.each([
    ['/v1/public', 'X-HTTP-Method-Override: GET\r\n'],
    ['/v1/public?_method=get', ''],
    ['/v1/public?_method=', ''],
    ['/v1/public?method=DELETE&x=_method', ''],
  ])('control: %s with %j passes', async (path, field) => {
    await withPaths(async (world, seen) => {
      expect(await send(world, path, field)).toContain('200 OK');
      expect(seen).toEqual([path]);
    });
  });

  it.each([
    ['/v1/public', 'X-HTTP-Method-Override: DELETE\r\n', 'egress_method_denied'],
    ['/v1/public', 'X_HTTP_Method_Override: DELETE\r\n', 'egress_method_denied'],
    ['/v1/public', 'x-http_method: patch\r\n', 'egress_method_denied'],
    ['/v1/public?_method=DELETE', '', 'egress_method_denied'],
    ['/v1/public?a=1&%5Fmethod=%44elete', '', 'egress_method_denied'],
    ['/v1/public?a=1;_HttpMethod=PATCH', '', 'egress_method_denied'],
    ['/v1/public?+.method=DELETE', '', 'egress_method_denied'],
    ['/v1/public?%20[method%00=DELETE', '', 'egress_method_denied'],
    ['/v1/public', 'X-Original-URL: /admin\r\n', 'egress_request_malformed'],
    ['/v1/public', 'X_Rewrite_URL: /admin\r\n', 'egress_request_malformed'],
  ])('%s with %j', async (path, field, code) => {
    await withPaths(async (world, seen) => {
      expect(errorOf(await send(world, path, field)).code).toBe(code);
      expect(seen).toEqual([]);
      expect((await world.eventsOf('egress.refused'))[0]?.data).toMatchObject({ code });
    });
  });
});

describe('ATTACKS 13: another method in the body than the first line says', () => {
  /** Where a POST is allowed and nothing else, by the rule or by the credential. */
  async function posting(
    limited: 'rule' | 'credential',
    body: (world: World, seen: string[]) => Promise<void>,
  ): Promise<void> {
    const seen: string[] = [];
    const upstream = await httpsUpstream(async (request, response) => {
      let text = `${request.headers.authorization ?? ''} `;
      try {
        for await (const piece of request) text += String(piece);
        response.end('ok');
      } catch {
        text += '[cut]';
      }
      seen.push(text);
    });
    const methods = { methods: ['POST'] };
    await inWorld(
      {
        upstreams: { 'api.test:443': upstream },
        rules: [apiRule(limited === 'rule' ? methods : {})],
        credentials: [bearer(limited === 'credential' ? methods : {})],
      },
      (world) => body(world, seen),
    );
  }
  const FORM = 'application/x-www-form-urlencoded';
  const MULTIPART = 'multipart/form-data; boundary=XX';
  const field = (value: string): string =>
    `--XX\r\nContent-Disposition: form-data; name="_method"\r\n\r\n${value}\r\n--XX--\r\n`;
  const LONG = `a=${'x'.repeat(100_000)}&`;

  const bodies: readonly [
    name: string,
    type: string,
    (method: string) => string | Buffer,
    coding?: string,
  ][] = [
    ['a form', FORM, (method) => `a=1&_method=${method}`],
    ['a long form', FORM, (method) => `${LONG}_method=${method}`],
    ['a long form, escaped', FORM, (method) => `${LONG}%5Fmethod=${method}&b`],
    ['a multipart form', MULTIPART, field],
    ['JSON', 'application/json', (method) => JSON.stringify({ a: 1, _method: method })],
    ['a form under a coding', FORM, (method) => gzipSync(`_method=${method}`), 'gzip'],
  ];

  const options = (type: string, body: string | Buffer, coding: string): RequestOptions => ({
    method: 'POST',
    path: '/v1',
    headers: {
      Authorization: `Bearer ${PLACEHOLDER}`,
      'Content-Type': type,
      ...(coding === '' ? {} : { 'Content-Encoding': coding }),
    },
    body,
  });

  it.each(bodies)('control: %s that names the same passes', async (_name, type, body, coding = '') => {
    await posting('rule', async (world, seen) => {
      expect((await world.request(options(type, body('post'), coding))).status).toBe(200);
      expect(seen[0]).toContain(TOKEN);
    });
  });

  it.each(bodies)('%s', async (_name, type, body, coding = '') => {
    await posting('rule', async (world, seen) => {
      const reply = await world.request(options(type, body('DELETE'), coding));
      expect([reply.status, errorOf(reply).code]).toEqual([403, 'egress_method_denied']);
      for (const text of seen) expect(text.endsWith('[cut]')).toBe(true);
      expect((await world.eventsOf('egress.refused'))[0]?.data).toMatchObject({
        code: 'egress_method_denied',
      });
    });
    await posting('credential', async (world, seen) => {
      const reply = await world.request(options(type, body('DELETE'), coding));
      expect([reply.status, errorOf(reply).code]).toEqual([403, 'egress_placeholder_misplaced']);
      for (const text of seen) expect(text.endsWith('[cut]')).toBe(true);
    });
  });
});

describe('ATTACKS 14: wildcards that reach too far', () => {
  const rules = [apiRule({ host: '*.tenant.example.test' })];

  it('control: a name below the suffix resolves', async () => {
    await inWorld({ rules }, async (world) => {
      expect(await world.resolver.resolve4('a.tenant.example.test')).toHaveLength(1);
      expect(await world.resolver.resolve4('a.b.tenant.example.test')).toHaveLength(1);
    });
  });

  it.each([
    'tenant.example.test',
    'eviltenant.example.test',
    'a.example.test',
    'tenant.example.test.evil.test',
    'example.test',
    'test',
  ])('%s does not exist', async (name) => {
    await inWorld({ rules }, async (world) => {
      await expect(world.resolver.resolve4(name)).rejects.toMatchObject({ code: 'ENOTFOUND' });
      expect((await world.eventsOf('dns.refused'))[0]?.data).toMatchObject({ name, reason: 'not_listed' });
    });
  });
});

describe('ATTACKS 14: a wildcard over what anybody can register below', () => {
  const withHost = (host: string): string => VERSION_2.replaceAll('api.github.com', JSON.stringify(host));

  it.each(['*.owner.github.io', '*.example.co.uk', '*.owner.s3.amazonaws.com'])(
    'control: %s may stand in a manifest',
    (host) => {
      expect(parseManifest(withHost(host), { file: 'x' }).errors).toEqual([]);
    },
  );

  it.each(['*.co.uk', '*.github.io', '*.s3.amazonaws.com', '*.vercel.app', '*.com'])('%s may not', (host) => {
    const { manifest, errors } = parseManifest(withHost(host), { file: 'x' });
    expect(manifest).toBeUndefined();
    expect(new Set(errors.map(({ code }) => code))).toEqual(
      new Set([host === '*.com' ? 'manifest_host_wildcard' : 'manifest_host_public_suffix']),
    );
  });

  it('a name below an allowed suffix gets no key that is for another one below it', async () => {
    const [own, other] = ['a.tenant.example.test', 'b.tenant.example.test'];
    const seen: string[] = [];
    const upstreamOf = (name: string): ReturnType<typeof httpsUpstream> =>
      httpsUpstream((request, response) => {
        seen.push(`${name} ${request.headers.authorization}`);
        response.end('ok');
      }, name);
    const options = {
      rules: [apiRule({ host: '*.tenant.example.test' })],
      credentials: [bearer({ hosts: [own] })],
      upstreams: { [`${own}:443`]: await upstreamOf(own), [`${other}:443`]: await upstreamOf(other) },
    };
    await inWorld(options, async (world) => {
      const headers = { Authorization: `Bearer ${PLACEHOLDER}` };
      expect((await world.request({ host: own, headers })).status).toBe(200); // control
      const refused = await world.request({ host: other, headers });
      expect([refused.status, errorOf(refused).code]).toEqual([403, 'egress_placeholder_misplaced']);
      expect((await world.request({ host: other })).status).toBe(200); // control: it may be reached
      expect(seen).toEqual([`${own} Bearer ${TOKEN}`, `${other} undefined`]);
      expect((await world.eventsOf('credential.refused'))[0]?.data).toMatchObject({ host: other });
    });
  });
});
