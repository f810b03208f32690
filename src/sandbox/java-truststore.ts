/**
 * A Java truststore with one certificate: PKCS #12 (RFC 7292) without encryption and without a password, which is
 * what a list of public certificates needs, and what Java reads since release 17 (and 8u301).
 */

const TAG = {
  octets: 0x04,
  oid: 0x06,
  sequence: 0x30,
  set: 0x31,
  context0: 0xa0,
  bmp: 0x1e,
  integer: 0x02,
} as const;

/** One DER element: tag, length, content. */
function der(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  if (body.length < 0x80) return Buffer.concat([Buffer.of(tag, body.length), body]);
  const size = Buffer.alloc(4);
  size.writeUInt32BE(body.length);
  const digits = size.subarray(size.findIndex((byte) => byte !== 0));
  return Buffer.concat([Buffer.of(tag, 0x80 | digits.length), digits, body]);
}

/** An object identifier from its encoded arcs, in hex. */
const oid = (hex: string): Buffer => der(TAG.oid, Buffer.from(hex, 'hex'));

/** 1.2.840.113549.1.7.1, PKCS #7 data. */
const DATA = oid('2a864886f70d010701');
/** 1.2.840.113549.1.12.10.1.3, certificate bag. */
const CERTIFICATE_BAG = oid('2a864886f70d010c0a0103');
/** 1.2.840.113549.1.9.22.1, X.509 certificate. */
const X509 = oid('2a864886f70d01091601');
/** 1.2.840.113549.1.9.20, friendly name. */
const FRIENDLY_NAME = oid('2a864886f70d010914');
/** 2.16.840.1.113894.746875.1.1, Oracle's mark of a trusted certificate: without it Java ignores the entry. */
const TRUSTED_USAGE = oid('6086480186f966adca7b0101');
/** 2.5.29.37.0, any extended key usage. */
const ANY_USAGE = oid('551d2500');

/** UTF-16BE, as a BMPString. */
const bmp = (text: string): Buffer => der(TAG.bmp, Buffer.from(text, 'utf16le').swap16());

/** @param caPem one certificate; anything else gives a store that trusts nothing */
export function javaTruststore(caPem: string): Buffer {
  const match = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/.exec(caPem);
  const certificate = Buffer.from(match?.[1] ?? '', 'base64');
  const bag = der(
    TAG.sequence,
    CERTIFICATE_BAG,
    der(TAG.context0, der(TAG.sequence, X509, der(TAG.context0, der(TAG.octets, certificate)))),
    der(
      TAG.set,
      der(TAG.sequence, FRIENDLY_NAME, der(TAG.set, bmp('sallyport'))),
      der(TAG.sequence, TRUSTED_USAGE, der(TAG.set, ANY_USAGE)),
    ),
  );
  const data = (content: Buffer): Buffer =>
    der(TAG.sequence, DATA, der(TAG.context0, der(TAG.octets, content)));
  const safe = der(TAG.sequence, ...(certificate.length === 0 ? [] : [bag]));
  return der(TAG.sequence, der(TAG.integer, Buffer.of(3)), data(der(TAG.sequence, data(safe))));
}
