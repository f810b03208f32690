/** ATTACKS 16: upstreams that cannot prove who they are. The control is one that can. */
import { spawn } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { createTestAuthority, type Identity } from '../egress/test-authority.ts';
import {
  API,
  errorOf,
  inWorld,
  PLACEHOLDER,
  rawUpstream,
  testAuthority,
  type Upstream,
  type World,
} from '../egress/world.ts';

const DAY_MS = 86_400_000;
const now = Date.now();

/** An upstream that keeps whatever is said to it. */
async function listener(identity: Identity): Promise<{ upstream: Upstream; heard: () => string }> {
  let text = '';
  const upstream = await rawUpstream((socket) => {
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1');
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
  }, identity);
  return { upstream, heard: () => text };
}

const AUTH = { headers: { Authorization: `Bearer ${PLACEHOLDER}` } };

describe('ATTACKS 16: TLS of the upstream', () => {
  it('control: a certificate for the name, by a trusted authority', async () => {
    const { upstream } = await listener(testAuthority.issue(API));
    await inWorld({ upstreams: { 'api.test:443': upstream } }, async (world) => {
      expect((await world.request(AUTH)).status).toBe(200);
    });
  });

  it.each([
    [
      'expired',
      testAuthority.issue(API, { notBefore: now - 9 * DAY_MS, notAfter: now - DAY_MS }),
      'CERT_HAS_EXPIRED',
    ],
    [
      'not yet valid',
      testAuthority.issue(API, { notBefore: now + DAY_MS, notAfter: now + 2 * DAY_MS }),
      'CERT_NOT_YET_VALID',
    ],
    ['of another name', testAuthority.issue('other.test'), 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['self-signed', testAuthority.selfSigned(API), 'DEPTH_ZERO_SELF_SIGNED_CERT'],
    ['by an unknown authority', createTestAuthority(['test']).issue(API), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
  ])('%s', async (_name, identity, reason) => {
    const { upstream, heard } = await listener(identity);
    await inWorld({ upstreams: { 'api.test:443': upstream } }, async (world) => {
      const reply = await world.request(AUTH);
      expect([reply.status, errorOf(reply).code]).toEqual([502, 'egress_upstream_tls']);
      expect(errorOf(reply).message).toBe(`api.test:443 could not prove who it is (${reason}).`);
      expect(heard()).toBe('');
      expect((await world.eventsOf('egress.refused'))[0]?.data).toMatchObject({
        code: 'egress_upstream_tls',
        reason,
      });
    });
  });

  it('a downgrade: an upstream that only speaks TLS 1.1', async () => {
    const server = createServer({
      ...testAuthority.issue(API),
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT@SECLEVEL=0',
    });
    server.on('tlsClientError', (_error, socket) => socket.destroy());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const old = {
      host: '127.0.0.1',
      port,
      servername: API,
      ca: testAuthority.caPem,
      minVersion: 'TLSv1',
    } as const;
    const control = connect({ ...old, ciphers: 'DEFAULT@SECLEVEL=0' });
    await once(control, 'secureConnect');
    expect(control.getProtocol()).toBe('TLSv1.1'); // whoever accepts it gets through
    control.destroy();
    const upstream: Upstream = {
      address: `127.0.0.1:${port}`,
      connections: [],
      close: async () => {
        server.close();
      },
    };
    await inWorld({ upstreams: { 'api.test:443': upstream } }, async (world) => {
      expect(errorOf(await world.request(AUTH)).code).toBe('egress_upstream_tls');
      expect((await world.eventsOf('egress.refused'))[0]?.data).toMatchObject({
        code: 'egress_upstream_tls',
      });
    });
  });

  it('a downgrade by the cell: nothing below TLS 1.2 is spoken to it', async () => {
    await inWorld({}, async (world) => {
      const place = await world.placeOf(API, 443);
      const socket = connect({
        ...place,
        servername: API,
        ca: world.cell.caPem,
        minVersion: 'TLSv1',
        maxVersion: 'TLSv1.1',
        ciphers: 'DEFAULT@SECLEVEL=0',
      });
      const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
      expect(error.code).toMatch(/^ERR_SSL_/);
      expect((await world.eventsOf('egress.refused'))[0]?.data).toMatchObject({ code: 'egress_client_tls' });
    });
  });

  it('verification cannot be switched off from the environment', async () => {
    const { upstream, heard } = await listener(testAuthority.selfSigned(API));
    await inWorld({ upstreams: { 'api.test:443': upstream } }, async (world) => {
      const before = process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
      process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'; // what some do to reach a test server
      try {
        expect(errorOf(await world.request(AUTH)).code).toBe('egress_upstream_tls');
        expect(heard()).toBe('');
      } finally {
        if (before === undefined) delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
        else process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = before;
      }
    });
  });

  it('trusts a private authority only when the operator says so', async () => {
    const { upstream, heard } = await listener(testAuthority.issue(API));
    await inWorld({ upstreams: { 'api.test:443': upstream }, extraCa: [] }, async (world) => {
      expect(errorOf(await world.request(AUTH)).code).toBe('egress_upstream_tls');
      expect(heard()).toBe('');
    });
  });
});

const curl = '/usr/bin/curl';
const hasCurl = existsSync(curl);

describe(`ATTACKS 16: a program that pins${hasCurl ? '' : ` (waits for ${curl})`}`, () => {
  /** Runs curl with these options; gives its exit code and what it printed. */
  async function curled(
    world: World,
    caPem: string,
    ...options: string[]
  ): Promise<{ code: number; text: string }> {
    const folder = mkdtempSync(join(tmpdir(), 'sallyport-pins-'));
    const ca = join(folder, 'ca.pem');
    writeFileSync(ca, caPem);
    const { host, port } = await world.placeOf(API, 443);
    const place = ['--resolve', `${API}:${port}:${host}`, '--cacert', ca, '-H', `Host: ${API}`];
    const said = ['-H', `Authorization: Bearer ${PLACEHOLDER}`, `https://${API}:${port}/`];
    const child = spawn(curl, ['-sS', '--http1.1', ...place, ...options, ...said], { stdio: 'pipe' });
    let text = '';
    child.stdout.on('data', (piece: Buffer) => (text += piece.toString()));
    const [code] = (await once(child, 'close')) as [number];
    rmSync(folder, { recursive: true });
    return { code, text };
  }

  const withUpstream = async (body: (world: World, heard: () => string) => Promise<void>): Promise<void> => {
    const { upstream, heard } = await listener(testAuthority.issue(API));
    await inWorld({ upstreams: { 'api.test:443': upstream } }, (world) => body(world, heard));
  };

  it.runIf(hasCurl)('control: one that trusts the certificate of its cell gets its answer', async () => {
    await withUpstream(async (world, heard) => {
      expect(await curled(world, world.cell.caPem)).toEqual({ code: 0, text: 'ok' });
      expect(heard()).toContain('Authorization: Bearer ');
    });
  });

  it.runIf(hasCurl)(
    "one that trusts the upstream's own authority alone gets nothing, and it is on record",
    async () => {
      await withUpstream(async (world, heard) => {
        expect(await curled(world, testAuthority.caPem)).toEqual({ code: 60, text: '' });
        expect((await world.eventsOf('egress.refused'))[0]?.data).toMatchObject({
          code: 'egress_client_tls',
          host: API,
        });
        expect([heard(), world.uses]).toEqual(['', []]);
      });
    },
  );

  it.runIf(hasCurl)(
    "one that wants the upstream's own key hangs up, nothing was sent, and it is on record",
    async () => {
      const der = new X509Certificate(testAuthority.issue(API).cert).publicKey.export({
        type: 'spki',
        format: 'der',
      });
      const pin = `sha256//${createHash('sha256').update(der).digest('base64')}`;
      await withUpstream(async (world, heard) => {
        expect(await curled(world, world.cell.caPem, '--pinnedpubkey', pin)).toEqual({ code: 90, text: '' });
        expect((await world.eventsOf('egress.refused'))[0]?.data).toMatchObject({
          code: 'egress_client_tls',
          host: API,
        });
        expect([heard(), world.uses]).toEqual(['', []]);
      });
    },
  );
});
