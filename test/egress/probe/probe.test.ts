/**
 * Probing against upstreams that send back what they are given, each in its own way, and against such as do not: what
 * each gets, and what is found.
 */
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { API, apiRule, bearer, httpsUpstream, httpUpstream, inWorld, PLACEHOLDER, TOKEN } from '../world.ts';
import { type Echoing, probeOne, runProbe, text, withUpstream } from './probe-world.ts';

const HEX: (text: string) => string = (value) => Buffer.from(value).toString('hex');
const jsonEscaped = (value: string): string =>
  Array.from(value, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`).join('');
const htmlEscaped = (value: string): string =>
  Array.from(value, (char) => `&#${char.charCodeAt(0)};`).join('');
const percentEscaped = (value: string): string => value.replaceAll(/./g, (char) => `%${HEX(char)}`);

describe('an upstream that sends back what it was given', () => {
  it.each<[string, Echoing, string, string]>([
    ['in a header', (key, to) => to.setHeader('X-Token', key).end(), 'header X-Token', 'raw'],
    [
      'in a cookie',
      (key, to) => to.setHeader('Set-Cookie', `k=${key}; Path=/`).end(),
      'header Set-Cookie',
      'raw',
    ],
    [
      'in a redirection that nobody follows',
      (key, to) => to.writeHead(302, { Location: `/x?k=${percentEscaped(key)}` }).end(),
      'header Location',
      'percent',
    ],
    ['in the name of a header', (key, to) => to.setHeader(key, 'x').end(), 'header (unusual name)', 'raw'],
    ['in the status line', (key, to) => to.writeHead(401, `Bad ${key}`).end(), 'status line', 'raw'],
    ['in an error page', (key, to) => to.writeHead(404).end(`No ${key} here`), 'body', 'raw'],
    ['in base64', (key, to) => to.end(Buffer.from(`a ${key} b`).toString('base64')), 'body', 'base64'],
    [
      'in base64 for URLs',
      (key, to) => to.end(Buffer.from(`~~${key}`).toString('base64url')),
      'body',
      'base64',
    ],
    ['in hex', (key, to) => to.end(HEX(key).toUpperCase()), 'body', 'hex'],
    ['in JSON escapes', (key, to) => to.end(`{"k":"${jsonEscaped(key)}"}`), 'body', 'json'],
    ['in HTML references', (key, to) => to.end(`<p>${htmlEscaped(key)}</p>`), 'body', 'html'],
    ['in UTF-16', (key, to) => to.end(Buffer.from(key, 'utf16le')), 'body', 'utf16le'],
    [
      'in UTF-16 the other way round',
      (key, to) => to.end(Buffer.from(key, 'utf16le').swap16()),
      'body',
      'utf16be',
    ],
    ['in gzip', (key, to) => to.setHeader('Content-Encoding', 'gzip').end(gzipSync(key)), 'body', 'raw'],
    [
      'in deflate',
      (key, to) => to.setHeader('Content-Encoding', 'deflate').end(deflateSync(key)),
      'body',
      'raw',
    ],
    [
      'in br',
      (key, to) => to.setHeader('Content-Encoding', 'br').end(brotliCompressSync(key)),
      'body',
      'raw',
    ],
    [
      'in zstd',
      (key, to) => to.setHeader('Content-Encoding', 'zstd').end(zstdCompressSync(key)),
      'body',
      'raw',
    ],
    [
      'in base64 in gzip',
      (key, to) =>
        to.setHeader('Content-Encoding', 'gzip').end(gzipSync(Buffer.from(`x${key}`).toString('base64'))),
      'body',
      'base64',
    ],
    [
      'in a trailer',
      (key, to) => {
        to.writeHead(200, { Trailer: 'X-Sum' });
        to.write('x');
        to.addTrailers({ 'X-Sum': HEX(key) });
        to.end();
      },
      'trailer X-Sum',
      'hex',
    ],
    [
      'before the answer proper',
      (key, to) => {
        to.writeEarlyHints({ link: `</style.css?${key}>; rel=preload` });
        to.end('ok');
      },
      'interim header Link',
      'raw',
    ],
    [
      'in two pieces',
      (key, to) => {
        to.write(`{"k":"${key.slice(0, 17)}`, () => setImmediate(() => to.end(`${key.slice(17)}"}`)));
      },
      'body',
      'raw',
    ],
  ])('%s is found out', async (_name, echoing, where, encoding) => {
    const result = await probeOne(echoing);
    expect(result).toMatchObject({
      credential: 'TOKEN',
      host: API,
      port: 443,
      place: 'header Authorization',
      outcome: 'answered',
      method: 'GET',
      path: '/',
      truncated: false,
      code: null,
      reason: null,
    });
    expect(result.echoed).toEqual([{ where, encoding }]);
  });

  it('in several places and encodings is told once for each', async () => {
    const result = await probeOne((key, response) => {
      response.setHeader('X-Key', [key, key]);
      response.end(`${key} ${HEX(key)} ${key}`);
    });
    expect(result.echoed).toEqual([
      { where: 'header X-Key', encoding: 'raw' },
      { where: 'body', encoding: 'raw' },
      { where: 'body', encoding: 'hex' },
    ]);
  });

  it('shows no names that could be keys', async () => {
    const names = ['sk-live-abcdefgh', 'Aabbccddeeffgghhi', 'x-amz-Id-2', 'WWW-Authenticate', 'key_1'];
    const result = await probeOne((key, response) => {
      for (const name of names) response.setHeader(name, key);
      response.end();
    });
    expect(result.echoed.map(({ where }) => where)).toEqual([
      'header Sk-Live-Abcdefgh',
      'header (unusual name)',
      'header Www-Authenticate',
    ]);
  });
});

describe('an upstream that does not', () => {
  it.each<[string, Echoing]>([
    ['answers', text('{"user":"somebody"}')],
    [
      'refuses',
      (_, response) => response.writeHead(401, { 'WWW-Authenticate': 'Bearer' }).end('who are you?'),
    ],
    [
      'answers in gzip',
      (_, response) => response.setHeader('Content-Encoding', 'gzip').end(gzipSync('hello')),
    ],
    ['answers with the real key, which is not ours to know', text(TOKEN)],
    ['answers without a body', (_, response) => response.writeHead(204).end()],
    ['answers with the beginning of it', (key, response) => response.end(key.slice(0, 20))],
  ])('and %s is found clean', async (_name, echoing) => {
    const result = await probeOne(echoing);
    expect(result).toMatchObject({ outcome: 'answered', echoed: [], truncated: false, code: null });
  });
});

describe('what an upstream gets', () => {
  it('is a fresh canary each, never the placeholder and never the key', async () => {
    const seen: string[] = [];
    const upstream = await httpsUpstream((request, response) => {
      seen.push(`${request.method} ${request.url} ${JSON.stringify(request.headers)}`);
      response.end();
    });
    await withUpstream(
      upstream,
      async (world) => {
        expect(await runProbe(world)).toHaveLength(4);
        expect(world.uses).toEqual([]);
      },
      {
        credentials: [
          bearer({ inject: [{ query: 'k' }, { cookie: 'sid' }, { path: '/bot{token}' }, { basic: 'user' }] }),
        ],
      },
    );
    const wire = seen.join('\n');
    const canaries = [...wire.matchAll(/ghp_[0-9a-f]{36}/g)].map(([found]) => found);
    const basic = Buffer.from(/Basic ([\w+/=]+)/.exec(wire)?.[1] ?? '', 'base64').toString();
    expect(basic).toMatch(/^ghp_[0-9a-f]{36}:probe$/);
    expect(new Set([...canaries, basic.slice(0, 40)]).size).toBe(4);
    for (const real of [PLACEHOLDER, TOKEN]) {
      expect(wire).not.toContain(real);
      expect(basic).not.toContain(real);
    }
  });

  it('is found again from every place', async () => {
    const upstream = await httpsUpstream(async (request, response) => {
      let body = '';
      for await (const piece of request) body += String(piece);
      response.end(`${request.url} ${JSON.stringify(request.headers)} ${body}`);
    });
    const inject = [
      { header: 'X-Key', format: 'k {token}' },
      { basic: 'password' },
      { query: 'k' },
      { cookie: 'sid' },
      { path: '/bot{token}' },
      { json: '/a/b' },
      { form: 'k' },
      { multipart: 'k' },
    ] as const;
    const results = await withUpstream(upstream, (world) => runProbe(world, { post: true }), {
      credentials: [bearer({ inject })],
    });
    expect(results.map(({ place, echoed }) => [place, echoed.map(({ encoding }) => encoding)])).toEqual([
      ['header X-Key', ['raw']],
      ['basic password', ['base64']],
      ['query k', ['raw']],
      ['cookie sid', ['raw']],
      ['path /bot{token}', ['raw']],
      ['json /a/b', ['raw']],
      ['form k', ['raw']],
      ['multipart k', ['raw']],
    ]);
  });

  it('is plain HTTP where the rule says so, and one connection each', async () => {
    const upstream = await httpUpstream((request, response) => {
      response.end(request.headers.authorization);
    });
    await inWorld(
      {
        rules: [apiRule({ port: 8080, protocol: 'http' })],
        credentials: [bearer({ inject: [...bearer().inject, { query: 'k' }] })],
        upstreams: { [`${API}:8080`]: upstream },
      },
      async (world) => {
        const results = await runProbe(world);
        expect(results.map(({ port, echoed }) => [port, echoed.length])).toEqual([
          [8080, 1],
          [8080, 0],
        ]);
        expect(upstream.connections).toHaveLength(2);
      },
    );
  });
});
