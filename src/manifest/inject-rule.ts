/** Where a placeholder may stand in a request, as a manifest says it. */
import type { InjectRule } from './types.ts';
import { type Cursor, readChoice, readFields, readText, refuse } from './fields.ts';
import type { Complaint, Report } from './report.ts';

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

const tokenSlot = '{token}';

const KINDS = ['header', 'basic', 'query', 'json'] as const;
const SYNTAX =
  '{ header: NAME, format: "Bearer {token}" }, { basic: user } or { basic: password }, { query: NAME }, or { json: /POINTER }';

/** Reads one rule. */
export function readInjectRule(cursor: Cursor, report: Report): InjectRule | undefined {
  const fields = readFields(cursor, [...KINDS, 'format'], report);
  if (fields === undefined) return undefined;
  const present = KINDS.filter((kind) => fields.get(kind) !== undefined);
  const [kind, second] = present;
  if (kind === undefined || second !== undefined) {
    const message =
      kind === undefined
        ? 'the rule names no place'
        : `the rule names ${present.length} places: ${present.join(', ')}`;
    return refuse(cursor, { code: 'manifest_inject_kind', message, expected: SYNTAX }, report);
  }
  const format = fields.get('format');
  if (kind !== 'header' && format !== undefined) {
    return refuse(
      format,
      {
        code: 'manifest_inject_kind',
        message: `a ${kind} rule has no format`,
        expected: 'format only beside header',
      },
      report,
    );
  }
  const place = fields.get(kind);
  if (place === undefined) return undefined;
  if (kind === 'header') return readHeaderRule(place, format, report);
  if (kind === 'basic') {
    const basic = readChoice(place, ['user', 'password'], report);
    return basic === undefined ? undefined : { basic };
  }
  return kind === 'query' ? readQueryRule(place, report) : readJsonRule(place, report);
}

function readHeaderRule(place: Cursor, formatAt: Cursor | undefined, report: Report): InjectRule | undefined {
  const header = readText(place, 'the name of a header', report);
  const format = formatAt === undefined ? tokenSlot : readText(formatAt, `text with ${tokenSlot}`, report);
  if (header === undefined || format === undefined) return undefined;
  const nameFault = headerNameFault(header);
  if (nameFault !== undefined) refuse(place, nameFault, report);
  const formatFault = headerFormatFault(format);
  if (formatFault !== undefined) refuse(formatAt ?? place, formatFault, report);
  return { header, format };
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

/** Why a header's format is wrong; undefined when it is right. */
function headerFormatFault(format: string): Complaint | undefined {
  const slots = format.split(tokenSlot).length - 1;
  if (slots !== 1) {
    return {
      code: 'manifest_format_token',
      message: slots === 0 ? `the format has no ${tokenSlot}` : `the format has ${tokenSlot} ${slots} times`,
      expected: `${tokenSlot} exactly once, e.g. "Bearer ${tokenSlot}"`,
    };
  }
  if (!/^[\x20-\x7e]*$/.test(format) || format.trim() !== format) {
    return {
      code: 'manifest_format_characters',
      message: 'the format has characters that a header cannot carry as they are',
      expected: 'printable ASCII without spaces at either end',
    };
  }
  return undefined;
}

function readQueryRule(place: Cursor, report: Report): InjectRule | undefined {
  const query = readText(place, 'the name of a query parameter', report);
  if (query === undefined) return undefined;
  if (query !== '' && query.length <= 128 && !/[\s\p{Cc}]/u.test(query)) return { query };
  return refuse(
    place,
    {
      code: 'manifest_query_name',
      message: `${JSON.stringify(query)} cannot be the name of a query parameter`,
      expected: 'a name of 1 to 128 characters without spaces',
    },
    report,
  );
}

function readJsonRule(place: Cursor, report: Report): InjectRule | undefined {
  const json = readText(place, 'a JSON pointer', report);
  if (json === undefined) return undefined;
  // RFC 6901 section 3; the empty pointer would make the whole body the key.
  if (/^(?:\/(?:[^~/]|~[01])*)+$/.test(json) && json.length <= 256) return { json };
  return refuse(
    place,
    {
      code: 'manifest_json_pointer',
      message: `${JSON.stringify(json)} is not a JSON pointer to a member`,
      expected: 'a pointer of RFC 6901, e.g. /api_key or /auth/token',
    },
    report,
  );
}
