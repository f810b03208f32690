/**
 * The explicit proxy under attack: no token, a bad one, one that was taken away; one name in CONNECT and another in TLS or
 * Host; what is no TLS in a tunnel; placeholders in the wrong place. The controls are requests that are right.
 */
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { Duplex } from 'node:stream';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { AppError, fixedClock, limits, systemRandom } from '../../src/kernel/index.ts';
import { basic, GOOD, inProxyWorld, OUTSIDE_PLACEHOLDER, type ProxyWorld } from '../egress/proxy-world.ts';
import {
  API,
  apiRule,
  bearer,
  errorOf,
  httpsUpstream,
  httpUpstream,
  PLACEHOLDER,
  readAll,
  TOKEN,
  turns,
} from '../egress/world.ts';

const OTHER = 'other.test';
const GET = `GET /a HTTP/1.1\r\nHost: ${API}\r\nAuthorization: Bearer ${OUTSIDE_PLACEHOLDER}\r\nConnection: close\r\n\r\n`;

interface Seen {
  /** Host, path and the key, of every request that arrived. */
  readonly requests: string[];
}

/** Two hosts with https, and one of them with http; a key for the first. */
async function inTwoHosts(
  body: (proxy: ProxyWorld, seen: Seen) => Promise<void>,
  clock?: ReturnType<typeof fixedClock>,
): Promise<void> {
  const requests: string[] = [];
  const upstreams = {
    [`${API}:443`]: await httpsUpstream((request, response) => {
      const { authorization, 'proxy-authorization': login } = request.headers;
      requests.push([API, request.url, authorization, login].filter(Boolean).join(' '));
      response.end(`key ${String(authorization)}`);
    }),
    [`${OTHER}:443`]: await httpsUpstream((request, response) => {
      requests.push(`${OTHER} ${request.url}`);
      response.end('other');
    }, OTHER),
    [`${OTHER}:80`]: await httpUpstream((request, response) => {
      const { 'proxy-authorization': login, 'proxy-connection': kept } = request.headers;
      requests.push(['http', request.headers.host, request.url, login, kept].filter(Boolean).join(' '));
      response.end('plain');
    }),
  };
  const rules = [
    apiRule(),
    apiRule({ host: OTHER }),
    apiRule({ host: OTHER, port: 80, protocol: 'http', paths: ['/a'] }),
  ];
  const options = { rules, upstreams, ...(clock === undefined ? {} : { clock }) };
  await inProxyWorld(options, (proxy) => body(proxy, { requests }));
}

async function ask(secure: TLSSocket, text = GET): Promise<string> {
  secure.write(text);
  return readAll(secure);
}

const plain = (target: string, fields: string, login = basic('github', GOOD)): string =>
  `GET ${target} HTTP/1.1\r\nProxy-Authorization: ${login}\r\n${fields}\r\n`;

describe('the explicit proxy', () => {
  it('control: takes the same way as a request of a cell, and says in every event how it came', async () => {
    await inTwoHosts(async (proxy, seen) => {
      const answer = await ask(await proxy.secure());
      expect(answer).toContain('200 OK');
      expect(answer).toContain(`key Bearer ${OUTSIDE_PLACEHOLDER}`);
      expect(answer).not.toContain(TOKEN);
      expect(seen.requests).toEqual([`${API} /a Bearer ${TOKEN}`]);
      const { world } = proxy;
      const [finished] = await world.eventsOf('egress.finished');
      const about = { via: 'proxy', host: API, method: 'GET', path: '/a', profile: 'default' };
      expect(finished).toMatchObject({
        actor: { kind: 'token', id: 'tok_1' },
        server: 'github',
        data: { ...about, agent: 'cursor', status: 200 },
      });
      expect((await world.eventsOf('egress.masked'))[0]).toMatchObject({ data: { via: 'proxy' } });
      const [used] = await world.eventsOf('credential.used');
      expect(used?.data).toMatchObject({ credential: 'TOKEN', for: about });
    });
  });

  it.each([
    ['the server and the token', basic('github', GOOD), { server: 'github', token: GOOD }],
    ['the token as user', basic(GOOD, ''), { server: null, token: GOOD }],
    ['the token as password', basic('', GOOD), { server: null, token: GOOD }],
    ['the token as bearer', `Bearer ${GOOD}`, { server: null, token: GOOD }],
  ])('control: a login with %s', async (_name, authorization, login) => {
    await inTwoHosts(async (proxy) => {
      expect((await proxy.tunnel(`${API}:443`, { authorization })).status).toBe(200);
      expect(proxy.logins).toEqual([login]);
    });
  });

  it('control: a client that says HTTP/1.0 and no Host gets its tunnel', async () => {
    await inTwoHosts(async (proxy) => {
      expect((await proxy.tunnel(`${API}:443`, { version: '1.0', fields: '' })).status).toBe(200);
    });
  });

  it('control: TLS may begin before the tunnel is granted', async () => {
    await inTwoHosts(async (proxy, seen) => {
      const socket = await proxy.connect();
      let head = Buffer.from(`CONNECT ${API}:443 HTTP/1.1\r\nProxy-Authorization: Bearer ${GOOD}\r\n\r\n`);
      let isGranted = false;
      /* What TLS says first leaves in one piece with the head. */
      const eager = new Duplex({
        read: () => undefined,
        write(bytes: Buffer, _encoding, done) {
          socket.write(Buffer.concat([head, bytes]), done);
          head = Buffer.alloc(0);
        },
      });
      socket.on('data', (bytes: Buffer) => {
        const end = isGranted ? 0 : bytes.indexOf('\r\n\r\n') + 4;
        isGranted = true;
        if (end < bytes.length) eager.push(bytes.subarray(end));
      });
      socket.on('end', () => eager.push(null));
      const secure = connectTls({ socket: eager, servername: API, ca: proxy.share.caPem });
      expect(await ask(secure)).toContain('200 OK');
      expect(seen.requests).toEqual([`${API} /a Bearer ${TOKEN}`]);
    });
  });

  it('control: http goes without a tunnel, one request for each connection', async () => {
    await inTwoHosts(async (proxy, seen) => {
      const url = `http://${OTHER}/a?b=1`;
      const answer = await proxy.say(
        plain(url, `Host: ${OTHER}\r\nProxy-Connection: keep-alive\r\n`) + plain(url, `Host: ${OTHER}\r\n`),
      );
      expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
      expect(answer).toContain('Connection: close');
      expect(answer.endsWith('plain')).toBe(true);
      expect(seen.requests).toEqual([`http ${OTHER} /a?b=1`]);
    });
  });

  it('control: a body outside of a tunnel arrives as it was sent, however it comes', async () => {
    const bodies: Buffer[] = [];
    const upstream = await httpUpstream((request, response) => {
      const pieces: Buffer[] = [];
      request.on('data', (piece: Buffer) => pieces.push(piece));
      request.on('end', () => {
        bodies.push(Buffer.concat(pieces));
        response.end('ok');
      });
    });
    const rules = [apiRule({ port: 80, protocol: 'http' })];
    await inProxyWorld({ rules, upstreams: { [`${API}:80`]: upstream } }, async (proxy) => {
      const body = systemRandom.bytes(3 * 1024 * 1024);
      const socket = await proxy.connect();
      const head = `POST http://${API}/ HTTP/1.1\r\nProxy-Authorization: Bearer ${GOOD}\r\nHost: ${API}\r\nContent-Length: ${body.length}\r\n\r\n`;
      socket.write(Buffer.concat([Buffer.from(head), body.subarray(0, 10_000)]));
      for (let at = 10_000; at < body.length; at += 50_001) socket.write(body.subarray(at, at + 50_001));
      expect(await readAll(socket)).toContain('200 OK');
      expect(bodies[0]?.equals(body)).toBe(true);
    });
  });

  it('control: HTTP/2 in a tunnel', async () => {
    await inTwoHosts(async (proxy, seen) => {
      const { socket } = await proxy.tunnel(`${API}:443`);
      const secure = connectTls({ socket, servername: API, ca: proxy.share.caPem, ALPNProtocols: ['h2'] });
      await once(secure, 'secureConnect');
      const session = connectHttp2(`https://${API}`, { createConnection: () => secure });
      const stream = session.request({ ':path': '/h2', authorization: `Bearer ${OUTSIDE_PLACEHOLDER}` });
      const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
      expect(headers[':status']).toBe(200);
      session.destroy();
      expect(seen.requests).toEqual([`${API} /h2 Bearer ${TOKEN}`]);
    });
  });
});

describe('ATTACKS 18: without a token that is good', () => {
  it.each([
    ['none', null],
    ['an empty one', basic('', '')],
    ['two words', 'Basic a b'],
    ['another scheme', `Digest username="${GOOD}"`],
    ['a server that is none', basic('../x', GOOD)],
  ])('%s: 407, and an event', async (_name, authorization) => {
    await inTwoHosts(async (proxy) => {
      const { status, text } = await proxy.tunnel(`${API}:443`, { authorization });
      expect(status).toBe(407);
      expect(text).toContain('Proxy-Authenticate: Basic realm="Sallyport"');
      expect(errorOf(text).code).toBe('proxy_login_needed');
      expect(proxy.logins).toEqual([]);
      expect((await proxy.world.eventsOf('egress.refused'))[0]).toMatchObject({
        actor: { kind: 'system', id: 'gateway' },
        data: { code: 'proxy_login_needed', via: 'proxy', host: API, port: 443, remoteAddress: '127.0.0.1' },
      });
    });
  });

  it('a bad one, for a tunnel and for a request: 407, and nothing of it is told', async () => {
    await inTwoHosts(async (proxy, seen) => {
      const authorization = basic('github', 'sally_bad');
      expect(await proxy.tunnel(`${API}:443`, { authorization })).toMatchObject({ status: 407 });
      const answer = await proxy.say(plain(`http://${OTHER}/a`, `Host: ${OTHER}\r\n`, authorization));
      expect(answer).toMatch(/^HTTP\/1\.1 407 /);
      expect(errorOf(answer).code).toBe('token_unknown');
      expect(answer).not.toContain('sally_bad');
      expect(seen.requests).toEqual([]);
    });
  });

  it('two logins: neither is taken', async () => {
    await inTwoHosts(async (proxy) => {
      const fields = `Proxy-Authorization: ${basic('github', GOOD)}\r\n`;
      expect((await proxy.tunnel(`${API}:443`, { fields })).status).toBe(407);
      expect(proxy.logins).toEqual([]);
    });
  });

  it.each([
    ['limited', 429],
    ['denied', 403],
    ['not_found', 403],
    ['unavailable', 502],
  ] as const)('%s: %i, and an event', async (kind, expected) => {
    await inTwoHosts(async (proxy) => {
      proxy.refusal = new AppError('kill_active', 'no', { kind });
      const { status, text } = await proxy.tunnel(`${API}:443`);
      expect([status, errorOf(text).code]).toEqual([expected, 'kill_active']);
      expect((await proxy.world.eventsOf('egress.refused'))[0]?.data).toMatchObject({
        code: 'kill_active',
        asked: 'github',
        via: 'proxy',
      });
    });
  });

  it('the token of a tunnel is asked for again for the next tunnel, and closing the session cuts the open ones', async () => {
    await inTwoHosts(async (proxy, seen) => {
      const open = await proxy.secure();
      open.on('error', () => undefined).resume();
      proxy.refusal = new AppError('token_revoked', 'no', { kind: 'unauthenticated' });
      expect((await proxy.tunnel(`${API}:443`)).status).toBe(407);
      const cut = once(open, 'close');
      proxy.share.close();
      await cut;
      expect(seen.requests).toEqual([]);
    });
  });

  it('a session that ends while the login is looked at gets nothing', async () => {
    await inTwoHosts(async (proxy) => {
      proxy.share.close();
      const { status, socket } = await proxy.tunnel(`${API}:443`);
      expect(status).toBe(0);
      expect(socket.destroyed || socket.readableEnded).toBe(true);
    });
  });
});

describe('ATTACKS 10: one name in CONNECT, and another behind it', () => {
  it.each([
    ['an unlisted host', 'evil.test:443', 'egress_host_denied'],
    ['a listed host on another port', `${API}:8443`, 'egress_port_denied'],
    ['a listed host that speaks http there', `${OTHER}:80`, 'egress_protocol_denied'],
  ])('CONNECT to %s: refused before a certificate is made', async (_name, target, code) => {
    await inTwoHosts(async (proxy) => {
      const { status, text } = await proxy.tunnel(target);
      expect(status).toBe(403);
      expect(errorOf(text).code).toBe(code);
      expect((await proxy.world.eventsOf('egress.refused'))[0]).toMatchObject({
        actor: { kind: 'token', id: 'tok_1' },
        data: { code, via: 'proxy' },
      });
    });
  });

  it.each([
    ['an address', '127.0.0.1:443', 'target_address'],
    ['an address of IPv6', '[::1]:443', 'target_address'],
    ['an address in disguise', '2130706433:443', 'hostname_numeric'],
    ['no port', API, 'port_missing'],
    ['a port that is none', `${API}:0443`, 'authority_port'],
  ])('CONNECT to %s: 400', async (_name, target, reason) => {
    await inTwoHosts(async (proxy) => {
      const { status, text } = await proxy.tunnel(target, { fields: `Host: ${API}:443\r\n` });
      expect([status, errorOf(text).code]).toEqual([400, 'egress_proxy_target']);
      expect((await proxy.world.eventsOf('egress.refused'))[0]?.data).toMatchObject({
        code: 'egress_proxy_target',
        reason,
      });
      expect(proxy.logins).toEqual([]);
    });
  });

  it.each([
    ['Host of another host', `Host: ${OTHER}:443\r\n`, 'target_host_differs'],
    ['Host with another port', `Host: ${API}:80\r\n`, 'target_host_differs'],
    ['two Hosts', `Host: ${API}:443\r\nHost: ${OTHER}:443\r\n`, 'host_repeated'],
    ['a body', `Host: ${API}:443\r\nContent-Length: 5\r\n`, 'connect_with_body'],
    ['a chunked body', `Host: ${API}:443\r\nTransfer-Encoding: chunked\r\n`, 'connect_with_body'],
  ])('CONNECT with %s: 400', async (_name, fields, reason) => {
    await inTwoHosts(async (proxy) => {
      const { status, text } = await proxy.tunnel(`${API}:443`, { fields });
      expect([status, errorOf(text).code]).toEqual([400, 'egress_proxy_target']);
      expect((await proxy.world.eventsOf('egress.refused'))[0]?.data).toMatchObject({ reason });
    });
  });

  it('another name in TLS, though it is listed: an alert instead of a certificate', async () => {
    await inTwoHosts(async (proxy) => {
      const { socket } = await proxy.tunnel(`${API}:443`);
      const secure = connectTls({ socket, servername: OTHER, ca: proxy.share.caPem });
      const [error] = (await once(secure, 'error')) as [NodeJS.ErrnoException];
      expect(error.code).toBe('ERR_SSL_TLSV1_UNRECOGNIZED_NAME');
      expect((await proxy.world.eventsOf('egress.refused'))[0]?.data).toMatchObject({
        code: 'egress_name_mismatch',
        sni: OTHER,
        via: 'proxy',
      });
    });
  });

  it('another name in Host, though it is listed', async () => {
    await inTwoHosts(async (proxy, seen) => {
      const answer = await ask(await proxy.secure(), GET.replace(`Host: ${API}`, `Host: ${OTHER}`));
      expect(errorOf(answer).code).toBe('egress_name_mismatch');
      expect(seen.requests).toEqual([]);
      expect(proxy.world.uses).toEqual([]);
    });
  });

  it('a tunnel in the tunnel', async () => {
    await inTwoHosts(async (proxy) => {
      const text = `CONNECT ${OTHER}:443 HTTP/1.1\r\nHost: ${OTHER}:443\r\nConnection: close\r\n\r\n`;
      expect(errorOf(await ask(await proxy.secure(), text)).code).toBe('egress_request_malformed');
    });
  });

  it.each([
    ['another host in Host', plain(`http://${OTHER}/a`, `Host: ${API}\r\n`), 'egress_name_mismatch'],
    ['no Host', plain(`http://${OTHER}/a`, ''), 'egress_request_malformed'],
    ['https', plain(`https://${API}/a`, `Host: ${API}\r\n`), 'egress_proxy_target'],
    ['a path alone', plain('/a', `Host: ${OTHER}\r\n`), 'egress_proxy_target'],
    ['userinfo', plain(`http://u@${OTHER}/a`, `Host: ${OTHER}\r\n`), 'egress_proxy_target'],
    ['an address', plain('http://127.0.0.1/a', 'Host: 127.0.0.1\r\n'), 'egress_proxy_target'],
    ['a host with https alone', plain(`http://${API}/a`, `Host: ${API}\r\n`), 'egress_port_denied'],
    ['a path that is not listed', plain(`http://${OTHER}/b`, `Host: ${OTHER}\r\n`), 'egress_path_denied'],
    ['a space before a colon', plain(`http://${OTHER}/a`, `Host : ${OTHER}\r\n`), 'egress_request_malformed'],
  ])('a request outside of a tunnel with %s', async (_name, text, code) => {
    await inTwoHosts(async (proxy, seen) => {
      expect(errorOf(await proxy.say(text)).code).toBe(code);
      expect(seen.requests).toEqual([]);
      expect((await proxy.world.eventsOf('egress.refused'))[0]?.data).toMatchObject({ code, via: 'proxy' });
    });
  });
});

describe('what is in a tunnel', () => {
  it('http: refused in words, because nobody would know where it goes', async () => {
    await inTwoHosts(async (proxy, seen) => {
      const { socket } = await proxy.tunnel(`${API}:443`);
      socket.write(GET);
      expect(errorOf(await readAll(socket)).code).toBe('egress_tunnel_plain');
      expect(seen.requests).toEqual([]);
      expect((await proxy.world.eventsOf('egress.refused'))[0]?.data).toMatchObject({
        code: 'egress_tunnel_plain',
        via: 'proxy',
      });
    });
  });

  it('neither TLS nor http: cut', async () => {
    await inTwoHosts(async (proxy) => {
      const { socket } = await proxy.tunnel(`${API}:443`);
      socket.write('\x00\x01SSH-2.0');
      expect(await readAll(socket)).toBe('');
      expect((await proxy.world.eventsOf('egress.refused'))[0]?.data).toMatchObject({
        code: 'egress_protocol_unknown',
        via: 'proxy',
      });
    });
  });

  it("a cell's placeholder is foreign here, and this one's is in a cell", async () => {
    await inTwoHosts(async (proxy, seen) => {
      const { world } = proxy;
      const text = GET.replace(OUTSIDE_PLACEHOLDER, PLACEHOLDER);
      expect(errorOf(await ask(await proxy.secure(), text)).code).toBe('egress_placeholder_foreign');
      const [foreign] = await world.eventsOf('placeholder.foreign');
      expect(foreign).toMatchObject({ actor: { kind: 'token', id: 'tok_1' }, data: { via: 'proxy' } });
      const headers = { Authorization: `Bearer ${OUTSIDE_PLACEHOLDER}` };
      expect(errorOf(await world.request({ headers })).code).toBe('egress_placeholder_foreign');
      expect(seen.requests).toEqual([]);
    });
  });

  it('a placeholder for a host that it is not bound to', async () => {
    await inTwoHosts(async (proxy, seen) => {
      const text = GET.replace(`Host: ${API}`, `Host: ${OTHER}`);
      expect(errorOf(await ask(await proxy.secure(OTHER), text)).code).toBe('egress_placeholder_misplaced');
      expect(seen.requests).toEqual([]);
      expect((await proxy.world.eventsOf('credential.refused'))[0]?.data).toMatchObject({ via: 'proxy' });
    });
  });

  it('a key that is for calls only is not for programs outside, from the first moment on', async () => {
    const upstream = await httpsUpstream((_request, response) => response.end('ok'));
    const credentials = [bearer({ placeholder: OUTSIDE_PLACEHOLDER, use: 'during-calls' })];
    await inProxyWorld(
      { upstreams: { [`${API}:443`]: upstream }, session: { credentials } },
      async (proxy) => {
        expect(errorOf(await ask(await proxy.secure())).code).toBe('egress_credential_outside_call');
        expect(proxy.world.uses).toEqual([]);
      },
    );
  });
});

describe('ATTACKS 7: connections to the proxy that go nowhere', () => {
  it('so many may wait at a time, and one that ends makes room', async () => {
    await inTwoHosts(async (proxy) => {
      const idle = await Promise.all(
        Array.from({ length: limits.proxyConnectionsMax }, () => proxy.connect()),
      );
      expect((await proxy.tunnel(`${API}:443`)).status).toBe(0);
      expect((await proxy.world.eventsOf('egress.refused'))[0]?.data).toMatchObject({
        code: 'egress_connections_limit',
        via: 'proxy',
      });
      for (const socket of idle) socket.destroy();
      for (let status = 0; status !== 200; ) ({ status } = await proxy.tunnel(`${API}:443`));
    });
  });

  it('a head that does not come is waited for only so long', async () => {
    const clock = fixedClock(1_000_000);
    await inTwoHosts(async (proxy) => {
      const socket = await proxy.connect();
      socket.resume().write(`CONNECT ${API}:443 HTTP/1.1\r\n`);
      const closed = once(socket, 'close');
      await turns();
      clock.advance(limits.egressHeadTimeoutMs);
      await closed;
    }, clock);
  });

  it('a head that is too large', async () => {
    await inTwoHosts(async (proxy) => {
      const { status, text } = await proxy.tunnel(`${API}:443`, {
        fields: `X: ${'x'.repeat(limits.requestHeadBytesMax)}\r\n`,
      });
      expect([status, errorOf(text).code]).toEqual([400, 'egress_request_malformed']);
    });
  });
});
