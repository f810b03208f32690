/** Every code that the data plane refuses with, provoked over real sockets: what the cell reads and what the audit says. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { fixedClock, limits } from '../../src/kernel/index.ts';
import {
  API,
  apiRule,
  bearer,
  errorOf,
  httpsUpstream,
  inWorld,
  PLACEHOLDER,
  rawUpstream,
  readAll,
  type RequestOptions,
  type World,
  type WorldOptions,
  turns,
} from './world.ts';

/** Makes a request against an upstream that says `ok`, in a world of its own. */
async function refusal(
  options: WorldOptions,
  request: RequestOptions,
): Promise<{ status: number; code: string; message: string; hint: string; audit: object }> {
  const upstream = await httpsUpstream((_request, response) => response.end('ok'));
  let result: Awaited<ReturnType<typeof refusal>> | null = null;
  await inWorld({ upstreams: { 'api.test:443': upstream }, ...options }, async (world) => {
    const reply = await world.request(request);
    const { code, message, hint } = errorOf(reply);
    expect(reply.headers['content-type']).toBe('application/json');
    result = { status: reply.status, code, message, hint, audit: refusedEvent(world) };
  });
  await upstream.close().catch(() => undefined);
  if (result === null) throw new Error('no answer');
  return result;
}

const refusedEvent = (world: World): object => {
  const event = world.events.find(
    ({ type }) =>
      type === 'egress.refused' || type === 'credential.refused' || type === 'placeholder.foreign',
  );
  return { type: event?.type, ...event?.data };
};

/** An upstream that does with the socket what it likes once a request is there. */
const answering = (act: (socket: TLSSocket) => void): ReturnType<typeof rawUpstream> =>
  rawUpstream((socket) => socket.once('data', () => act(socket)));

describe('refusals by rules', () => {
  it('egress_method_denied', async () => {
    const refused = await refusal(
      { rules: [apiRule({ methods: ['GET'] })] },
      { method: 'DELETE', path: '/x' },
    );
    expect(refused).toMatchObject({
      status: 403,
      code: 'egress_method_denied',
      message: 'This server may not use DELETE at api.test, only GET.',
      audit: { type: 'egress.refused', code: 'egress_method_denied', host: API, method: 'DELETE' },
    });
  });

  it('egress_path_denied', async () => {
    const refused = await refusal({ rules: [apiRule({ paths: ['/v1'] })] }, { path: '/v10' });
    expect(refused).toMatchObject({
      status: 403,
      code: 'egress_path_denied',
      audit: { type: 'egress.refused', code: 'egress_path_denied' },
    });
    expect(refused.hint).toContain('/v10');
  });

  it('egress_placeholder_misplaced: says where it stood and where it may stand', async () => {
    const refused = await refusal({}, { headers: { 'X-Api-Key': PLACEHOLDER } });
    expect(refused).toMatchObject({
      status: 403,
      code: 'egress_placeholder_misplaced',
      message:
        'The placeholder of TOKEN is in the header X-Api-Key, where it is not declared, in a request to api.test:443.',
      hint: 'It is declared for: the header Authorization: Bearer {token}. See "credentials" in the manifest of the server.',
      audit: { type: 'credential.refused', credential: 'TOKEN', place: 'the header X-Api-Key' },
    });
  });

  it('egress_placeholder_misplaced: the place is right, the request is not bound', async () => {
    const refused = await refusal(
      { credentials: [bearer({ methods: ['GET'] })] },
      { method: 'POST', headers: { Authorization: `Bearer ${PLACEHOLDER}` } },
    );
    expect(refused).toMatchObject({
      status: 403,
      code: 'egress_placeholder_misplaced',
      message: 'TOKEN may not be used with POST, only with GET.',
      audit: { type: 'credential.refused', rule: 'credential_method_denied', credential: 'TOKEN' },
    });
  });

  it('egress_host_denied and egress_port_denied over TLS: an alert, no certificate, and an event', async () => {
    await inWorld({ rules: [apiRule(), apiRule({ host: 'other.test', port: 8443 })] }, async (world) => {
      const place = await world.placeOf('other.test', 443);
      const socket = (await import('node:tls')).connect({
        ...place,
        servername: 'other.test',
        ca: world.cell.caPem,
      });
      const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
      expect(error.code).toBe('ERR_SSL_TLSV1_UNRECOGNIZED_NAME');
      expect((await world.eventsOf('egress.refused'))[0]?.data).toMatchObject({
        code: 'egress_port_denied',
        host: 'other.test',
        port: 443,
        sni: 'other.test',
      });
    });
  });

  it('egress_protocol_denied: plain HTTP where HTTPS is allowed', async () => {
    await inWorld({}, async (world) => {
      const socket = await world.connectTcp(API, 443);
      socket.end(`GET / HTTP/1.1\r\nHost: ${API}:443\r\n\r\n`);
      const text = await readAll(socket);
      expect(text.startsWith('HTTP/1.1 403 Forbidden\r\n')).toBe(true);
      expect(errorOf(text).code).toBe('egress_protocol_denied');
    });
  });
});

describe('refusals of requests', () => {
  it.each([
    [
      'egress_request_malformed',
      400,
      `GET / HTTP/1.1\r\nHost: ${API}\r\nA : b\r\n\r\n`,
      'field_space_before_colon',
    ],
    ['egress_request_malformed', 400, `GET /a/../b HTTP/1.1\r\nHost: ${API}\r\n\r\n`, 'target_dot_segment'],
    [
      'egress_request_malformed',
      400,
      `CONNECT ${API}:443 HTTP/1.1\r\nHost: ${API}\r\n\r\n`,
      'method_not_forwarded',
    ],
    ['egress_request_malformed', 400, `TRACE / HTTP/1.1\r\nHost: ${API}\r\n\r\n`, 'method_not_forwarded'],
    [
      'egress_request_malformed',
      400,
      `GET / HTTP/1.1\r\nHost: ${API}\r\nConnection: close, Authorization\r\n\r\n`,
      'connection_names_authorization',
    ],
    [
      'egress_request_malformed',
      400,
      `POST / HTTP/1.1\r\nHost: ${API}\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`,
      'chunk_size_invalid',
    ],
    [
      'egress_expectation_unsupported',
      417,
      `GET / HTTP/1.1\r\nHost: ${API}\r\nExpect: 200-ok\r\nConnection: close\r\n\r\n`,
      undefined,
    ],
    [
      'egress_upgrade_unsupported',
      501,
      `GET / HTTP/1.1\r\nHost: ${API}\r\nConnection: Upgrade, close\r\nUpgrade: tls/1.0\r\n\r\n`,
      undefined,
    ],
    [
      'egress_websocket_malformed',
      400,
      `GET / HTTP/1.1\r\nHost: ${API}\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n`,
      'key_invalid',
    ],
  ])('%s (%i): %j', async (code, status, text, reason) => {
    const upstream = await httpsUpstream((_request, response) => response.end('ok'));
    await inWorld({ upstreams: { 'api.test:443': upstream } }, async (world) => {
      const answer = await world.exchange(text);
      expect(answer.slice(0, 13)).toBe(`HTTP/1.1 ${status} `);
      expect(errorOf(answer).code).toBe(code);
      const [event] = await world.eventsOf('egress.refused');
      expect(event?.data['code']).toBe(code);
      expect(event?.data['reason']).toBe(reason);
    });
  });

  it('egress_protocol_unknown: neither TLS nor HTTP', async () => {
    await inWorld({}, async (world) => {
      const socket = await world.connectTcp(API, 443);
      socket.write('SSH-2.0-OpenSSH_9.2\r\n'.toLowerCase());
      expect(await readAll(socket)).toBe('');
      expect((await world.eventsOf('egress.refused'))[0]?.data).toMatchObject({
        code: 'egress_protocol_unknown',
        host: API,
      });
    });
  });

  it('egress_request_timeout: a head that does not end', async () => {
    const clock = fixedClock(0);
    await inWorld({ clock: { ...clock, now: () => Date.now() } }, async (world) => {
      const socket = await world.connectTls();
      socket.write('GET / HTTP/1.1\r\nHost: a');
      await turns();
      clock.advance(limits.egressHeadTimeoutMs);
      const text = await readAll(socket);
      expect(text.startsWith('HTTP/1.1 408 Request Timeout\r\n')).toBe(true);
      expect(errorOf(text).code).toBe('egress_request_timeout');
    });
  });

  it('cuts a connection on which nothing happens', async () => {
    const clock = fixedClock(0);
    await inWorld({ clock: { ...clock, now: () => Date.now() } }, async (world) => {
      const silent = await world.connectTcp(API, 443);
      const idle = await world.connectTls();
      idle.write(`GET / HTTP/1.1\r\nHost: ${API}\r\n\r\n`);
      await once(idle, 'data'); // a refusal: there is no upstream
      clock.advance(limits.egressIdleTimeoutMs);
      expect([await readAll(silent), await readAll(idle)]).toEqual(['', '']); // each ended without another word
    });
  });

  it('egress_client_tls: a program that does not trust the cell', async () => {
    await inWorld({}, async (world) => {
      const { host, port } = await world.placeOf(API, 443);
      /* It breaks off the handshake, as most do. */
      const client = spawn('openssl', [
        's_client',
        '-connect',
        `${host}:${port}`,
        '-servername',
        API,
        '-verify_return_error',
      ]);
      await once(client, 'exit');
      expect((await world.eventsOf('egress.refused'))[0]?.data).toMatchObject({
        code: 'egress_client_tls',
        host: API,
      });
    });
  });

  it('egress_client_tls: a program that looks at certificates behind the handshake, as Node does', async () => {
    await inWorld({}, async (world) => {
      const client = connect({ ...(await world.placeOf(API, 443)), servername: API });
      const [error] = (await once(client, 'error')) as [NodeJS.ErrnoException];
      expect(error.code).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE');
      expect((await world.eventsOf('egress.refused'))[0]?.data).toMatchObject({
        code: 'egress_client_tls',
        host: API,
        port: 443,
      });
    });
  });

  it('no egress_client_tls: a program that has said something, that closes what it had in reserve, or that was cut', async () => {
    const clock = fixedClock(0);
    await inWorld({ clock: { ...clock, now: () => Date.now() } }, async (world) => {
      const silent = await world.connectTls();
      const reserve = await world.connectTls();
      const spoke = await world.connectTls();
      spoke.write('G');
      const refused = await world.connectTls();
      refused.write('GET / HTTP/1.1\r\n\r\n');
      await once(refused, 'data'); // by now, what came before it was read
      spoke.end();
      await readAll(spoke);
      clock.advance(limits.clientTlsDoubtMs);
      reserve.end();
      await readAll(reserve);
      clock.advance(limits.egressIdleTimeoutMs);
      await Promise.all([readAll(silent), readAll(refused)]);
      await once(connect({ ...(await world.placeOf(API, 443)), servername: API }), 'error');
      const events = await world.eventsOf('egress.refused', 2);
      expect(events.map(({ data }) => data['code'])).toEqual([
        'egress_request_malformed',
        'egress_client_tls',
      ]);
    });
  });
});

describe('refusals by what the upstream does', () => {
  it.each([
    ['egress_response_malformed', 'HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nok', 'bare_lf'],
    [
      'egress_response_malformed',
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok',
      'content_length_with_transfer_encoding',
    ],
    [
      'egress_response_malformed',
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n',
      'upgrade_not_asked_for',
    ],
    ['egress_response_malformed', 'SSH-2.0-OpenSSH_9.2\r\n', 'status_line_malformed'],
    [
      'egress_content_coding',
      'HTTP/1.1 200 OK\r\nContent-Encoding: rot13\r\nContent-Length: 2\r\n\r\nok',
      'unknown',
    ],
  ])('%s: %j', async (code, answer, reason) => {
    const upstream = await answering((socket) => socket.write(answer));
    await inWorld({ upstreams: { 'api.test:443': upstream } }, async (world) => {
      const reply = await world.request({ headers: { Authorization: `Bearer ${PLACEHOLDER}` } });
      expect([reply.status, errorOf(reply).code]).toEqual([502, code]);
      expect(refusedEvent(world)).toMatchObject({ type: 'egress.refused', code, reason });
      expect((await world.eventsOf('egress.finished'))[0]?.data).toMatchObject({
        status: 502,
        code,
        credentials: ['TOKEN'],
      });
    });
  });

  it('egress_content_charset', async () => {
    const upstream = await answering((socket) =>
      socket.write(
        'HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=ibm037\r\nContent-Length: 2\r\n\r\n\x96\x92',
        'latin1',
      ),
    );
    await inWorld({ upstreams: { 'api.test:443': upstream } }, async (world) => {
      const reply = await world.request();
      expect([reply.status, errorOf(reply)]).toEqual([
        502,
        {
          code: 'egress_content_charset',
          message: 'api.test:443 answered in a character set that cannot be searched for keys.',
          hint: 'Ask for UTF-8. Keys are looked for where ASCII is ASCII, and in UTF-16.',
        },
      ]);
      expect(refusedEvent(world)).toMatchObject({ type: 'egress.refused', code: 'egress_content_charset' });
    });
  });

  it('egress_upstream_closed', async () => {
    const upstream = await answering((socket) => socket.destroy());
    await inWorld({ upstreams: { 'api.test:443': upstream } }, async (world) => {
      const reply = await world.request();
      expect([reply.status, errorOf(reply).code]).toEqual([502, 'egress_upstream_closed']);
    });
  });

  it('egress_upstream_unreachable', async () => {
    const upstream = await httpsUpstream((_request, response) => response.end());
    await upstream.close();
    await inWorld(
      { upstreams: { 'api.test:443': { ...upstream, close: async () => undefined } } },
      async (world) => {
        const reply = await world.request();
        expect([reply.status, errorOf(reply).code]).toEqual([502, 'egress_upstream_unreachable']);
        expect(errorOf(reply).message).toBe('api.test:443 could not be reached (ECONNREFUSED).');
      },
    );
  });

  it('egress_upstream_unresolved', async () => {
    await inWorld({}, async (world) => {
      const reply = await world.request();
      expect([reply.status, errorOf(reply)]).toEqual([
        502,
        {
          code: 'egress_upstream_unresolved',
          message: 'The name api.test could not be resolved.',
          hint: 'Check the name, and the resolver of the machine that Sallyport runs on.',
        },
      ]);
    });
  });

  it('a client that has closed its side is waited for no longer than that: it may have left', async () => {
    const clock = fixedClock(0);
    const { promise: asked, resolve } = Promise.withResolvers<void>();
    const upstream = await answering(() => resolve());
    await inWorld(
      { upstreams: { 'api.test:443': upstream }, clock: { ...clock, now: () => Date.now() } },
      async (world) => {
        const socket = await world.connectTls();
        socket.resume();
        socket.end(`GET / HTTP/1.1\r\nHost: ${API}\r\n\r\n`);
        await asked;
        clock.advance(limits.halfClosedTimeoutMs - 1);
        await new Promise((done) => setTimeout(done, 2 * limits.egressSweepIntervalMs));
        expect(world.events.map(({ type }) => type)).not.toContain('egress.finished'); // control
        clock.advance(1);
        expect((await world.eventsOf('egress.finished'))[0]?.data).toMatchObject({
          status: null,
          code: 'client_closed',
        });
        for (const connection of upstream.connections)
          if (!connection.destroyed) await once(connection, 'close');
      },
    );
  });

  it('egress_timeout: an answer that does not begin, and one that does not go on', async () => {
    const clock = fixedClock(0);
    const { promise: asked, resolve } = Promise.withResolvers<void>();
    const upstream = await answering(() => resolve());
    await inWorld(
      { upstreams: { 'api.test:443': upstream }, clock: { ...clock, now: () => Date.now() } },
      async (world) => {
        const reply = world.request();
        await asked;
        clock.advance(limits.upstreamHeadTimeoutMs);
        expect([(await reply).status, errorOf(await reply).code]).toEqual([504, 'egress_timeout']);
      },
    );
    const stalling = await answering((socket) =>
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc'),
    );
    await inWorld(
      { upstreams: { 'api.test:443': stalling }, clock: { ...clock, now: () => Date.now() } },
      async (world) => {
        const socket = await world.connectTls();
        socket.write(`GET / HTTP/1.1\r\nHost: ${API}\r\n\r\n`);
        await once(socket, 'data');
        clock.advance(limits.egressBodyIdleTimeoutMs);
        await readAll(socket);
        expect((await world.eventsOf('egress.finished'))[0]?.data).toMatchObject({
          status: 200,
          code: 'egress_timeout',
        });
      },
    );
  });

  it('cuts an answer that has begun and cannot be carried on', async () => {
    const upstream = await answering((socket) =>
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc'),
    );
    await inWorld({ upstreams: { 'api.test:443': upstream } }, async (world) => {
      const text = await world.exchange(`GET / HTTP/1.1\r\nHost: ${API}\r\n\r\n`);
      expect(text).not.toContain('error');
      expect((await world.eventsOf('egress.finished'))[0]?.data).toMatchObject({
        status: 200,
        code: 'egress_upstream_closed',
      });
    });
  });
});

describe('the number of connections of a cell', () => {
  it('is limited, and the limit is recorded once', async () => {
    await inWorld({}, async (world) => {
      const sockets = [];
      for (let count = 0; count < limits.cellConnectionsMax; count += 1)
        sockets.push(await world.connectTcp(API, 443));
      const extra = await world.connectTcp(API, 443);
      expect(await readAll(extra)).toBe('');
      await readAll(await world.connectTcp(API, 443));
      const refused = await world.eventsOf('egress.refused');
      expect(refused.map(({ data }) => data['code'])).toEqual(['egress_connections_limit']);
      for (const socket of sockets) socket.destroy();
    });
  });
});
