/**
 * Probing against upstreams that send back what they are given, each in its own way, and against such as do not. The
 * upstreams here do with the canary whatever a careless API might do with a key.
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it, vi } from 'vitest';
import type { ProbeOptions, ProbeResult, ProbeSpec } from '../../../src/egress/index.ts';
import { AppError, limits } from '../../../src/kernel/index.ts';
import { http2Upstream } from '../http2-world.ts';
import {
  API,
  apiRule,
  bearer,
  httpsUpstream,
  httpUpstream,
  inWorld,
  PLACEHOLDER,
  rawUpstream,
  silentUpstream,
  TOKEN,
  type Upstream,
  type World,
  type WorldOptions,
} from '../world.ts';

const never = new AbortController().signal;
let made = 0;
/** As random as it has to be here: different each time, and none of what the world knows. */
const canary = (): string =>
  `ghp_${createHash('sha256').update(`canary ${made++}`).digest('hex').slice(0, 36)}`;

const specOf = (world: World, over: Partial<ProbeSpec> = {}): ProbeSpec => ({
  workspace: world.spec.identity.workspace,
  server: 'github',
  actor: { kind: 'local', id: '1000' },
  rules: world.spec.rules,
  credentials: world.spec.credentials,
  canary,
  options: {},
  ...over,
});

const runProbe = (
  world: World,
  options: ProbeOptions = {},
  over: Partial<ProbeSpec> = {},
): Promise<readonly ProbeResult[]> =>
  world.egress.probe(specOf(world, { options, ...over }), () => undefined, never);

async function withUpstream<T>(
  upstream: Upstream,
  body: (world: World) => Promise<T>,
  over: WorldOptions = {},
): Promise<T> {
  let given: T | undefined;
  await inWorld({ upstreams: { [`${API}:443`]: upstream }, ...over }, async (world) => {
    given = await body(world);
  });
  return given as T; // `inWorld` has rejected otherwise
}

/** The canary of a request with the world's own credential. */
const given = (request: IncomingMessage): string =>
  request.headers.authorization?.slice('Bearer '.length) ?? '';

type Echoing = (canary: string, response: ServerResponse, request: IncomingMessage) => void;
const probeOne = async (echoing: Echoing, options: ProbeOptions = {}): Promise<ProbeResult> => {
  const upstream = await httpsUpstream((request, response) => echoing(given(request), response, request));
  const [result, ...more] = await withUpstream(upstream, (world) => runProbe(world, options));
  expect(more).toEqual([]);
  if (result === undefined) throw new Error('no result');
  return result;
};

const text =
  (value: string | Buffer): Echoing =>
  (_, response) =>
    response.end(value);
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

describe('what cannot be found out is not called clean', () => {
  it.each<[string, Echoing, string]>([
    [
      'an unknown coding',
      (_, response) => response.setHeader('Content-Encoding', 'compress').end('x'),
      'egress_content_coding',
    ],
    [
      'a body that is not in its coding',
      (_, response) => response.setHeader('Content-Encoding', 'gzip').end('not gzip at all'),
      'egress_content_coding',
    ],
    [
      'an answer that breaks off',
      (_, response) => {
        response.writeHead(200, { 'Content-Length': '100' });
        response.write('x', () => response.destroy());
      },
      'egress_upstream_closed',
    ],
  ])('with %s', async (_name, echoing, code) => {
    const result = await probeOne(echoing);
    expect(result).toMatchObject({ outcome: 'failed', status: 200, code });
    expect(result.reason).toContain(API);
  });

  it('keeps what was found in the head of an answer that cannot be read', async () => {
    const result = await probeOne((key, response) =>
      response.writeHead(200, { 'Content-Encoding': 'compress', 'X-Key': key }).end('x'),
    );
    expect(result).toMatchObject({
      outcome: 'failed',
      echoed: [{ where: 'header X-Key', encoding: 'raw' }],
    });
  });

  it('looks at the beginning of a long answer, and says that it was longer', async () => {
    const filler = Buffer.alloc(limits.probeAnswerBytesMax, '.');
    const late = await probeOne((key, response) =>
      response.end(Buffer.concat([filler, filler, Buffer.from(key)])),
    );
    expect(late).toMatchObject({ outcome: 'answered', truncated: true, echoed: [] });
    const early = await probeOne((key, response) => response.end(Buffer.concat([Buffer.from(key), filler])));
    expect(early).toMatchObject({ truncated: true, echoed: [{ where: 'body', encoding: 'raw' }] });
    const exact = await probeOne(text(filler));
    expect(exact).toMatchObject({ truncated: false, echoed: [] });
  });

  it('reads no more of an answer without an end than it looks at', async () => {
    let sent = 0;
    const result = await probeOne((_, response) => {
      const piece = Buffer.alloc(64 * 1024, 'x');
      const more = (): void => {
        if (response.destroyed) return;
        sent += piece.length;
        response.write(piece, () => setImmediate(more));
      };
      more();
    });
    expect(result).toMatchObject({ outcome: 'answered', truncated: true });
    expect(sent).toBeGreaterThan(limits.probeAnswerBytesMax);
  });

  it('is cut off by a coded answer that grows out of all proportion', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));
    const result = await probeOne((_, response) => response.setHeader('Content-Encoding', 'gzip').end(bomb));
    expect(result).toMatchObject({ outcome: 'answered', truncated: true, echoed: [] });
  });

  it('with an upstream that takes too long', async () => {
    const arrived = Promise.withResolvers<void>();
    const upstream = await rawUpstream((socket) => void socket.once('data', () => arrived.resolve()));
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const [result] = await withUpstream(upstream, async (world) => {
        const probing = runProbe(world);
        await arrived.promise;
        vi.advanceTimersByTime(limits.probeRequestTimeoutMs);
        return probing;
      });
      expect(result).toMatchObject({ outcome: 'failed', status: null, code: 'egress_timeout', echoed: [] });
      expect(result?.reason).toBe(`${API}:443 did not answer in time.`);
    } finally {
      vi.useRealTimers();
    }
  });

  it('with an upstream that does not speak HTTP', async () => {
    const upstream = await rawUpstream(
      (socket) => void socket.once('data', () => socket.end('SSH-2.0-hello\r\n')),
    );
    const [result] = await withUpstream(upstream, (world) => runProbe(world));
    expect(result).toMatchObject({
      outcome: 'failed',
      status: null,
      code: 'egress_response_malformed',
      echoed: [],
    });
  });
});

describe('the checks of the data plane hold for probes', () => {
  it.each<[string, WorldOptions, string]>([
    ['a name that does not resolve', { upstreams: {} }, 'egress_upstream_unresolved'],
    [
      'a name that leads to this machine',
      { upstreams: {}, resolutions: { [API]: ['127.0.0.1'] }, allowNetworks: [] },
      'egress_upstream_address_refused',
    ],
    ['an authority that nobody trusts', { extraCa: [] }, 'egress_upstream_tls'],
  ])('%s', async (_name, over, code) => {
    const upstream = await httpsUpstream((request, response) => response.end(given(request)));
    try {
      const [result] = await withUpstream(upstream, (world) => runProbe(world), over);
      expect(result).toMatchObject({ outcome: 'failed', status: null, code, echoed: [] });
      expect(result?.reason).not.toBe('');
    } finally {
      if (over.upstreams !== undefined) await upstream.close();
    }
  });

  it('one host that cannot be reached does not keep the others from being asked', async () => {
    const upstream = await httpsUpstream((request, response) => response.end(given(request)));
    const results = await withUpstream(upstream, (world) => runProbe(world), {
      rules: [apiRule({ host: 'gone.test' }), apiRule()],
      credentials: [bearer({ hosts: ['gone.test', API] })],
    });
    expect(results.map(({ host, outcome, echoed }) => [host, outcome, echoed.length])).toEqual([
      ['gone.test', 'failed', 0],
      [API, 'answered', 1],
    ]);
  });

  it.each<[ProbeOptions, string]>([
    [{ hosts: ['evil.test'] }, 'probe_host_denied'],
    [{ hosts: ['not a host'] }, 'probe_host_denied'],
    [{ hosts: ['127.0.0.1'] }, 'probe_host_denied'],
    [{ path: 'v1' }, 'probe_path_invalid'],
    [{ path: '/a/../b' }, 'probe_path_invalid'],
    [{ path: '/a b' }, 'probe_path_invalid'],
    [{ path: '/a\r\nX: y' }, 'probe_path_invalid'],
  ])('%j is refused', async (options, code) => {
    const upstream = await silentUpstream();
    await withUpstream(upstream, async (world) => {
      await expect(runProbe(world, options)).rejects.toMatchObject({ code, kind: 'invalid' });
      expect(world.events).toEqual([]);
      expect(upstream.connections).toEqual([]);
    });
  });
});

describe('what is on record', () => {
  it('is each request before it leaves, and what came of it', async () => {
    const before: string[][] = [];
    let world: World | null = null;
    const upstream = await httpsUpstream((request, response) => {
      before.push(world?.events.map(({ type }) => type) ?? []);
      response.writeHead(401, { 'X-Key': given(request) }).end();
    });
    await withUpstream(upstream, async (opened) => {
      world = opened;
      await runProbe(opened, { path: '/me?q=secret' });
      expect(before).toEqual([['egress.request']]);
      const [intent, outcome, ...more] = opened.events;
      expect(more).toEqual([]);
      const facts = {
        request: expect.stringMatching(/^req_/) as string,
        scheme: 'https',
        host: API,
        port: 443,
        method: 'GET',
        path: '/me',
        credential: 'TOKEN',
        place: 'header Authorization',
      };
      const by = {
        workspace: opened.spec.identity.workspace,
        actor: { kind: 'local', id: '1000' },
        server: 'github',
      };
      expect(intent).toEqual({ ...by, type: 'egress.request', data: { ...facts, probe: true } });
      expect(outcome).toEqual({
        ...by,
        type: 'egress.probed',
        data: {
          ...facts,
          status: 401,
          echoed: [{ where: 'header X-Key', encoding: 'raw' }],
          truncated: false,
          ms: expect.any(Number) as number,
        },
      });
      expect(outcome?.data['request']).toBe(intent?.data['request']);
    });
  });

  it('tells the code of what failed', async () => {
    await inWorld({ upstreams: {} }, async (world) => {
      await runProbe(world);
      const [outcome] = await world.eventsOf('egress.probed');
      expect(outcome?.data).toMatchObject({ status: null, code: 'egress_upstream_unresolved' });
    });
  });

  it('is everything, or nothing is asked', async () => {
    const upstream = await httpsUpstream((_, response) => response.end());
    await withUpstream(upstream, async (world) => {
      world.auditFailure = new AppError('audit_unavailable', 'no log', { kind: 'failed' });
      await expect(runProbe(world)).rejects.toMatchObject({ code: 'audit_unavailable' });
      expect(upstream.connections).toEqual([]);
    });
  });
});

describe('a probe that nobody wants any more', () => {
  const started = async (upstream: Upstream): Promise<void> => {
    while (upstream.connections.length === 0) await new Promise((done) => setTimeout(done, 5));
  };

  it('is ended at once, with the reason that was given', async () => {
    const upstream = await silentUpstream();
    await withUpstream(upstream, async (world) => {
      const wanted = new AbortController();
      const probing = world.egress.probe(specOf(world), () => undefined, wanted.signal);
      const ended = expect(probing).rejects.toMatchObject({ code: 'kill_active' });
      await started(upstream);
      wanted.abort(new AppError('kill_active', 'stopped', { kind: 'denied' }));
      await ended;
      for (const socket of upstream.connections)
        if (!socket.destroyed) await new Promise((done) => socket.once('close', done));
    });
  });

  it('asks nothing when it was over before', async () => {
    const upstream = await silentUpstream();
    await withUpstream(upstream, async (world) => {
      const probing = world.egress.probe(specOf(world), () => undefined, AbortSignal.abort());
      await expect(probing).rejects.toMatchObject({ code: 'probe_cancelled' });
      expect([world.events, upstream.connections]).toEqual([[], []]);
    });
  });

  it('ends with the gateway, and leaves its outcome on record', async () => {
    const upstream = await silentUpstream();
    await withUpstream(upstream, async (world) => {
      const ended = expect(runProbe(world)).rejects.toMatchObject({ code: 'probe_cancelled' });
      await started(upstream);
      await world.egress.close();
      await ended;
      expect(world.events.map(({ type }) => type)).toEqual(['egress.request', 'egress.probed']);
    });
  });
});

it('keeps requests apart that share an HTTP/2 connection', async () => {
  let asked = 0;
  const inject = Array.from({ length: 12 }, (_, at) => ({ query: `k${at}` }));
  const upstream = await http2Upstream((stream, headers) => {
    asked += 1;
    const value = /=(ghp_\w+)/.exec(headers[':path'] ?? '')?.[1] ?? '';
    // Every other one answers late, when those that were asked with it are done.
    const answer = (): void => {
      if (stream.destroyed) return;
      stream.respond({ ':status': 200, 'x-key': value }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': HEX(value) }));
      stream.end('{}');
    };
    if (asked % 2 === 0) setTimeout(answer, 30);
    else answer();
  });
  const results = await withUpstream(upstream, (world) => runProbe(world), {
    credentials: [bearer({ inject })],
  });
  expect(upstream.sessions).toHaveLength(1);
  for (const [at, result] of results.entries()) {
    expect(result).toMatchObject({
      place: `query k${at}`,
      outcome: 'answered',
      echoed: [
        { where: 'header X-Key', encoding: 'raw' },
        { where: 'trailer X-Sum', encoding: 'hex' },
      ],
    });
  }
});

it('asks a few at a time', async () => {
  const waiting: ServerResponse[] = [];
  let most = 0;
  const upstream = await httpsUpstream((_, response) => {
    waiting.push(response);
    most = Math.max(most, waiting.length);
    if (waiting.length < limits.probeRequestsAtOnce) return;
    // Time for one more, if there were one.
    setTimeout(() => {
      for (const one of waiting.splice(0)) one.end();
    }, 50);
  });
  const inject = Array.from({ length: 12 }, (_, at) => ({ query: `k${at}` }));
  const results = await withUpstream(upstream, (world) => runProbe(world), {
    credentials: [bearer({ inject })],
  });
  expect(results.map(({ place, outcome }) => `${place} ${outcome}`)).toEqual(
    inject.map(({ query }) => `query ${query} answered`),
  );
  expect(most).toBe(limits.probeRequestsAtOnce);
});

it('says what it asks', async () => {
  const upstream = await httpsUpstream((_, response) => response.end());
  await withUpstream(upstream, async (world) => {
    const told: string[] = [];
    await world.egress.probe(specOf(world), (message) => void told.push(message), never);
    expect(told).toEqual([`GET ${API}/, TOKEN as header Authorization`]);
  });
});
