/**
 * Puts placeholders where a manifest declares credentials, in a request that the gateway makes itself: an MCP server
 * in a cell does that on its own. Pure. There is no real value here, and no way to one.
 */
import { matchBinding } from '../../policy/index.ts';
import {
  Fields,
  type JsonSpan,
  jsonItems,
  jsonMembers,
  multipartBoundary,
  normalizeTarget,
} from '../../wire/index.ts';
import { type BasicPair, fillFormat, formatBasic, parseBasic } from '../inject/injection.ts';
import type { CredentialBinding, InjectRule, OwnRequest } from '../ports.ts';

interface Filled {
  target: string;
  readonly fields: Fields;
  body: Buffer | null;
  /** Both halves, which may be two credentials. */
  basic: Partial<BasicPair>;
}

/**
 * The request with the placeholder of every binding that covers it in every place that the binding declares, so far as
 * the request has that place: one without a body has none in a body. What stood there is replaced; half of Basic
 * leaves the other half as it was.
 *
 * @param bindings of credentials that have a value
 */
export function fillPlaces(request: OwnRequest, bindings: readonly CredentialBinding[]): OwnRequest {
  const { host, port, method } = request;
  const target = normalizeTarget(request.target);
  if (!target.ok) return request; // refused by the first step, with a reason
  const fields = new Fields();
  for (const [name, value] of request.fields) fields.add(name, value);
  const filled: Filled = { target: request.target, fields, body: request.body, basic: {} };
  for (const binding of bindings) {
    if (!matchBinding(binding, { host, port, method, path: target.value.path }).allow) continue;
    for (const rule of binding.inject) fill(filled, rule, binding.placeholder);
  }
  if (filled.basic.user !== undefined || filled.basic.password !== undefined) {
    const had = parseBasic(fields.get('authorization') ?? '') ?? { user: '', password: '' };
    setField(fields, 'Authorization', formatBasic({ ...had, ...filled.basic }));
  }
  const pairs = fields.names.map((name, index) => [name, fields.values[index] ?? ''] as const);
  return { ...request, target: filled.target, fields: pairs, body: filled.body };
}

function fill(filled: Filled, rule: InjectRule, token: string): void {
  if ('header' in rule) setField(filled.fields, rule.header, fillFormat(rule.format, token));
  else if ('basic' in rule) filled.basic = { ...filled.basic, [rule.basic]: token };
  else if ('cookie' in rule) addCookie(filled.fields, rule.cookie, token);
  else if ('query' in rule) filled.target = withParameter(filled.target, rule.query, token);
  else if ('path' in rule) filled.target = withSegments(filled.target, rule.path, token);
  else if ('json' in rule) filled.body = withJson(filled.fields, filled.body, rule.json, token);
  else if ('form' in rule) filled.body = withForm(filled.fields, filled.body, rule.form, token);
  else if ('multipart' in rule) filled.body = withPart(filled.fields, filled.body, rule.multipart, token);
}

function setField(fields: Fields, name: string, value: string): void {
  const at = fields.keys.indexOf(name.toLowerCase());
  if (at < 0) fields.add(name, value);
  else fields.setAt(at, value);
}

function addCookie(fields: Fields, name: string, value: string): void {
  const had = fields.get('cookie');
  setField(fields, 'Cookie', had === undefined ? `${name}=${value}` : `${had}; ${name}=${value}`);
}

const parameter = (name: string, value: string): string =>
  `${encodeURIComponent(name)}=${encodeURIComponent(value)}`;

function withParameter(target: string, name: string, value: string): string {
  const at = target.indexOf('?');
  if (at < 0) return `${target}?${parameter(name, value)}`;
  return `${target.slice(0, at)}?${withPair(target.slice(at + 1), name, value)}`;
}

/** Of `application/x-www-form-urlencoded`; a pair of the same name gives way. */
function withPair(text: string, name: string, value: string): string {
  const others = text.split('&').filter((pair) => pair !== '' && !new URLSearchParams(pair).has(name));
  return [...others, parameter(name, value)].join('&');
}

/** @param template a path in which one segment has the value in it, and `*` stands for any */
function withSegments(target: string, template: string, token: string): string {
  const [path = '', ...query] = target.split('?');
  const segments = path.split('/');
  for (const [index, part] of template.split('/').entries()) {
    const full = fillFormat(part, encodeURIComponent(token));
    if (full !== part && index < segments.length) segments[index] = full;
  }
  return [segments.join('/'), ...query].join('?');
}

const isOf = (fields: Fields, type: RegExp): boolean => type.test(fields.get('content-type') ?? '');

/** @param pointer RFC 6901; objects on the way are made where there are none */
function withJson(fields: Fields, body: Buffer | null, pointer: string, token: string): Buffer | null {
  if (body === null || !isOf(fields, /^application\/(?:[\w.+-]+\+)?json\b/i)) return body;
  const keys = pointer
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  const text = body.toString('utf8');
  try {
    const parsed: unknown = JSON.parse(text);
    // What is named twice is written anew, and then there once.
    const written = withValueAt(text, whole(text), keys, token);
    const once = (): string => JSON.stringify(parsed);
    return Buffer.from(written ?? withValueAt(once(), whole(once()), keys, token) ?? text, 'utf8');
  } catch {
    return body;
  }
}

const whole = (text: string): JsonSpan => ({ start: text.search(/\S/), end: text.trimEnd().length });

/** All that is not replaced keeps its bytes, numbers their digits. Null where a member on the way is there twice. */
function withValueAt(
  text: string,
  { start, end }: JsonSpan,
  [key, ...rest]: readonly string[],
  value: string,
): string | null {
  const below = rest.reduceRight(
    (inner, name) => `{${JSON.stringify(name)}:${inner}}`,
    JSON.stringify(value),
  );
  if (key === undefined) return text.slice(0, start) + below + text.slice(end);
  if (text[start] === '[') {
    const item = jsonItems(text, { start, end }).find((_, at) => String(at) === key);
    return item === undefined ? text : withValueAt(text, item, rest, value);
  }
  const added = `${JSON.stringify(key)}:${below}`;
  if (text[start] !== '{') return `${text.slice(0, start)}{${added}}${text.slice(end)}`;
  const members = jsonMembers(text, { start, end });
  const [found, another] = members.filter((member) => member.key === key);
  if (another !== undefined) return null;
  if (found !== undefined) return withValueAt(text, found, rest, value);
  return `${text.slice(0, end - 1)}${members.length === 0 ? '' : ','}${added}${text.slice(end - 1)}`;
}

function withForm(fields: Fields, body: Buffer | null, name: string, token: string): Buffer | null {
  if (body === null || !isOf(fields, /^application\/x-www-form-urlencoded\b/i)) return body;
  return Buffer.from(withPair(body.toString('utf8'), name, token), 'utf8');
}

/** As the last part. One of the same name is left: what is there twice is not filled in, and the request refused. */
function withPart(fields: Fields, body: Buffer | null, name: string, token: string): Buffer | null {
  const boundary = multipartBoundary(fields.get('content-type') ?? '');
  const close = body?.lastIndexOf(`--${boundary}--`) ?? -1;
  if (body === null || boundary === null || close < 0) return body;
  const quoted = name.replaceAll('"', '%22').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
  const part = `--${boundary}\r\nContent-Disposition: form-data; name="${quoted}"\r\n\r\n${token}\r\n`;
  return Buffer.concat([body.subarray(0, close), Buffer.from(part, 'utf8'), body.subarray(close)]);
}
