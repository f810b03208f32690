/** ATTACKS 15: a listed name that leads to where no upstream is. The control is the same with the network allowed. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { describe, expect, it } from 'vitest';
import { API, errorOf, httpsUpstream, httpUpstream, inWorld, PLACEHOLDER, readAll } from '../egress/world.ts';

const AUTH = { headers: { Authorization: `Bearer ${PLACEHOLDER}` } };

describe('ATTACKS 15: SSRF by DNS', () => {
  it('control: a loopback upstream is reached when its network is allowed', async () => {
    const upstream = await httpsUpstream((request, response) => response.end(request.headers.host));
    await inWorld(
      { upstreams: { 'api.test:443': upstream }, allowNetworks: ['127.0.0.0/8'] },
      async (world) => {
        expect((await world.request(AUTH)).status).toBe(200);
      },
    );
  });

  it('an override leads nowhere special either, unless the network is allowed', async () => {
    const upstream = await httpsUpstream((_request, response) => response.end('ok'));
    await inWorld({ upstreams: { 'api.test:443': upstream }, allowNetworks: [] }, async (world) => {
      expect(errorOf(await world.request(AUTH)).code).toBe('egress_upstream_address_refused');
      expect(upstream.connections).toHaveLength(0);
      expect((await world.eventsOf('egress.refused'))[0]?.data).toMatchObject({
        code: 'egress_upstream_address_refused',
        reason: 'loopback',
      });
    });
  });

  it.each([
    ['127.0.0.1', 'loopback'],
    ['::1', 'loopback'],
    ['10.1.2.3', 'private'],
    ['172.16.0.1', 'private'],
    ['192.168.1.1', 'private'],
    ['fd12:3456::1', 'private'],
    ['169.254.169.254', 'metadata'],
    ['fd00:ec2::254', 'metadata'],
    ['169.254.1.1', 'link_local'],
    ['fe80::1', 'link_local'],
    ['100.64.0.1', 'cgnat'],
    ['0.0.0.0', 'unspecified'],
    ['::', 'unspecified'],
    ['224.0.0.1', 'multicast'],
    ['198.18.0.1', 'benchmarking'],
    ['::ffff:127.0.0.1', 'loopback'],
    ['64:ff9b::7f00:1', 'loopback'],
    ['64:ff9b::a9fe:a9fe', 'metadata'],
    ['2002:7f00:1::', 'loopback'],
    ['0.1.2.3', 'unspecified'],
    ['127.255.255.254', 'loopback'],
    ['172.31.255.255', 'private'],
    ['100.127.255.255', 'cgnat'],
    ['100.100.100.200', 'metadata'],
    ['239.1.2.3', 'multicast'],
    ['ff02::1', 'multicast'],
    ['255.255.255.255', 'reserved'],
    ['240.0.0.1', 'reserved'],
    ['::ffff:169.254.169.254', 'metadata'],
    ['::7f00:1', 'loopback'],
    ['64:ff9b::a00:1', 'private'],
    ['64:ff9b:1::7f00:1', 'nat64_embedded'],
    ['2002:a9fe:a9fe::', 'metadata'],
    ['2001:0:7f00:1::', 'reserved'],
  ])('%s is %s', async (address, kind) => {
    await inWorld({ resolutions: { [API]: [address] }, allowNetworks: [] }, async (world) => {
      const reply = await world.request(AUTH);
      expect([reply.status, errorOf(reply).code]).toEqual([403, 'egress_upstream_address_refused']);
      expect(errorOf(reply).message).toBe(
        `${API} resolves to an address that may not be connected to (${kind}).`,
      );
      expect((await world.eventsOf('egress.refused'))[0]?.data).toMatchObject({
        code: 'egress_upstream_address_refused',
        reason: kind,
        addresses: [address],
      });
    });
  });

  it('rebinding: the address that was judged is the one that is connected to', async () => {
    const upstream = await httpsUpstream((_request, response) => response.end('ok'));
    const port = Number(upstream.address.split(':')[1]);
    const answers = [['127.0.0.1'], ['10.0.0.1'], ['169.254.169.254']];
    let asked = 0;
    const resolutions = {
      get [API](): readonly string[] {
        asked += 1;
        return answers[asked - 1] ?? [];
      },
    };
    /* The name is asked for once; if connecting asked again, it would get the second answer. */
    await inWorld(
      { rules: [{ host: API, port, protocol: 'https' }], resolutions, allowNetworks: ['127.0.0.0/8'] },
      async (world) => {
        const socket = await world.connectTls(API, port);
        socket.end(`GET / HTTP/1.1\r\nHost: ${API}:${port}\r\nAuthorization: Bearer ${PLACEHOLDER}\r\n\r\n`);
        let text = '';
        for await (const piece of socket) text += String(piece);
        expect(text).toContain('200 OK');
        expect(asked).toBe(1);
      },
    );
    await upstream.close();
  });

  describe("through the company's proxy", () => {
    /** Goes wherever it is told, and keeps what it was told; names mean this machine. */
    const openProxy = async (): Promise<{ port: number; asked: string[]; server: Server }> => {
      const asked: string[] = [];
      const server = createServer((socket) => {
        socket.on('error', () => undefined);
        socket.once('data', (head) => {
          const [, target = '', port = ''] = /^CONNECT (\S+):(\d+) /.exec(head.toString('latin1')) ?? [];
          asked.push(target);
          const upstream = connect(Number(port), '127.0.0.1', () => {
            socket.write('HTTP/1.1 200 OK\r\n\r\n');
            socket.pipe(upstream).pipe(socket);
          });
          upstream.on('error', () => socket.destroy());
          socket.on('close', () => upstream.destroy());
        });
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      return { port: (server.address() as AddressInfo).port, asked, server };
    };
    const config = { host: '127.0.0.1', credentials: null, except: [] };

    it.each([
      ['control: addresses that are checked here and allowed are reached', false, API, ['127.0.0.1'], '200'],
      ['control: so are names that the proxy resolves', true, API, [], '200'],
      ['special addresses that are checked here are not', false, API, ['169.254.169.254'], 'metadata'],
      ['nor is one of another range', false, API, ['10.0.0.1'], 'private'],
      [
        'nor are names that mean the local network to the proxy',
        true,
        'metadata.google.internal',
        [],
        'local_name',
      ],
    ])('%s', async (_name, resolves, host, addresses, expected) => {
      const upstream = await httpUpstream((_request, response) => response.end('ok'));
      const { port, asked, server } = await openProxy();
      const at = Number(upstream.address.split(':')[1]);
      const rules = [{ host, port: at, protocol: 'http' as const }];
      await inWorld(
        {
          rules,
          resolutions: resolves ? {} : { [host]: addresses },
          allowNetworks: ['127.0.0.0/8'],
          proxy: { ...config, port, resolves },
        },
        async (world) => {
          const socket = await world.connectTcp(host, at);
          socket.end(`GET / HTTP/1.1\r\nHost: ${host}:${at}\r\n\r\n`);
          const answer = await readAll(socket);
          if (expected === '200') {
            expect(answer).toContain('200 OK');
            expect(asked).toEqual([resolves ? host : '127.0.0.1']);
            return;
          }
          expect(errorOf(answer).code).toBe('egress_upstream_address_refused');
          expect((await world.eventsOf('egress.refused'))[0]?.data).toMatchObject({ reason: expected });
          expect(asked).toEqual([]);
        },
      );
      await upstream.close();
      server.close();
    });
  });

  it('a redirect is followed by nobody, and its target is out of reach', async () => {
    let requests = 0;
    const upstream = await httpsUpstream((_request, response) => {
      requests += 1;
      response.writeHead(302, { Location: 'http://169.254.169.254/latest/meta-data/' });
      response.end();
    });
    await inWorld({ upstreams: { 'api.test:443': upstream } }, async (world) => {
      const reply = await world.request(AUTH);
      expect([reply.status, reply.headers.location, requests]).toEqual([
        302,
        'http://169.254.169.254/latest/meta-data/',
        1,
      ]);
      await expect(world.resolver.resolve4('metadata.google.internal')).rejects.toMatchObject({
        code: 'ENOTFOUND',
      });
      expect((await world.eventsOf('dns.refused'))[0]?.data).toMatchObject({
        name: 'metadata.google.internal',
        reason: 'not_listed',
      });
    });
  });
});
