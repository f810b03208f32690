/** A certificate authority for the upstreams of a benchmark. */
import { generateKeyPairSync } from 'node:crypto';
import { leafCertificate, rootCertificate, toPem } from '../../src/egress/ca/certificate.ts';

export interface Identity {
  readonly cert: string;
  readonly key: string;
}

const DAY_MS = 86_400_000;

/** A root, and one certificate below it for each name. */
export function identitiesFor<const Names extends readonly string[]>(
  names: Names,
): { readonly ca: string; readonly identities: { readonly [At in keyof Names]: Identity } };
export function identitiesFor(names: readonly string[]): {
  readonly ca: string;
  readonly identities: readonly Identity[];
} {
  const root = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const validity = { notBefore: Date.now() - DAY_MS, notAfter: Date.now() + DAY_MS };
  const keyId = Buffer.of(1);
  const common = { commonName: 'Benchmark authority' };
  const ca = rootCertificate({ ...common, key: root, serial: keyId, validity, permittedNames: [...names] });
  const issuer = { ...common, keyId, privateKey: root.privateKey };
  const identities = names.map((name, index) => {
    const leaf = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const serial = Buffer.of(index + 2);
    const cert = leafCertificate({ name, publicKey: leaf.publicKey, serial, validity, issuer });
    const key = leaf.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    return { cert: toPem(cert), key };
  });
  return { ca: toPem(ca), identities };
}
