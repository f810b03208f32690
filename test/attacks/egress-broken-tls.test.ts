/** ATTACKS 16: whoever sits between the gateway and an upstream breaks TLS off once it is established. */
import { once } from 'node:events';
import { createSecureServer } from 'node:http2';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { type SecureVersion, createServer as createTlsServer } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { API, errorOf, inWorld, PLACEHOLDER, testAuthority, type Upstream } from '../egress/world.ts';

const AUTH = { headers: { Authorization: `Bearer ${PLACEHOLDER}` } };
/** A fatal alert in the clear, and a record that nobody encrypted. */
const ALERT = Buffer.of(21, 3, 3, 0, 2, 2, 80);
const RECORD = Buffer.concat([Buffer.of(23, 3, 3, 0, 32), Buffer.alloc(32, 7)]);

async function portOf(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

function upstreamServer(protocol: string, maxVersion: SecureVersion): Server {
  const options = { ...testAuthority.issue(API), maxVersion };
  const server =
    protocol === 'h2'
      ? createSecureServer(options, (_request, response) => response.end('ok')).on(
          'sessionError',
          () => undefined,
        )
      : createTlsServer(options, (socket) => {
          socket.on('error', () => socket.destroy());
          socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'));
        });
  return server.on('tlsClientError', () => undefined);
}

/** Passes everything on, and adds to what the upstream says when that has been said often enough. */
async function between(port: number, flight: number, added: Buffer): Promise<Upstream> {
  const connections: Socket[] = [];
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    let flights = 0;
    for (const socket of [near, far]) connections.push(socket.on('error', () => socket.destroy()));
    near.on('data', (data) => far.write(data)).on('close', () => far.destroy());
    far.on('data', (data) => {
      flights += 1;
      near.write(flights === flight ? Buffer.concat([data, added]) : data);
    });
  });
  const own = await portOf(server);
  return {
    address: `127.0.0.1:${own}`,
    connections,
    async close() {
      for (const socket of connections) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Of the upstream's flights, the one after which the gateway takes TLS for established. */
const LAST_FLIGHT = { 'TLSv1.2': 2, 'TLSv1.3': 1 } as const;

describe('ATTACKS 16: TLS that is broken off after the handshake', () => {
  it.each(
    (['TLSv1.2', 'TLSv1.3'] as const).flatMap((version) =>
      ['http/1.1', 'h2'].flatMap((protocol) =>
        [
          ['an alert', ALERT],
          ['a record of somebody else', RECORD],
        ].map(([name, added]) => [version, protocol, name, added] as const),
      ),
    ),
  )('%s, %s, %s: the request is refused and nobody waits', async (version, protocol, _name, added) => {
    const server = upstreamServer(protocol, version);
    const upstream = await between(await portOf(server), LAST_FLIGHT[version], added as Buffer);
    await inWorld({ upstreams: { 'api.test:443': upstream } }, async (world) => {
      const reply = await world.request(AUTH);
      expect([reply.status, errorOf(reply).code]).toEqual([502, 'egress_upstream_closed']);
    });
    server.close();
  });
});
