/**
 * What is done with a request's body, decided by its head. A credential may go into it where one is declared for
 * bodies of its type and the request is covered; otherwise it is only searched. Small bodies are waited for, so that what
 * is wrong with one is found before anything left.
 */
import { limits } from '../../kernel/index.ts';
import { multipartBoundary } from '../../wire/index.ts';
import { knownCoding } from './body-scan.ts';
import { type BodyReading, OPAQUE } from './body-reading.ts';
import { type BoundCredential, boundCredentials } from './bound-credentials.ts';
import { type Binder, covers } from './claim.ts';
import type { EgressRequest } from '../request.ts';

const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json[ \t]*(?:;|$)/i;
const FORM_TYPE = /^application\/x-www-form-urlencoded[ \t]*(?:;|$)/i;

/**
 * In another character set the upstream would find its fields at other bytes than we do (there are servers that read forms
 * in EBCDIC when they are told to), and would read another key, which could come back unmasked.
 */
const OTHER_CHARSET = /charset(?!="?(?:utf-8|us-ascii)"?[ \t]*(?:;|$))/i;

/** Fills in how the body is read, and whether it is waited for. */
export function planBody(request: EgressRequest, binder: Binder): void {
  const { framing, signatures } = request;
  if (framing === null || framing.kind === 'none') return;
  request.reading = readingOf(request, binder);
  const isSmall = framing.kind === 'length' && framing.bytes <= limits.requestBodyWaitBytesMax;
  const isNeeded = request.reading.kind === 'json' || signatures.some(({ needs }) => needs === 'body');
  request.bodyMode = isSmall || isNeeded ? 'whole' : 'stream';
}

function readingOf(request: EgressRequest, binder: Binder): BodyReading {
  const { fields } = request.head;
  const coding = fields.list('content-encoding').join(', ');
  if (coding !== '' && coding !== 'identity') {
    const known = knownCoding(coding);
    return known === null ? OPAQUE : { kind: 'coded', coding: known };
  }
  const type = fields.get('content-type');
  if (type === undefined || fields.count('content-type') > 1 || OTHER_CHARSET.test(type)) return OPAQUE;
  const inBodies = boundCredentials(binder.spec).inBodies.filter(
    ({ binding }) => covers(binding, request).allow,
  );
  if (inBodies.length === 0) return OPAQUE;
  if (JSON_TYPE.test(type))
    return inBodies.some(({ jsonPointers }) => jsonPointers.size > 0) ? { kind: 'json' } : OPAQUE;
  if (FORM_TYPE.test(type)) {
    const wanted = union(inBodies, ({ formFields }) => formFields);
    return wanted.size > 0 ? { kind: 'form', fields: wanted } : OPAQUE;
  }
  const boundary = multipartBoundary(type);
  const wanted = boundary === null ? null : union(inBodies, ({ multipartFields }) => multipartFields);
  return boundary !== null && wanted !== null && wanted.size > 0
    ? { kind: 'multipart', fields: wanted, boundary }
    : OPAQUE;
}

const union = (
  credentials: readonly BoundCredential[],
  fieldsOf: (credential: BoundCredential) => ReadonlySet<string>,
): ReadonlySet<string> => new Set(credentials.flatMap((credential) => [...fieldsOf(credential)]));
