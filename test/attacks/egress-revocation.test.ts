/**
 * ATTACKS 16: upstreams with a certificate that was good until it was revoked, or whose authority was. The control is
 * the same upstream without the list, and a list that names others.
 */
import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  bitString,
  integer,
  objectIdentifier,
  sequence,
  set,
  tagged,
  time,
  utf8String,
} from '../../src/egress/ca/der.ts';
import { createTestAuthority } from '../egress/test-authority.ts';
import { API, errorOf, httpsUpstream, inWorld, PLACEHOLDER, testAuthority } from '../egress/world.ts';

const AUTH = { headers: { Authorization: `Bearer ${PLACEHOLDER}` } };
const ECDSA_SHA256 = sequence(objectIdentifier('1.2.840.10045.4.3.2'));
const ISSUER = 'Test authority';
const DAY_MS = 86_400_000;

interface Listed {
  readonly issuer?: string;
  readonly extensions?: boolean;
  readonly nextUpdate?: number;
}

/** A revocation list (RFC 5280 section 5.1) in PEM. Its signature is none: the file is the operator's own. */
function revocationList(
  serials: readonly Buffer[],
  { issuer = ISSUER, extensions = false, nextUpdate }: Listed = {},
): string {
  const name = sequence(set(sequence(objectIdentifier('2.5.4.3'), utf8String(issuer))));
  const entries = serials.map((serial) => sequence(integer(serial), time(Date.now() - DAY_MS)));
  const list = sequence(
    integer(Buffer.of(1)),
    ECDSA_SHA256,
    name,
    time(Date.now() - DAY_MS),
    ...(nextUpdate === undefined ? [] : [time(nextUpdate)]),
    ...(entries.length === 0 ? [] : [sequence(...entries)]),
    ...(extensions ? [tagged(0, sequence())] : []),
  );
  const der = sequence(list, ECDSA_SHA256, bitString(Buffer.of(0)));
  return `-----BEGIN X509 CRL-----\n${der.toString('base64')}\n-----END X509 CRL-----\n`;
}

const leafSerial = Buffer.from(new X509Certificate(testAuthority.issue(API).cert).serialNumber, 'hex');
const rootSerial = Buffer.from(new X509Certificate(testAuthority.caPem).serialNumber, 'hex');
const unused = Buffer.of(77);

describe('ATTACKS 16: revoked upstreams', () => {
  it.each([
    ['no list', []],
    ['an empty list', [revocationList([])]],
    [
      'a list with extensions and nobody on it',
      [revocationList([], { extensions: true, nextUpdate: Date.now() })],
    ],
    ['a list of others', [revocationList([unused])]],
    ["another authority's list of the same number", [revocationList([leafSerial], { issuer: 'Else' })]],
  ])('control: %s', async (_name, crl) => {
    const upstream = await httpsUpstream((_request, response) => response.end('ok'));
    await inWorld({ upstreams: { 'api.test:443': upstream }, crl }, async (world) => {
      expect((await world.request(AUTH)).status).toBe(200);
    });
  });

  it.each([
    ['its certificate', [revocationList([leafSerial])]],
    [
      'its certificate, among others and in the second list',
      [revocationList([]), revocationList([unused, leafSerial])],
    ],
    ['its certificate, on a list long out of date', [revocationList([leafSerial], { nextUpdate: DAY_MS })]],
    ['its authority', [revocationList([rootSerial])]],
    [
      'both, in one file',
      [revocationList([unused]) + revocationList([rootSerial, leafSerial], { extensions: true })],
    ],
  ])('%s', async (_name, crl) => {
    let requests = 0;
    const upstream = await httpsUpstream((_request, response) => {
      requests += 1;
      response.end('ok');
    });
    await inWorld({ upstreams: { 'api.test:443': upstream }, crl }, async (world) => {
      const reply = await world.request(AUTH);
      expect([reply.status, errorOf(reply).code]).toEqual([502, 'egress_upstream_tls']);
      expect(errorOf(reply).message).toBe('api.test:443 could not prove who it is (CERT_REVOKED).');
      expect(errorOf(await world.request(AUTH)).code).toBe('egress_upstream_tls'); // no session of the first helps
      expect(requests).toBe(0);
      expect((await world.eventsOf('egress.refused'))[0]?.data).toMatchObject({ reason: 'CERT_REVOKED' });
    });
  });

  it('a list changes nothing about who is trusted', async () => {
    const stranger = createTestAuthority(['test']);
    const upstream = await httpsUpstream((_request, response) => response.end('ok'));
    const options = { upstreams: { 'api.test:443': upstream }, extraCa: [stranger.caPem] };
    await inWorld({ ...options, crl: [revocationList([unused])] }, async (world) => {
      expect(errorOf(await world.request(AUTH)).message).toContain('UNABLE_TO_VERIFY_LEAF_SIGNATURE');
    });
  });
});
