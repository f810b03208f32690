/**
 * HTTP APIs as tools under attack, with everything real: an agent that would leave the rules (ATTACKS 9, 13), an API that sends
 * the key back or the caller elsewhere (15, 17), a document that lies. What may be sent arrives at the stand-in: that is the
 * control of each.
 */
import type { Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { API, HOSTILE, KEY, openWorld, type World } from './whole-world.ts';

const CREDENTIAL = {
  name: 'API_KEY',
  tier: 'sealed',
  hosts: [API],
  inject: [{ header: 'Authorization', format: 'Bearer {token}' }],
};

const api = (name: string, egress: readonly object[], server: object = {}) => ({
  schemaVersion: 2,
  name,
  version: '1.0.0',
  server: { kind: 'api', baseUrl: `https://${API}`, ...server },
  egress,
  credentials: [CREDENTIAL],
});

const DOCUMENT = JSON.stringify({
  openapi: '3.1.0',
  info: { title: 'Users' },
  servers: [{ url: `https://${API}/v1` }],
  paths: {
    '/users/{id}/notes': {
      get: {
        operationId: 'notes',
        parameters: [
          { name: 'id', in: 'path', required: true },
          { name: 'q', in: 'query' },
          { name: 'X-Trace', in: 'header' },
        ],
      },
    },
  },
});

let world: World;
let status = '200 OK';
let body: Buffer = Buffer.from('{}');
let fields = '';
let type = 'application/json';

beforeAll(async () => {
  world = await openWorld();
  world.answer = (_seen, socket: Socket) => {
    socket.write(
      `HTTP/1.1 ${status}\r\nContent-Type: ${type}\r\n${fields}Content-Length: ${body.length}\r\n\r\n`,
    );
    socket.write(body);
  };
  await world.addServer(api('narrow', [{ host: API, methods: ['GET'], paths: ['/v1/users'] }]));
  await world.addServer(api('wide', [{ host: API }, { host: HOSTILE }]));
  await world.client.addServer({ source: 'users.json', name: 'users', manifest: DOCUMENT }, () => undefined);
});
afterAll(() => world.close());

interface Result {
  readonly isError?: boolean;
  readonly structuredContent: {
    readonly status?: number;
    readonly headers?: Record<string, string>;
    readonly error?: { readonly code: string };
  };
}

async function call(server: string, tool: string, args: object): Promise<Result & { readonly text: string }> {
  const text = await world.client.call(server, tool, JSON.stringify(args), undefined);
  return { ...(JSON.parse(text) as Result), text };
}

/** The code that a call is refused with; what arrived where it was not. */
async function refusedWith(server: string, args: object): Promise<string> {
  const before = world.arrived.length;
  const { structuredContent } = await call(server, 'request', args);
  const lines = world.arrived.slice(before).map(({ head }) => head.split('\r\n', 1)[0]);
  return structuredContent.error?.code ?? `arrived: ${lines.join()}`;
}

describe('a path that would leave its rule', () => {
  it.each([
    ['/v1/users/../admin', 'api_argument_path'],
    ['/v1/users/%2e%2e/admin', 'api_argument_path'],
    ['/v1/users%2f..%2fadmin', 'api_argument_path'],
    ['/v1/users/..%2fadmin', 'api_argument_path'],
    ['/v1/users/..;/admin', 'api_argument_path'],
    ['/v1/users//../admin', 'api_argument_path'],
    ['/v1/users\\..\\admin', 'api_argument_path'],
    ['/v1/users/%5c../admin', 'api_argument_path'],
    ['/v1/users/%252e%252e/admin', 'api_argument_path'],
    ['/v1/users/%c0%ae%c0%ae/admin', 'api_argument_path'],
    ['/v1/users2', 'egress_path_denied'],
    ['/v1/admin', 'egress_path_denied'],
    ['/V1/users', 'egress_path_denied'],
    ['/', 'egress_path_denied'],
  ])('is not sent: %s', async (path, code) => {
    expect(await refusedWith('narrow', { method: 'GET', path })).toBe(code);
  });

  it('is refused on record, and the like of it arrives where it is allowed', async () => {
    await world.event(
      ({ type, data }) => type === 'upstream.refused' && data['code'] === 'api_argument_path',
    );
    await world.event(({ type }) => type === 'egress.refused');
    expect(await refusedWith('narrow', { method: 'GET', path: '/v1/users/7%2F8' })).toBe(
      'arrived: GET /v1/users/7%2F8 HTTP/1.1',
    );
    expect(await refusedWith('wide', { method: 'GET', path: '/v1/admin' })).toBe(
      'arrived: GET /v1/admin HTTP/1.1',
    );
    expect(world.arrived.at(-1)?.head).toContain(`Bearer ${KEY}`);
  });

  it.each([
    [{ method: 'DELETE', path: '/v1/users/7' }, 'egress_method_denied'],
    [{ method: 'GET', path: '/v1/users', query: { _method: 'DELETE' } }, 'egress_method_denied'],
    [
      { method: 'GET', path: '/v1/users', headers: { 'X-HTTP-Method-Override': 'DELETE' } },
      'api_request_header',
    ],
    [{ method: 'GET', path: '/v1/users', headers: { 'X-Original-URL': '/v1/admin' } }, 'api_request_header'],
    [{ method: 'GET', path: '/v1/users', headers: { Host: HOSTILE } }, 'api_request_header'],
    [{ method: 'GET', path: '/v1/users', headers: { 'X-A': 'a\r\nHost: b' } }, 'api_argument_header'],
    [
      { method: 'GET', path: '/v1/users', headers: { authorization: 'Bearer mine' } },
      'api_request_credential',
    ],
    [{ method: 'GET', path: `https://${HOSTILE}/v1/users` }, 'api_request_path'],
    [{ method: 'GET', path: `//${HOSTILE}/v1/users` }, 'api_argument_path'],
  ])('is not made by another part of the request: %j', async (args, code) => {
    expect(await refusedWith('narrow', args)).toBe(code);
  });
});

describe('an argument of an operation', () => {
  it('stays in its place, whatever it holds', async () => {
    for (const id of ['../admin', 'a/../../admin', '7?x=1', '7#', '%2e%2e', '..', '.', '', '7\\..']) {
      const before = world.arrived.length;
      await call('users', 'notes', { id, q: '&admin=1#', 'X-Trace': 't' });
      for (const { head } of world.arrived.slice(before))
        expect(head.split('\r\n', 1)[0], id).toMatch(
          /^GET \/v1\/users\/[^/?#]+\/notes\?q=%26admin%3D1%23 HTTP\/1\.1$/,
        );
    }
    const before = world.arrived.length;
    expect(
      (await call('users', 'notes', { id: 'x', 'X-Trace': 'a\r\nX-Admin: 1' })).structuredContent.error?.code,
    ).toBe('api_argument_header');
    expect(world.arrived).toHaveLength(before);
    await call('users', 'notes', { id: 'group/project' });
    expect(world.arrived.at(-1)?.head).toContain('GET /v1/users/group%2Fproject/notes HTTP/1.1');
  });
});

describe('a key in a multipart form', () => {
  const upload = {
    ...api('upload', [{ host: API }]),
    credentials: [{ ...CREDENTIAL, inject: [{ multipart: 'api_key' }] }],
  };
  const form = (...parts: string[]): object => ({
    method: 'POST',
    path: '/upload',
    headers: { 'Content-Type': 'multipart/form-data; boundary=b' },
    body: [
      ...parts.map((name) => `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\nmine\r\n`),
      '--b--\r\n',
    ].join(''),
  });

  it('is put in on the way, and not where a caller has a part of its name', async () => {
    await world.addServer(upload);
    expect(await refusedWith('upload', form('file'))).toBe('arrived: POST /upload HTTP/1.1');
    expect(world.arrived.at(-1)?.body).toContain(`name="file"\r\n\r\nmine\r\n`);
    expect(world.arrived.at(-1)?.body).toContain(`name="api_key"\r\n\r\n${KEY}\r\n--b--`);
    expect(await refusedWith('upload', form('api_key'))).toMatch(/^(?:egress|credential|placeholder)_/);
    expect(await refusedWith('upload', form('api_key', 'file'))).toMatch(
      /^(?:egress|credential|placeholder)_/,
    );
  });
});

describe('an API that sends the key back', () => {
  const page = `{"you":"sent ${KEY}"}`;
  it.each([
    ['in its body', () => [Buffer.from(page), '']],
    ['in gzip', () => [gzipSync(page), 'Content-Encoding: gzip\r\n']],
    ['in base64', () => [Buffer.from(`{"b":"${Buffer.from(`ab${KEY}`).toString('base64')}"}`), '']],
    ['in a header that is shown', () => [Buffer.from('{}'), `Link: <https://${HOSTILE}/?k=${KEY}>\r\n`]],
    [
      'in a long answer, between two pages',
      () => [Buffer.from(`"${'x'.repeat(131_072 - 10)}${KEY}${'y'.repeat(2_000)}"`), ''],
    ],
  ] satisfies [string, () => [Buffer, string]][])('%s shows its placeholder', async (_name, answer) => {
    [body, fields] = answer();
    const { text, structuredContent } = await call('wide', 'request', { method: 'GET', path: '/me' });
    [body, fields] = [Buffer.from('{}'), ''];
    expect(world.arrived.at(-1)?.head).toContain(KEY);
    const id = /"answer":"(ans_\w+)"/.exec(text)?.[1];
    const rest =
      id === undefined
        ? ''
        : await world.client.call('wide', 'read_answer', JSON.stringify({ answer: id, page: 2 }), undefined);
    const shown = text + rest;
    for (const form of [KEY, KEY.slice(4, 20), Buffer.from(`ab${KEY}`).toString('base64').slice(4, 40)])
      expect(shown).not.toContain(form);
    expect(structuredContent.status).toBe(200);
    await world.event(({ type }) => type === 'egress.masked');
  });

  it('in a character set whose escape sequences stand for nothing is not shown at all', async () => {
    const between = (escape: string): Buffer => Buffer.from(KEY.split('').join(escape), 'latin1');
    type = 'text/plain; charset=iso-2022-jp';
    body = between('\u001b(B');
    const read = new TextDecoder('iso-2022-jp').decode(body);
    const { structuredContent } = await call('wide', 'request', { method: 'GET', path: '/me' });
    type = 'application/json';
    body = Buffer.from('{}');
    expect(read, 'control: whoever reads it as it says has the key').toBe(KEY);
    expect(structuredContent.error?.code).toBe('egress_content_charset');
  });

  it('gives a placeholder away that is of no use elsewhere', async () => {
    body = Buffer.from(`{"you":"${KEY}"}`);
    const { text } = await call('wide', 'request', { method: 'GET', path: '/me' });
    body = Buffer.from('{}');
    const placeholder = /"you\\?":\\?"([^"\\]+)/.exec(text)?.[1] ?? '';
    expect(placeholder.length).toBeGreaterThan(15);
    const before = world.arrived.length;
    for (const args of [
      { query: { q: placeholder } },
      { headers: { 'X-Other': placeholder } },
      { body: { text: `my key is ${placeholder}` } },
    ]) {
      const { structuredContent } = await call('wide', 'request', { method: 'POST', path: '/send', ...args });
      expect(structuredContent.error?.code).toMatch(/^(?:credential|placeholder|egress)_/);
    }
    expect(
      world.arrived
        .slice(before)
        .map(({ head, body: sent }) => head + sent)
        .filter((sent) => sent.split(KEY).length > 2),
    ).toEqual([]);
  });
});

describe('an API that sends the caller elsewhere', () => {
  it('is not followed', async () => {
    [status, fields] = ['307 Temporary Redirect', `Location: https://${HOSTILE}/steal\r\n`];
    const before = world.arrived.length;
    const { structuredContent } = await call('wide', 'request', { method: 'GET', path: '/me' });
    [status, fields] = ['200 OK', ''];
    expect(structuredContent).toMatchObject({
      status: 307,
      headers: { location: `https://${HOSTILE}/steal` },
    });
    expect(world.arrived.slice(before).map(({ host }) => host)).toEqual([API]);
  });
});

describe('a document that lies', () => {
  const added = (url: string) =>
    world.client
      .addServer(
        { source: 'x.json', name: 'liar', manifest: DOCUMENT.replace(`https://${API}/v1`, url) },
        () => undefined,
      )
      .then(
        () => 'added',
        (error: { code?: string }) => error.code,
      );

  it('about where it is reaches no address that is not public', async () => {
    expect(await added('http://169.254.169.254/latest')).toBe('manifest_invalid');
    expect(await added('https://user:pass@api.example')).toBe('api_base_invalid');
    expect(await added('file:///etc/passwd')).toBe('api_base_needed');
    expect(await added('https://127.0.0.1/v1')).toBe('manifest_invalid');
    expect(await added('https://[::1]/v1')).toBe('manifest_invalid');
    expect(await added('https://*.co.uk/v1')).toBe('api_base_invalid');
  });
});
