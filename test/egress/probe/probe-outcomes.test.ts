/** Probes that cannot tell, are refused, are not wanted any more, or share a connection; and what of them is on record. */
import type { ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { describe, expect, it, vi } from 'vitest';
import type { ProbeOptions } from '../../../src/egress/index.ts';
import { AppError, limits } from '../../../src/kernel/index.ts';
import { http2Upstream } from '../http2-world.ts';
import {
  API,
  apiRule,
  bearer,
  httpsUpstream,
  inWorld,
  rawUpstream,
  silentUpstream,
  type Upstream,
  type World,
  type WorldOptions,
} from '../world.ts';
import { type Echoing, given, never, probeOne, runProbe, specOf, text, withUpstream } from './probe-world.ts';

const HEX: (text: string) => string = (value) => Buffer.from(value).toString('hex');

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

  it('looks at what comes at once of events, and does not wait for their end', async () => {
    const result = await probeOne((key, response) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      response.write(`data: ${key}\n\n`);
    });
    expect(result).toMatchObject({
      outcome: 'answered',
      truncated: true,
      echoed: [{ where: 'body', encoding: 'raw' }],
    });
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
