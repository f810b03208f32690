/** Headers that a value, or a signature made with it, goes into. */
import type { HmacRule } from './types.ts';
import { type Cursor, readChoice, readFields, readText, refuse } from './fields.ts';
import type { Complaint, Report } from './report.ts';

export const TOKEN_SLOT = '{token}';
const SIGNATURE_SLOT = '{signature}';

/** RFC 9110 section 5.6.2. */
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;

/** What frames or routes a message (RFC 9110 section 7.6.1, RFC 9112): a credential there would change the request itself. */
const FRAMING_HEADERS = new Set([
  'connection',
  'proxy-connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'host',
  'content-length',
  'content-type',
  'content-encoding',
  'expect',
  'date',
]);

export function readHeaderName(place: Cursor, report: Report): string | undefined {
  const header = readText(place, 'the name of a header', report);
  const fault = header === undefined ? undefined : headerNameFault(header);
  if (fault !== undefined) refuse(place, fault, report);
  return header;
}

/** Why a credential may not go into a header of this name; undefined when it may. */
function headerNameFault(name: string): Complaint | undefined {
  if (!HEADER_NAME.test(name)) {
    return {
      code: 'manifest_header_name',
      message: `${JSON.stringify(name)} cannot be the name of a header`,
      expected: 'letters, digits and hyphens, e.g. Authorization',
    };
  }
  if (!FRAMING_HEADERS.has(name.toLowerCase())) return undefined;
  return {
    code: 'manifest_header_reserved',
    message: `${name} says how or where the request travels; no credential may go into it`,
    expected: 'a header of the API itself, e.g. Authorization',
  };
}

/**
 * Why a format is wrong; undefined when it is right.
 *
 * @param example what may stand before the slot
 */
export function formatFault(format: string, slot: string, example: string): Complaint | undefined {
  const slots = format.split(slot).length - 1;
  if (slots !== 1) {
    return {
      code: 'manifest_format_token',
      message: slots === 0 ? `the format has no ${slot}` : `the format has ${slot} ${slots} times`,
      expected: `${slot} exactly once, e.g. "${example}${slot}"`,
    };
  }
  if (!/^[\x20-\x7e]*$/.test(format) || format.trim() !== format) {
    return {
      code: 'manifest_format_characters',
      message: 'the format has characters that cannot be sent as they are',
      expected: 'printable ASCII without spaces at either end',
    };
  }
  return undefined;
}

const HMAC_KEYS = ['header', 'format', 'over', 'algorithm', 'encoding'];

/** A keyed hash of the request that goes into a header, as senders of webhooks make it. */
export function readHmacRule(cursor: Cursor, report: Report): HmacRule | undefined {
  const fields = readFields(cursor, HMAC_KEYS, report);
  const headerAt = fields?.need('header', 'the header that the signature goes into');
  const overAt = fields?.need('over', 'over: body');
  if (fields === undefined || headerAt === undefined || overAt === undefined) return undefined;
  const header = readHeaderName(headerAt, report);
  const over = readChoice(overAt, ['body'], report);
  const formatAt = fields.get('format');
  const format =
    formatAt === undefined ? SIGNATURE_SLOT : readText(formatAt, `text with ${SIGNATURE_SLOT}`, report);
  const fault = format === undefined ? undefined : formatFault(format, SIGNATURE_SLOT, 'sha256=');
  if (formatAt !== undefined && fault !== undefined) refuse(formatAt, fault, report);
  const algorithmAt = fields.get('algorithm');
  const algorithm =
    algorithmAt === undefined ? 'sha256' : readChoice(algorithmAt, ['sha1', 'sha256', 'sha512'], report);
  const encodingAt = fields.get('encoding');
  const encoding = encodingAt === undefined ? 'hex' : readChoice(encodingAt, ['hex', 'base64'], report);
  if (header === undefined || over === undefined || format === undefined) return undefined;
  if (algorithm === undefined || encoding === undefined) return undefined;
  return { header, format, over, algorithm, encoding };
}
