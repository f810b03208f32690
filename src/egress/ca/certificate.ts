/**
 * X.509 certificates for the inside of a cell (RFC 5280): one root that may sign for nothing but the cell's
 * hosts, and leaves below it. ECDSA P-256 with SHA-256. Names come in checked; nothing here is parsed.
 */
import { type KeyObject, sign } from 'node:crypto';
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
} from './der.ts';

export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

interface Validity {
  /** Milliseconds since the Unix epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
}

export interface RootRequest {
  readonly commonName: string;
  readonly key: KeyPair;
  /** Random, 16 bytes: also the key identifier. */
  readonly serial: Uint8Array;
  readonly validity: Validity;
  /** DNS names that may be signed for, each with everything below it. Empty: none at all. */
  readonly permittedNames: readonly string[];
}

export interface LeafRequest {
  /** The one DNS name. */
  readonly name: string;
  readonly publicKey: KeyObject;
  readonly serial: Uint8Array;
  readonly validity: Validity;
  readonly issuer: {
    readonly commonName: string;
    readonly keyId: Uint8Array;
    readonly privateKey: KeyObject;
  };
}

const ECDSA_SHA256 = sequence(objectIdentifier('1.2.840.10045.4.3.2'));
const COMMON_NAME = '2.5.4.3';
const SUBJECT_KEY_ID = '2.5.29.14';
const KEY_USAGE = '2.5.29.15';
const SUBJECT_ALT_NAME = '2.5.29.17';
const BASIC_CONSTRAINTS = '2.5.29.19';
const NAME_CONSTRAINTS = '2.5.29.30';
const AUTHORITY_KEY_ID = '2.5.29.35';
const EXTENDED_KEY_USAGE = '2.5.29.37';
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';

/** GeneralName alternatives. */
const DNS_NAME = 2;
const IP_ADDRESS = 7;
/** RFC 2606: exists nowhere, so permitting only it permits nothing. */
const NO_NAME = 'nothing.invalid';
/** Address and mask, all zeros: every IPv4, every IPv6 address. */
const EVERY_ADDRESS = [Buffer.alloc(8), Buffer.alloc(32)];

/** Has a space, so that no verifier takes it for a host name to check against the name constraints. */
const LEAF_SUBJECT = 'Sallyport leaf';

const VERSION_3 = tagged(0, integer(Buffer.of(2)));
const distinguishedName = (commonName: string): Buffer =>
  sequence(set(sequence(objectIdentifier(COMMON_NAME), utf8String(commonName))));
const extension = (id: string, critical: boolean, value: Uint8Array): Buffer =>
  sequence(objectIdentifier(id), ...(critical ? [TRUE] : []), octetString(value));
const spki = (key: KeyObject): Buffer => key.export({ type: 'spki', format: 'der' });

interface Unsigned {
  readonly serial: Uint8Array;
  readonly issuer: string;
  readonly subject: string;
  readonly validity: Validity;
  readonly publicKey: KeyObject;
  readonly extensions: readonly Uint8Array[];
}

function signed(certificate: Unsigned, signer: KeyObject): Buffer {
  const { notBefore, notAfter } = certificate.validity;
  const toBeSigned = sequence(
    VERSION_3,
    integer(certificate.serial),
    ECDSA_SHA256,
    distinguishedName(certificate.issuer),
    sequence(time(notBefore), time(notAfter)),
    distinguishedName(certificate.subject),
    spki(certificate.publicKey),
    tagged(3, sequence(...certificate.extensions)),
  );
  return sequence(toBeSigned, ECDSA_SHA256, bitString(sign('sha256', toBeSigned, signer)));
}

const subtree = (kind: number, value: Uint8Array): Buffer => sequence(taggedPrimitive(kind, value));

function nameConstraints(names: readonly string[]): Buffer {
  const permitted = (names.length === 0 ? [NO_NAME] : names).map((name) =>
    subtree(DNS_NAME, Buffer.from(name, 'latin1')),
  );
  const excluded = EVERY_ADDRESS.map((range) => subtree(IP_ADDRESS, range));
  return sequence(tagged(0, ...permitted), tagged(1, ...excluded));
}

/** keyCertSign is bit 5, digitalSignature bit 0, counted from the left. */
const CERT_SIGN = bitString(Buffer.of(0b0000_0100), 2);
const DIGITAL_SIGNATURE = bitString(Buffer.of(0b1000_0000), 7);
const CA_WITHOUT_INTERMEDIATES = sequence(TRUE, integer(Buffer.of(0)));

/** @returns DER */
export function rootCertificate(request: RootRequest): Buffer {
  return signed(
    {
      serial: request.serial,
      issuer: request.commonName,
      subject: request.commonName,
      validity: request.validity,
      publicKey: request.key.publicKey,
      extensions: [
        extension(BASIC_CONSTRAINTS, true, CA_WITHOUT_INTERMEDIATES),
        extension(KEY_USAGE, true, CERT_SIGN),
        extension(SUBJECT_KEY_ID, false, octetString(request.serial)),
        extension(NAME_CONSTRAINTS, true, nameConstraints(request.permittedNames)),
      ],
    },
    request.key.privateKey,
  );
}

/** @returns DER */
export function leafCertificate(request: LeafRequest): Buffer {
  return signed(
    {
      serial: request.serial,
      issuer: request.issuer.commonName,
      subject: LEAF_SUBJECT,
      validity: request.validity,
      publicKey: request.publicKey,
      extensions: [
        extension(BASIC_CONSTRAINTS, true, sequence()),
        extension(KEY_USAGE, true, DIGITAL_SIGNATURE),
        extension(EXTENDED_KEY_USAGE, false, sequence(objectIdentifier(SERVER_AUTH))),
        extension(
          SUBJECT_ALT_NAME,
          false,
          sequence(taggedPrimitive(DNS_NAME, Buffer.from(request.name, 'latin1'))),
        ),
        extension(AUTHORITY_KEY_ID, false, sequence(taggedPrimitive(0, request.issuer.keyId))),
      ],
    },
    request.issuer.privateKey,
  );
}

const PEM_LINE = /.{1,64}/g;

export const toPem = (der: Buffer): string =>
  `-----BEGIN CERTIFICATE-----\n${(der.toString('base64').match(PEM_LINE) ?? []).join('\n')}\n-----END CERTIFICATE-----\n`;
