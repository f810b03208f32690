/** A certificate authority for upstreams that tests play, and the ways in which a certificate can be wrong. */
import { generateKeyPairSync } from 'node:crypto';
import { type KeyPair, leafCertificate, rootCertificate, toPem } from '../../src/egress/ca/certificate.ts';
import { systemRandom } from '../../src/kernel/index.ts';

export interface Identity {
  readonly cert: string;
  readonly key: string;
}

const DAY_MS = 86_400_000;
const newKey = (): KeyPair => generateKeyPairSync('ec', { namedCurve: 'P-256' });
const pem = (key: KeyPair): string => key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

export interface TestAuthority {
  readonly caPem: string;
  issue(name: string, validity?: { notBefore: number; notAfter: number }): Identity;
  /** A certificate that nobody signed but its own key. */
  selfSigned(name: string): Identity;
}

export function createTestAuthority(names: readonly string[]): TestAuthority {
  const root = newKey();
  const serial = Buffer.concat([Buffer.of(1), systemRandom.bytes(15)]);
  const commonName = 'Test authority';
  const validity = { notBefore: Date.now() - 10 * DAY_MS, notAfter: Date.now() + 10 * DAY_MS };
  return {
    caPem: toPem(rootCertificate({ commonName, key: root, serial, validity, permittedNames: names })),
    issue(name, given = validity) {
      const key = newKey();
      const issuer = { commonName, keyId: serial, privateKey: root.privateKey };
      const der = leafCertificate({
        name,
        publicKey: key.publicKey,
        serial: Buffer.of(2),
        validity: given,
        issuer,
      });
      return { cert: toPem(der), key: pem(key) };
    },
    selfSigned(name) {
      const key = newKey();
      const issuer = { commonName: 'Sallyport leaf', keyId: Buffer.of(3), privateKey: key.privateKey };
      const der = leafCertificate({ name, publicKey: key.publicKey, serial: Buffer.of(3), validity, issuer });
      return { cert: toPem(der), key: pem(key) };
    },
  };
}
