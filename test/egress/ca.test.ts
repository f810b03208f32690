import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type SecureContext, TLSSocket } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { CellAuthority } from '../../src/egress/ca/cell-authority.ts';
import { fixedClock, limits, systemClock, systemRandom } from '../../src/kernel/index.ts';

const deps = { clock: systemClock, random: systemRandom };

/** Shakes hands with a server that presents `context`. @returns null when the client is satisfied, or its complaint */
async function handshake(
  context: SecureContext,
  name: string,
  ca: string,
): Promise<{ complaint: string | null; leaf: X509Certificate | null }> {
  const server = createServer((socket) => {
    const secure = new TLSSocket(socket, { isServer: true, secureContext: context });
    secure.on('error', () => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect({
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    servername: name,
    ca,
  });
  try {
    await once(client, 'secureConnect');
    return { complaint: null, leaf: client.getPeerX509Certificate() ?? null };
  } catch (error) {
    return {
      complaint: error instanceof Error ? error.message : String(error),
      leaf: null,
    };
  } finally {
    client.destroy();
    server.close();
  }
}

describe('the certificate authority of a cell', () => {
  it('satisfies a client that trusts its root, for an allowed name', async () => {
    const authority = new CellAuthority('github', ['api.github.com', '*.githubusercontent.com'], deps);
    const { complaint, leaf } = await handshake(
      authority.contextFor('api.github.com'),
      'api.github.com',
      authority.caPem,
    );
    expect(complaint).toBe(null);
    expect(leaf?.subjectAltName).toBe('DNS:api.github.com');
    expect(leaf?.ca).toBe(false);
    const below = await handshake(
      authority.contextFor('raw.githubusercontent.com'),
      'raw.githubusercontent.com',
      authority.caPem,
    );
    expect(below.complaint).toBe(null);
  });

  it('is bound to the hosts of the cell: a leaf for another name is refused by the client', async () => {
    const authority = new CellAuthority('github', ['api.github.com'], deps);
    const other = await handshake(authority.contextFor('evil.test'), 'evil.test', authority.caPem);
    expect(other.complaint).toBe('permitted subtree violation');
    const nothing = new CellAuthority('none', [], deps);
    expect((await handshake(nothing.contextFor('a.test'), 'a.test', nothing.caPem)).complaint).toBe(
      'permitted subtree violation',
    );
  });

  it('is not trusted by another cell', async () => {
    const one = new CellAuthority('a', ['a.test'], deps);
    const two = new CellAuthority('a', ['a.test'], deps);
    expect((await handshake(one.contextFor('a.test'), 'a.test', two.caPem)).complaint).not.toBe(null);
  });

  it('mints once per name, and again when the leaf nears its end', () => {
    const clock = fixedClock(Date.UTC(2026, 0, 1));
    const authority = new CellAuthority('a', ['*.b.test'], { clock, random: systemRandom });
    const first = authority.contextFor('x.b.test');
    expect(authority.contextFor('x.b.test')).toBe(first);
    clock.advance(limits.cellLeafValidityMs / 2 + 1);
    expect(authority.contextFor('x.b.test')).not.toBe(first);
  });

  it('forgets the least recently used leaf when a wildcard asks for too many', () => {
    const authority = new CellAuthority('a', ['*.b.test'], deps);
    const first = authority.contextFor('first.b.test');
    const second = authority.contextFor('second.b.test');
    for (let index = 0; index < limits.cellLeafCertificatesMax - 1; index += 1) {
      authority.contextFor(`n${index}.b.test`);
      expect(authority.contextFor('first.b.test')).toBe(first);
    }
    expect(authority.contextFor('second.b.test')).not.toBe(second);
  });

  it('tolerates a clock that is behind', () => {
    const now = Date.UTC(2049, 11, 31);
    const root = new X509Certificate(
      new CellAuthority('a', ['a.test'], { clock: fixedClock(now), random: systemRandom }).caPem,
    );
    expect(root.validFromDate.getTime()).toBe(now - limits.certificateClockSkewMs);
    expect(root.validToDate.getTime()).toBe(now + limits.cellRootValidityMs);
    expect(root.ca).toBe(true);
    expect(root.verify(root.publicKey)).toBe(true);
  });

  it('reads as what it is to OpenSSL', () => {
    const folder = mkdtempSync(join(tmpdir(), 'sallyport-ca-'));
    try {
      const file = join(folder, 'root.pem');
      writeFileSync(file, new CellAuthority('a', ['api.a.test', '*.b.test'], deps).caPem);
      const text = execFileSync('openssl', ['x509', '-in', file, '-noout', '-text'], { encoding: 'utf8' });
      expect(text).toContain('CA:TRUE, pathlen:0');
      expect(text).toMatch(
        /X509v3 Name Constraints: critical\s+Permitted:\s+DNS:api\.a\.test\s+DNS:b\.test\s+Excluded:/,
      );
      expect(text).toMatch(/X509v3 Key Usage: critical\s+Certificate Sign\n/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
