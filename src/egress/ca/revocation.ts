/**
 * Certificates that the operator's revocation lists name (RFC 5280 section 5). Node verifies chains and knows of no
 * revocation; OpenSSL's own check wants a list of every authority there is. This one refuses what is listed, and a
 * chain that it cannot follow from the name to a trusted root, since a revoked authority could hide in it. The
 * lists are the operator's files: their signatures are not verified, and an outdated one still counts.
 */
import { X509Certificate } from 'node:crypto';
import type { DetailedPeerCertificate, PeerCertificate } from 'node:tls';
import { limits } from '../../kernel/index.ts';
import { children, type Element, readElement } from './der-read.ts';

const PEM_BLOCK = /-----BEGIN X509 CRL-----([A-Za-z0-9+/=\s]+)-----END X509 CRL-----/g;
const [INTEGER, SEQUENCE, UTC_TIME, GENERALIZED_TIME] = [0x02, 0x30, 0x17, 0x18];
const EXPLICIT_VERSION = 0xa0;

export class RevocationError extends Error {
  readonly code: 'CERT_REVOKED' | 'CERT_CHAIN_UNCLEAR';

  constructor(code: RevocationError['code']) {
    super(code);
    this.code = code;
  }
}

/** Issuer and serial number, as they are encoded. */
const keyOf = (issuer: Buffer, serial: Buffer): string =>
  `${issuer.toString('base64')} ${serial.toString('hex')}`;

/** @throws Error where a text holds no list that can be read */
export function parseRevocationLists(text: string): readonly string[] {
  const blocks = [...text.matchAll(PEM_BLOCK)];
  if (blocks.length === 0) throw new Error('no revocation list');
  return blocks.flatMap(([, base64 = '']) => listed(Buffer.from(base64, 'base64')));
}

/** CertificateList: tbsCertList = version?, signature, issuer, thisUpdate, nextUpdate?, revokedCertificates? */
function listed(der: Buffer): readonly string[] {
  const [toBeSigned] = children(readElement(der, 0));
  if (toBeSigned === undefined) throw new Error('no revocation list');
  const parts = [...children(toBeSigned)];
  if (parts[0]?.tag === INTEGER) parts.shift();
  const [, issuer, , ...rest] = parts;
  if (issuer?.tag !== SEQUENCE) throw new Error('no revocation list');
  const revoked = rest.find(({ tag }) => tag !== UTC_TIME && tag !== GENERALIZED_TIME);
  if (revoked?.tag !== SEQUENCE) return [];
  return children(revoked).map((entry) => {
    const [serial] = children(entry);
    if (serial?.tag !== INTEGER) throw new Error('no revocation list');
    return keyOf(issuer.whole, serial.content);
  });
}

/** Certificate: tbsCertificate = [0] version?, serialNumber, signature, issuer, … */
function certificateKey(der: Buffer): string {
  const [toBeSigned] = children(readElement(der, 0));
  const parts: Element[] = toBeSigned === undefined ? [] : [...children(toBeSigned)];
  if (parts[0]?.tag === EXPLICIT_VERSION) parts.shift();
  const [serial, , issuer] = parts;
  if (serial === undefined || issuer === undefined) throw new RevocationError('CERT_CHAIN_UNCLEAR');
  return keyOf(issuer.whole, serial.content);
}

export class Revocations {
  readonly #revoked: ReadonlySet<string>;
  readonly #roots: ReadonlySet<string>;
  readonly #now: () => number;

  /**
   * @param lists PEM texts
   * @param trusted PEM certificates, one or more in a text
   * @param now milliseconds since the Unix epoch
   */
  constructor(lists: readonly string[], trusted: readonly string[], now: () => number) {
    this.#now = now;
    this.#revoked = new Set(lists.flatMap(parseRevocationLists));
    this.#roots = new Set(trusted.flatMap(certificateFingerprints));
  }

  /** Why a chain that has been verified is not to be trusted all the same. @param certificate with its issuers */
  objection(certificate: PeerCertificate): RevocationError | undefined {
    try {
      return this.#walk(certificate);
    } catch {
      return new RevocationError('CERT_CHAIN_UNCLEAR');
    }
  }

  #walk(leaf: PeerCertificate): RevocationError | undefined {
    let current: DetailedPeerCertificate | PeerCertificate = leaf;
    for (let depth = 0; depth < limits.certificateChainMax; depth += 1) {
      if (this.#revoked.has(certificateKey(current.raw))) return new RevocationError('CERT_REVOKED');
      const parsed = new X509Certificate(current.raw);
      if (this.#roots.has(parsed.fingerprint256)) return undefined;
      const issuer: DetailedPeerCertificate | null =
        'issuerCertificate' in current ? current.issuerCertificate : null;
      if (issuer === null || issuer === current) break;
      if (!mayHaveIssued(new X509Certificate(issuer.raw), parsed, this.#now())) break;
      current = issuer;
    }
    return new RevocationError('CERT_CHAIN_UNCLEAR');
  }
}

/**
 * Node shows the first issuer that fits by name among what the peer sent, which need not be the one that the chain was
 * verified with: whoever stole a revoked authority's key shows another certificate of it, that counts for nothing.
 */
const mayHaveIssued = (issuer: X509Certificate, issued: X509Certificate, now: number): boolean =>
  issuer.ca &&
  issuer.validFromDate.getTime() <= now &&
  now <= issuer.validToDate.getTime() &&
  issued.verify(issuer.publicKey);

const CERTIFICATE_BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const CERTIFICATE_BEGIN = /-----BEGIN CERTIFICATE-----/g;

/** Of the certificates in a PEM text. @throws Error where it holds none, or one that cannot be read */
export function certificateFingerprints(pem: string): readonly string[] {
  const blocks = pem.match(CERTIFICATE_BLOCK) ?? [];
  if (blocks.length === 0 || blocks.length !== pem.match(CERTIFICATE_BEGIN)?.length)
    throw new Error('no certificates');
  return blocks.map((block) => new X509Certificate(block).fingerprint256);
}
