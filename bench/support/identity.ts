/** A certificate authority for the upstreams of a benchmark. */
import { generateKeyPairSync } from 'node:crypto';
import { leafCertificate, rootCertificate, toPem } from '../../src/egress/ca/certificate.ts';

export interface Identity {
  readonly cert: string;
  readonly key: string;
}

const DAY_MS = 86_400_000;

/** A root and one certificate below it. */
export function identityFor(name: string): { readonly ca: string; readonly identity: Identity } {
  const root = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const leaf = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const validity = { notBefore: Date.now() - DAY_MS, notAfter: Date.now() + DAY_MS };
  const keyId = Buffer.of(1);
  const common = { commonName: 'Benchmark authority' };
  const ca = rootCertificate({ ...common, key: root, serial: keyId, validity, permittedNames: [name] });
  const issuer = { ...common, keyId, privateKey: root.privateKey };
  const cert = leafCertificate({ name, publicKey: leaf.publicKey, serial: Buffer.of(2), validity, issuer });
  const key = leaf.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { ca: toPem(ca), identity: { cert: toPem(cert), key } };
}
