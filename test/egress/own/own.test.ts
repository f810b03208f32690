/** Requests of the gateway's own: they take the way that a cell's requests take, and nothing of it is left out. */
import type { Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { OwnAnswer, OwnRequest, OwnShare } from '../../../src/egress/index.ts';
import { isAppError } from '../../../src/kernel/index.ts';
import {
  API,
  apiRule,
  call,
  httpsUpstream,
  PLACEHOLDER,
  rawUpstream,
  TOKEN,
  World,
  type WorldOptions,
} from '../world.ts';

const PLACE = `${API}:443`;
const never = new AbortController().signal;

const get = (over: Partial<OwnRequest> = {}): OwnRequest => ({
  method: 'GET',
  scheme: 'https',
  host: API,
  port: 443,
  target: '/v1/me',
  fields: [],
  body: null,
  ...over,
});

async function withShare<T>(
  options: WorldOptions,
  run: (share: OwnShare, world: World) => Promise<T>,
): Promise<T> {
  const world = await World.open(options);
  // The cell of the harness has the same placeholders, which would then be of two.
  world.cell.close();
  const { addresses: _, ...spec } = world.spec;
  const share = await world.egress.openOwn(spec);
  try {
    return await run(share, world);
  } finally {
    share.close();
    await world.close();
  }
}

async function text(body: Readable): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of body) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString('latin1');
}

const shown = async ({ status, body }: OwnAnswer) => [status, await text(body)];
const codeOf = (answer: Promise<OwnAnswer>): Promise<unknown> =>
  answer.then(
    () => 'answered',
    (error: unknown) => (isAppError(error) ? error.code : error),
  );

describe('a request of the gateway', () => {
  it('has its credential put in, on record before it is, and its answer scrubbed', async () => {
    const upstream = await httpsUpstream(({ headers }, response) => {
      response.setHeader('X-Echo', headers.authorization ?? '');
      response.end(`you sent ${headers.authorization}`);
    });
    await withShare({ upstreams: { [PLACE]: upstream }, calls: [call()] }, async (share, world) => {
      const answer = await share.request(get({ fields: [['Accept', 'application/json']] }), never);
      expect(answer.fields.get('x-echo')).toBe(`Bearer ${PLACEHOLDER}`);
      expect(await shown(answer)).toEqual([200, `you sent Bearer ${PLACEHOLDER}`]);
      expect(world.uses).toEqual([{ credential: 'TOKEN', path: '/v1/me' }]);
      const types = world.events.map(({ type }) => type);
      expect(types.indexOf('credential.used')).toBeLessThan(types.indexOf('egress.finished'));
      expect(JSON.stringify(world.events)).toContain('call_1');
      expect(JSON.stringify(world.events)).not.toContain(TOKEN);
    });
  });

  it.each<[string, Partial<OwnRequest>, string]>([
    ['in a value', { fields: [['X-Id', 'a\r\nX-Evil: 1']] }, 'field_value_invalid'],
    // Latin-1 takes the lower byte of each.
    ['in a value, disguised', { fields: [['X-Id', 'a\u010d\u010aX-Evil: 1']] }, 'field_value_invalid'],
    ['in a name', { fields: [['X-Evil: 1\r\nX-Id', 'a']] }, 'field_name_invalid'],
    ['in a method', { method: 'GET / HTTP/1.1\r\nX-Evil: 1\r\nX-Id:' }, 'field_value_invalid'],
    ['in a target', { target: '/ HTTP/1.1\r\nX-Evil: 1\r\nX-Id: ' }, 'field_value_invalid'],
    ['in a target, disguised', { target: '/\u0120HTTP/1.1\u010d\u010aX-Evil: 1' }, 'field_value_invalid'],
    ['for one connection', { fields: [['Connection', 'X-Id']] }, 'field_connection_specific'],
  ])('cannot bring a line of its own along: %s', async (_name, over, reason) => {
    const sent: string[] = [];
    const upstream = await httpsUpstream((request, response) => {
      sent.push(...request.rawHeaders);
      response.end('ok');
    });
    await withShare({ upstreams: { [PLACE]: upstream } }, async (share, world) => {
      expect(await codeOf(share.request(get(over), never))).toBe('egress_request_malformed');
      expect((await world.eventsOf('egress.refused'))[0]?.data).toMatchObject({ reason });
      expect([sent, world.uses]).toEqual([[], []]);
      expect(await shown(await share.request(get({ fields: [['X-Id', 'caf\u00e9']] }), never))).toEqual([
        200,
        'ok',
      ]);
    });
  });

  it.each([
    ['small', 10],
    ['large', 5_000_000],
  ])('brings a body, %s', async (_name, size) => {
    const upstream = await httpsUpstream(async (request, response) => {
      let bytes = 0;
      for await (const piece of request) bytes += (piece as Buffer).length;
      response.end(`${request.method} ${bytes} ${request.headers['content-length']}`);
    });
    await withShare({ upstreams: { [PLACE]: upstream } }, async (share) => {
      const body = Buffer.alloc(size, 'x');
      const answer = await share.request(get({ method: 'POST', body }), never);
      expect(await shown(answer)).toEqual([200, `POST ${size} ${size}`]);
    });
  });

  it.each<[string, Partial<OwnRequest>, string]>([
    ['another host', { host: 'other.test' }, 'egress_host_denied'],
    ['another port', { port: 8443 }, 'egress_port_denied'],
    ['another scheme', { scheme: 'http', port: 80 }, 'egress_port_denied'],
    ['a method that no rule has', { method: 'DELETE' }, 'egress_method_denied'],
    ['a path that is not below the rule', { target: '/v2/me' }, 'egress_path_denied'],
    ['a path that could be read as another', { target: '/v1/%2e%2e/admin' }, 'egress_request_malformed'],
    ['a Host of its own', { fields: [['Host', 'other.test']] }, 'egress_request_malformed'],
    ['a length of its own', { fields: [['Content-Length', '5']] }, 'egress_request_malformed'],
    ['a placeholder elsewhere', { target: `/v1/?q=${PLACEHOLDER}` }, 'egress_placeholder_misplaced'],
  ])('is refused as any other: %s', async (_name, over, code) => {
    const upstream = await httpsUpstream((_, response) => response.end('ok'));
    const rules = [apiRule({ methods: ['GET'], paths: ['/v1'] })];
    await withShare({ upstreams: { [PLACE]: upstream }, rules }, async (share, world) => {
      expect(await shown(await share.request(get(), never)), 'the control').toEqual([200, 'ok']);
      expect(await codeOf(share.request(get(over), never))).toBe(code);
      expect(world.events.some(({ data }) => data['code'] === code)).toBe(true);
      expect(upstream.connections).toHaveLength(1);
    });
  });

  it('does not go to an address of this machine or network that is not allowed', async () => {
    const resolutions = { [API]: ['169.254.169.254'] };
    await withShare({ resolutions, allowNetworks: [] }, async (share) => {
      expect(await codeOf(share.request(get(), never))).toBe('egress_upstream_address_refused');
    });
  });

  it('says what the vault says, and opens nothing when nothing can be recorded', async () => {
    const upstream = await httpsUpstream((_, response) => response.end('ok'));
    await withShare({ upstreams: { [PLACE]: upstream } }, async (share, world) => {
      world.secrets.delete('TOKEN');
      expect(await codeOf(share.request(get(), never))).toBe('vault_credential_missing');
      expect(world.uses).toEqual([]);
      expect(upstream.connections).toHaveLength(0);
    });
  });

  it('has no placeholder for what has no value', async () => {
    const upstream = await httpsUpstream(({ headers }, response) =>
      response.end(headers.authorization ?? 'none'),
    );
    await withShare({ upstreams: { [PLACE]: upstream }, secrets: {} }, async (share) => {
      expect(await shown(await share.request(get(), never))).toEqual([200, 'none']);
    });
  });

  it('is told an upstream that cannot prove who it is', async () => {
    const upstream = await httpsUpstream((_, response) => response.end('ok'), 'someone-else.test');
    await withShare({ upstreams: { [PLACE]: upstream } }, async (share) => {
      expect(await codeOf(share.request(get(), never))).toBe('egress_upstream_tls');
    });
  });
});

describe('an answer to the gateway', () => {
  it('comes as it is sent, an event at a time, and as slowly as it is read', async () => {
    let waiting = 0;
    const upstream = await httpsUpstream(({ url }, response) => {
      if (url === '/v1/events') {
        response.writeHead(200, { 'Content-Type': 'text/event-stream' });
        response.write('data: one\n\n');
        response.on('close', () => (waiting = -1));
        return;
      }
      const piece = Buffer.alloc(64 * 1024, 'y');
      const more = (): void => {
        while (response.write(piece) && !response.destroyed);
        waiting = response.writableLength;
        response.once('drain', more);
      };
      more();
    });
    await withShare({ upstreams: { [PLACE]: upstream } }, async (share) => {
      const events = await share.request(get({ target: '/v1/events' }), never);
      const [first] = (await events.body.iterator({ destroyOnReturn: false }).next()).value
        .toString()
        .split('\n');
      expect(first).toBe('data: one');
      events.body.destroy();
      await expect.poll(() => waiting, { timeout: 10_000 }).toBe(-1);

      const endless = await share.request(get({ target: '/v1/endless' }), never);
      await expect.poll(() => waiting, { timeout: 10_000 }).toBeGreaterThan(0);
      expect(endless.body.readableLength).toBeLessThan(4 * 1024 * 1024);
      endless.body.destroy();
    });
  });

  it('is decoded and scrubbed', async () => {
    const upstream = await httpsUpstream((_, response) => {
      response.setHeader('Content-Encoding', 'gzip');
      const coder = createGzip();
      coder.pipe(response);
      coder.end(`key: ${TOKEN}`);
    });
    await withShare({ upstreams: { [PLACE]: upstream } }, async (share) => {
      const answer = await share.request(get(), never);
      expect(answer.fields.get('content-encoding')).toBeUndefined();
      expect(await text(answer.body)).toBe(`key: ${PLACEHOLDER}`);
    });
  });

  it('that breaks off is an error, not a short answer', async () => {
    const upstream = await rawUpstream((socket) =>
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf');
        setTimeout(() => socket.destroy(), 20);
      }),
    );
    await withShare({ upstreams: { [PLACE]: upstream } }, async (share) => {
      const { body } = await share.request(get(), never);
      await expect(text(body)).rejects.toMatchObject({ code: 'egress_upstream_closed' });
    });
  });

  it.each(['before it', 'within it'])('that nobody wants any more is given up, %s', async (when) => {
    let closed = 0;
    const upstream = await httpsUpstream((_, response) => {
      response.on('close', () => (closed += 1));
      if (when === 'within it') response.write('begun');
    });
    await withShare({ upstreams: { [PLACE]: upstream } }, async (share, world) => {
      const leaving = new AbortController();
      const asked = share.request(get(), leaving.signal);
      const gone = new Error('gone');
      if (when === 'within it') {
        const { body } = await asked;
        leaving.abort(gone);
        await expect(text(body)).rejects.toBe(gone);
      } else {
        await expect.poll(() => upstream.connections.length, { timeout: 10_000 }).toBe(1);
        leaving.abort(gone);
        await expect(asked).rejects.toBe(gone);
      }
      await expect.poll(() => world.events.at(-1)?.data['code'], { timeout: 10_000 }).toBe('client_closed');
      if (when === 'within it') await expect.poll(() => closed, { timeout: 10_000 }).toBe(1);
    });
  });

  it('ends with its share', async () => {
    const upstream = await httpsUpstream((_, response) => response.write('begun'));
    await withShare({ upstreams: { [PLACE]: upstream } }, async (share) => {
      const { body } = await share.request(get(), never);
      share.close();
      await expect(text(body)).rejects.toMatchObject({ code: 'egress_closed' });
      expect(await codeOf(share.request(get(), never))).toBe('egress_closed');
    });
  });
});
