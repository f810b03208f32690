/**
 * A canary in the place of a credential, and the whole request around it: what a server would send, and nothing
 * more. Pure. There is no real value here, and no way to one.
 */
import { Fields, type Target } from '../../wire/index.ts';
import { fillFormat, formatBasic } from '../inject/injection.ts';
import type { OutgoingBody, OutgoingRequest } from '../message.ts';
import type { InjectRule } from '../ports.ts';
import { ANYTHING, pathTarget } from './place.ts';
import type { Ask } from './plan.ts';

/** What a request has where its rule does not say otherwise. Some APIs turn those away that do not say who they are. */
const USUAL_FIELDS: readonly (readonly [string, string])[] = [
  ['User-Agent', 'Sallyport-Probe'],
  ['Accept', '*/*'],
  ['Accept-Encoding', 'gzip, deflate, br, zstd'],
];
const DEFAULT_PORT = { https: 443, http: 80 } as const;

/** @param canary printable ASCII, as every placeholder is */
export function probeRequest({ rule, to, method, target }: Ask, canary: string): OutgoingRequest {
  const own = ownFields(rule, canary);
  const [contentType, body] = bodyOf(rule, method, canary);
  if (contentType !== null) own.add('Content-Type', contentType);
  const fields = new Fields();
  for (const [name, value] of USUAL_FIELDS) {
    if (own.count(name.toLowerCase()) === 0) fields.add(name, value);
  }
  for (const [index, name] of own.names.entries()) fields.add(name, own.values[index] ?? '');
  return {
    method,
    scheme: to.scheme,
    authority: to.port === DEFAULT_PORT[to.scheme] ? to.host : `${to.host}:${to.port}`,
    target: targetWith(rule, target, canary),
    fields,
    sensitive: [],
    acceptsTrailers: true,
    body,
  };
}

function ownFields(rule: InjectRule, canary: string): Fields {
  const fields = new Fields();
  if ('header' in rule) fields.add(rule.header, fillFormat(rule.format, canary));
  if ('cookie' in rule) fields.add('Cookie', `${rule.cookie}=${canary}`);
  if ('basic' in rule) {
    const pair = { user: ANYTHING, password: ANYTHING, [rule.basic]: canary };
    fields.add('Authorization', formatBasic(pair));
  }
  return fields;
}

function targetWith(rule: InjectRule, { raw, query }: Target, canary: string): string {
  if ('path' in rule) return pathTarget(rule.path, encodeURIComponent(canary)).raw;
  if (!('query' in rule)) return raw;
  return `${raw}${query === null ? '?' : '&'}${parameter(rule.query, canary)}`;
}

const parameter = (name: string, value: string): string =>
  `${encodeURIComponent(name)}=${encodeURIComponent(value)}`;

const METHODS_WITH_BODY: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);
const BOUNDARY = 'sallyport-probe-boundary-5Kq8Zt2Wc7';

function bodyOf(rule: InjectRule, method: string, canary: string): [string | null, OutgoingBody] {
  if (!METHODS_WITH_BODY.has(method)) return [null, { kind: 'none' }];
  if ('json' in rule) return ['application/json', whole(jsonAt(rule.json, canary))];
  if ('form' in rule) return ['application/x-www-form-urlencoded', whole(parameter(rule.form, canary))];
  if ('multipart' in rule)
    return [`multipart/form-data; boundary=${BOUNDARY}`, whole(multipartWith(rule.multipart, canary))];
  return [null, whole('')];
}

const whole = (text: string): OutgoingBody => ({ kind: 'whole', bytes: Buffer.from(text, 'utf8') });

/** The smallest JSON object with the canary where the pointer (RFC 6901) leads. */
function jsonAt(pointer: string, canary: string): string {
  const keys = pointer
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  const value = keys.reduceRight<unknown>((inner, key) => Object.fromEntries([[key, inner]]), canary);
  return JSON.stringify(value);
}

/** RFC 7578, names escaped as browsers do. */
function multipartWith(name: string, canary: string): string {
  const escaped = name.replaceAll('"', '%22');
  return `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${escaped}"\r\n\r\n${canary}\r\n--${BOUNDARY}--\r\n`;
}
