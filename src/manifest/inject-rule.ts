/** Where a placeholder may stand in a request, and what may be computed from its value, as a manifest says it. */
import { parsePathTemplate } from '../wire/index.ts';
import type { InjectRule } from './types.ts';
import { type Cursor, readChoice, readFields, readText, refuse } from './fields.ts';
import { formatFault, readHeaderName, readHmacRule, TOKEN_SLOT } from './inject-header.ts';
import type { Report } from './report.ts';

const KINDS = [
  'header',
  'basic',
  'query',
  'cookie',
  'path',
  'json',
  'form',
  'multipart',
  'websocket',
  'hmac',
] as const;
type Kind = (typeof KINDS)[number];

const SYNTAX =
  '{ header: NAME, format: "Bearer {token}" }, { basic: user } or { basic: password }, { query: NAME }, { cookie: NAME }, ' +
  '{ path: "/bot{token}" }, { json: /POINTER }, { form: FIELD }, { multipart: FIELD }, { websocket: text }, ' +
  '{ websocket: /POINTER }, or { hmac: { header: NAME, format: "sha256={signature}", over: body } }';

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
  const place = fields.get(kind);
  return place === undefined ? undefined : readPlace(kind, place, fields.get('format'), report);
}

function readPlace(
  kind: Kind,
  place: Cursor,
  formatAt: Cursor | undefined,
  report: Report,
): InjectRule | undefined {
  if (kind === 'header') return readHeaderRule(place, formatAt, report);
  if (kind === 'websocket') return readWebSocketRule(place, formatAt, report);
  if (formatAt !== undefined) return refuseFormat(formatAt, `a ${kind} rule has no format`, report);
  return PLAIN_PLACES[kind](place, report);
}

type PlaceReader = (place: Cursor, report: Report) => InjectRule | undefined;

/** A place that is said by one value. */
const plain =
  <T>(read: (place: Cursor, report: Report) => T | undefined, rule: (value: T) => InjectRule): PlaceReader =>
  (place, report) => {
    const value = read(place, report);
    return value === undefined ? undefined : rule(value);
  };

const PLAIN_PLACES: Readonly<Record<Exclude<Kind, 'header' | 'websocket'>, PlaceReader>> = {
  basic: plain(
    (place, report) => readChoice<'user' | 'password'>(place, ['user', 'password'], report),
    (basic) => ({ basic }),
  ),
  query: plain(
    (place, report) => readName(place, NAMES.query, report),
    (query) => ({ query }),
  ),
  cookie: plain(
    (place, report) => readName(place, NAMES.cookie, report),
    (cookie) => ({ cookie }),
  ),
  path: plain(readPathTemplate, (path) => ({ path })),
  json: plain(readPointer, (json) => ({ json })),
  form: plain(
    (place, report) => readName(place, NAMES.field, report),
    (form) => ({ form }),
  ),
  multipart: plain(
    (place, report) => readName(place, NAMES.field, report),
    (multipart) => ({ multipart }),
  ),
  hmac: plain(readHmacRule, (hmac) => ({ hmac })),
};

const refuseFormat = (formatAt: Cursor, message: string, report: Report): undefined =>
  refuse(
    formatAt,
    {
      code: 'manifest_inject_kind',
      message,
      expected: 'format only beside header, or beside websocket: text',
    },
    report,
  );

function readHeaderRule(place: Cursor, formatAt: Cursor | undefined, report: Report): InjectRule | undefined {
  const header = readHeaderName(place, report);
  const format = readFormat(formatAt, place, report);
  return header === undefined || format === undefined ? undefined : { header, format };
}

function readFormat(formatAt: Cursor | undefined, place: Cursor, report: Report): string | undefined {
  if (formatAt === undefined) return TOKEN_SLOT;
  const format = readText(formatAt, `text with ${TOKEN_SLOT}`, report);
  const fault = format === undefined ? undefined : formatFault(format, TOKEN_SLOT, 'Bearer ');
  if (fault !== undefined) refuse(formatAt ?? place, fault, report);
  return format;
}

function readWebSocketRule(
  place: Cursor,
  formatAt: Cursor | undefined,
  report: Report,
): InjectRule | undefined {
  const websocket = readText(place, 'text, or a JSON pointer', report);
  if (websocket === undefined) return undefined;
  if (websocket === 'text') {
    const format = readFormat(formatAt, place, report);
    return format === undefined ? undefined : { websocket, format };
  }
  if (formatAt !== undefined)
    return refuseFormat(formatAt, 'a websocket rule with a pointer has no format', report);
  const pointer = readPointer(place, report);
  return pointer === undefined ? undefined : { websocket: pointer };
}

interface NameKind {
  readonly code: string;
  readonly what: string;
  readonly pattern: RegExp;
  readonly expected: string;
}

const NAMES = {
  query: {
    code: 'manifest_query_name',
    what: 'the name of a query parameter',
    pattern: /^[^\s\p{Cc}]{1,128}$/u,
    expected: 'a name of 1 to 128 characters without spaces',
  },
  cookie: {
    code: 'manifest_cookie_name',
    what: 'the name of a cookie',
    /* RFC 6265 section 4.1.1: a token. */
    pattern: /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/,
    expected: 'letters, digits and hyphens, e.g. session_id',
  },
  field: {
    code: 'manifest_form_field',
    what: 'the name of a form field',
    /* What a form's field may be called without any two parsers reading the name differently. */
    pattern: /^[!#-[\]-~]{1,128}$/,
    expected: 'a name of 1 to 128 ASCII characters without spaces, quotes and backslashes',
  },
} as const satisfies Record<string, NameKind>;

function readName(place: Cursor, kind: NameKind, report: Report): string | undefined {
  const name = readText(place, kind.what, report);
  if (name === undefined || kind.pattern.test(name)) return name;
  const message = `${JSON.stringify(name)} cannot be ${kind.what}`;
  return refuse(place, { code: kind.code, message, expected: kind.expected }, report);
}

function readPathTemplate(place: Cursor, report: Report): string | undefined {
  const path = readText(place, 'a path with {token}', report);
  const template = path === undefined ? undefined : parsePathTemplate(path);
  if (template === undefined || template.ok) return path;
  return refuse(
    place,
    {
      code: 'manifest_path_template',
      message: `${JSON.stringify(path)} is no path with a place for a value (${template.error})`,
      expected:
        'segments of literal text or "*", one of them with {token}, e.g. /bot{token} or /v1/*/keys/{token}; what follows is free',
    },
    report,
  );
}

function readPointer(place: Cursor, report: Report): string | undefined {
  const pointer = readText(place, 'a JSON pointer', report);
  if (pointer === undefined) return undefined;
  // RFC 6901 section 3; the empty pointer would make the whole body the key.
  if (/^(?:\/(?:[^~/]|~[01])*)+$/.test(pointer) && pointer.length <= 256) return pointer;
  return refuse(
    place,
    {
      code: 'manifest_json_pointer',
      message: `${JSON.stringify(pointer)} is not a JSON pointer to a member`,
      expected: 'a pointer of RFC 6901, e.g. /api_key or /auth/token',
    },
    report,
  );
}

/** What a rule fills, as text that is equal for rules that would fill the same thing. */
export function injectPlace(rule: InjectRule): string {
  if ('header' in rule) return `header ${rule.header.toLowerCase()}`;
  if ('hmac' in rule) return `header ${rule.hmac.header.toLowerCase()}`;
  const [[kind, value] = []] = Object.entries(rule);
  return `${kind} ${String(value)}`;
}
