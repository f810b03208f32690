import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { PeerCertificate } from 'node:tls';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { children, readElement } from '../../src/egress/ca/der-read.ts';
import { leafCertificate, toPem } from '../../src/egress/ca/certificate.ts';
import { integer, octetString, sequence } from '../../src/egress/ca/der.ts';
import { parseRevocationLists, Revocations } from '../../src/egress/ca/revocation.ts';
import { createTestAuthority } from './test-authority.ts';

const der = (pem: string): Buffer => new X509Certificate(pem).raw;
/** A chain as Node shows it: each with its issuer, a root with itself. */
function chain(...pems: readonly string[]): PeerCertificate {
  let issuer: object | null = null;
  for (const pem of pems.toReversed()) {
    const certificate: { raw: Buffer; issuerCertificate: object | null } = {
      raw: der(pem),
      issuerCertificate: issuer,
    };
    certificate.issuerCertificate ??= certificate;
    issuer = certificate;
  }
  return issuer as PeerCertificate;
}

const list = (content: Buffer): string =>
  `-----BEGIN X509 CRL-----\n${content.toString('base64')}\n-----END X509 CRL-----\n`;

describe('chains', () => {
  const [one, two] = [createTestAuthority(['test']), createTestAuthority(['test'])];
  const leaf = one.issue('api.test').cert;
  const revocations = new Revocations([], [`${two.caPem}${one.caPem}`], Date.now);

  it('that lead to a trusted root are in order where nothing of them is listed', () => {
    expect(revocations.objection(chain(leaf, one.caPem))).toBe(undefined);
    expect(revocations.objection(chain(leaf, one.caPem, two.caPem))).toBe(undefined); // what follows a root is of no account
  });

  const DAY_MS = 86_400_000;
  const middle = one.issue('api.test');
  const issuer = {
    commonName: 'Sallyport leaf',
    keyId: Buffer.of(9),
    privateKey: createPrivateKey(middle.key),
  };
  const byMiddle = toPem(
    leafCertificate({
      name: 'api.test',
      publicKey: new X509Certificate(leaf).publicKey,
      serial: Buffer.of(9),
      validity: { notBefore: Date.now() - DAY_MS, notAfter: Date.now() + DAY_MS },
      issuer,
    }),
  );

  it.each([
    ['lead through somebody who is no authority', [byMiddle, middle.cert, one.caPem]],
    ['stop short of it', [leaf]],
    ['lead through somebody who has not signed', [leaf, two.caPem]],
    ['lead to nobody who is trusted', [createTestAuthority(['test']).issue('api.test').cert]],
    ['are their own', [one.selfSigned('api.test').cert]],
  ])('that %s are unclear', (_name, pems) => {
    expect(revocations.objection(chain(...pems))).toMatchObject({ code: 'CERT_CHAIN_UNCLEAR' });
  });

  it('that lead through an authority before its time or after it are unclear', () => {
    for (const days of [-20, 20]) {
      const then = new Revocations([], [one.caPem], () => Date.now() + days * DAY_MS);
      expect(then.objection(chain(leaf, one.caPem))).toMatchObject({ code: 'CERT_CHAIN_UNCLEAR' });
    }
  });

  it('that have no end, or cannot be read, are unclear', () => {
    const root = createTestAuthority(['test']).caPem;
    const endless: { raw: Buffer; issuerCertificate?: object } = { raw: der(root) };
    endless.issuerCertificate = { raw: der(root), issuerCertificate: endless };
    for (const certificate of [endless, { raw: Buffer.from('30820000', 'hex') }, { raw: sequence() }, {}])
      expect(revocations.objection(certificate as PeerCertificate)).toMatchObject({
        code: 'CERT_CHAIN_UNCLEAR',
      });
  });
});

describe('reading DER', () => {
  it('gives back what was written, and refuses it with a byte missing', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 }), (parts) => {
        const bytes = sequence(...parts.map((part) => octetString(part)));
        const element = readElement(bytes, 0);
        expect(element.whole.equals(bytes)).toBe(true);
        expect(children(element).map(({ tag, content }) => [tag, [...content]])).toEqual(
          parts.map((part) => [4, [...part]]),
        );
        expect(() => readElement(bytes.subarray(0, -1), 0)).toThrow(RangeError);
      }),
      { seed: 5 },
    );
  });

  it.each(['', '30', '3080', '3085ffffffffff', '308201'])('refuses %s', (hex) => {
    expect(() => readElement(Buffer.from(hex, 'hex'), 0)).toThrow(RangeError);
  });

  it('of lists ends with an error, whatever the bytes are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        for (const content of [Buffer.from(bytes), sequence(sequence(integer(bytes), bytes))]) {
          try {
            expect(parseRevocationLists(list(content)).every((key) => key.includes(' '))).toBe(true);
          } catch (error) {
            expect(error).toBeInstanceOf(Error);
          }
        }
      }),
      { seed: 6, numRuns: 2_000 },
    );
    expect(() => parseRevocationLists('')).toThrow('no revocation list');
  });
});
