/**
 * ATTACKS 16: whoever stole the key of an authority that was revoked shows other certificates of the same key beside
 * it, so that the chain that is looked at is another one than the chain that was verified. Each is tried with the
 * control: the same upstream where nothing is revoked.
 */
import { generateKeyPairSync, sign, X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type KeyPair, toPem } from '../../src/egress/ca/certificate.ts';
import {
  bitString,
  integer,
  objectIdentifier,
  octetString,
  sequence,
  set,
  tagged,
  taggedPrimitive,
  time,
  TRUE,
  utf8String,
} from '../../src/egress/ca/der.ts';
import { errorOf, inWorld, PLACEHOLDER, rawUpstream } from '../egress/world.ts';

const AUTH = { headers: { Authorization: `Bearer ${PLACEHOLDER}` } };
const DAY_MS = 86_400_000;
const ECDSA_SHA256 = sequence(objectIdentifier('1.2.840.10045.4.3.2'));
const NOW = { notBefore: Date.now() - 10 * DAY_MS, notAfter: Date.now() + 10 * DAY_MS };
const OVER = { notBefore: Date.now() - 10 * DAY_MS, notAfter: Date.now() - DAY_MS };

interface Party {
  readonly name: string;
  readonly key: KeyPair;
}

const party = (name: string): Party => ({ name, key: generateKeyPairSync('ec', { namedCurve: 'P-256' }) });
const named = (name: string): Buffer =>
  sequence(set(sequence(objectIdentifier('2.5.4.3'), utf8String(name))));
const extension = (id: string, value: Buffer): Buffer => sequence(objectIdentifier(id), octetString(value));

interface Made {
  readonly serial: number;
  readonly validity?: typeof NOW;
  readonly isAuthority?: boolean;
}

/** A certificate as somebody makes it who has `by`'s key. */
function certificate(of: Party, by: Party, { serial, validity = NOW, isAuthority = true }: Made): string {
  const extensions = isAuthority
    ? [extension('2.5.29.19', sequence(TRUE))]
    : [extension('2.5.29.17', sequence(taggedPrimitive(2, Buffer.from('api.test'))))];
  const toBeSigned = sequence(
    tagged(0, integer(Buffer.of(2))),
    integer(Buffer.of(serial)),
    ECDSA_SHA256,
    named(by.name),
    sequence(time(validity.notBefore), time(validity.notAfter)),
    named(of.name),
    of.key.publicKey.export({ type: 'spki', format: 'der' }),
    tagged(3, sequence(...extensions)),
  );
  const signature = sign('sha256', toBeSigned, by.key.privateKey);
  return toPem(sequence(toBeSigned, ECDSA_SHA256, bitString(signature)));
}

/** A revocation list of an authority (RFC 5280 section 5.1). */
function listOf({ name }: Party, serial: number): string {
  const entries = sequence(sequence(integer(Buffer.of(serial)), time(Date.now() - DAY_MS)));
  const list = sequence(integer(Buffer.of(1)), ECDSA_SHA256, named(name), time(Date.now() - DAY_MS), entries);
  const der = sequence(list, ECDSA_SHA256, bitString(Buffer.of(0)));
  return `-----BEGIN X509 CRL-----\n${der.toString('base64')}\n-----END X509 CRL-----\n`;
}

const [root, older] = [party('Root of today'), party('Root of before')];
/** Its key was stolen, and what `root` said of it is revoked. */
const stolen = party('Stolen authority');
const upstreamKey = party('api.test');
/** Somebody with an ordinary certificate of the older root. */
const somebody = party('somebody.test');

const roots = [certificate(root, root, { serial: 1 }), certificate(older, older, { serial: 2 })];
const REVOKED = 11;
const leaf = certificate(upstreamKey, stolen, { serial: 12, isAuthority: false });
const revoked = certificate(stolen, root, { serial: REVOKED });

/** What the upstream shows before the certificate that is revoked. */
const DECOYS: readonly (readonly [string, readonly string[]])[] = [
  ['nothing else', []],
  [
    'one of an older authority that has run out',
    [certificate(stolen, older, { serial: 21, validity: OVER })],
  ],
  [
    'one by somebody who is no authority',
    [
      certificate(stolen, somebody, { serial: 31, validity: OVER }),
      certificate(somebody, older, { serial: 32, isAuthority: false }),
    ],
  ],
];

describe('ATTACKS 16: a revoked authority whose key was stolen', () => {
  const key = upstreamKey.key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const shows = (decoys: readonly string[]) =>
    rawUpstream(
      (socket) =>
        socket.on('data', () => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')),
      { cert: [leaf, ...decoys, revoked].join(''), key },
    );

  it.each(DECOYS)('proves nothing when it shows %s beside it', async (_what, decoys) => {
    const upstream = await shows(decoys);
    const options = { upstreams: { 'api.test:443': upstream }, extraCa: roots };
    await inWorld({ ...options, crl: [listOf(root, REVOKED)] }, async (world) => {
      const reply = await world.request(AUTH);
      expect([reply.status, errorOf(reply).code]).toEqual([502, 'egress_upstream_tls']);
      expect((await world.eventsOf('egress.refused'))[0]?.data).toMatchObject({
        reason: decoys.length === 0 ? 'CERT_REVOKED' : 'CERT_CHAIN_UNCLEAR',
      });
    });
    // The control: nothing is wrong with it but that.
    const again = await shows(decoys);
    await inWorld({ ...options, upstreams: { 'api.test:443': again } }, async (world) => {
      expect((await world.request(AUTH)).status).toBe(200);
    });
  });

  it('is an authority all the same where another one vouches for it that is not revoked', async () => {
    const upstream = await shows([certificate(stolen, older, { serial: 21 })]);
    const options = { upstreams: { 'api.test:443': upstream }, extraCa: roots };
    await inWorld({ ...options, crl: [listOf(root, REVOKED)] }, async (world) => {
      expect((await world.request(AUTH)).status).toBe(200);
    });
    expect(new X509Certificate(leaf).subjectAltName).toBe('DNS:api.test');
  });
});
