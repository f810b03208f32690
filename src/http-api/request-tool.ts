/**
 * One tool for a whole API: `request`, with method, path, query, headers and body. What of it may be sent is for the rules
 * of the way out to say, which are asked about the normalised path of each request as it leaves; here only the form is seen
 * to: nothing that could be read in two ways, nothing outside of the base, nothing in the place of a credential.
 */
import { err, limits, ok, type Result } from '../kernel/index.ts';
import type { EgressRule } from '../manifest/index.ts';
import { type Arguments, checkNames, readArguments } from './arguments.ts';
import type { ApiFault } from './faults.ts';
import { isObject } from './json-values.ts';
import type { ApiRequest, ApiTool, Base, FreePlan, Taken } from './plan.ts';
import { requestFrom } from './request-from.ts';
import type { Body } from './serialise/body.ts';
import { fieldFault, fieldKey, isFieldName, isOwnField } from './serialise/fields.ts';
import { encoded } from './serialise/percent.ts';
import { membersOf, pairs, textOf } from './serialise/values.ts';

const ALL_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
const READING: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);
/** Argument names; `reason` is for whoever reads the audit log, and is not sent. */
const NAMES = [
  { argument: 'method', required: true },
  { argument: 'path', required: true },
  { argument: 'query', required: false },
  { argument: 'headers', required: false },
  { argument: 'body', required: false },
  { argument: 'reason', required: false },
] as const;

/** @param rules of the way out: what they can never allow is not offered */
export function requestTool(rules: readonly EgressRule[], base: Base, taken: Taken): ApiTool {
  const own = rules.filter(
    ({ host, port, protocol }) => host === base.host && port === base.port && protocol === base.scheme,
  );
  const methods = own.some((rule) => rule.methods === undefined)
    ? [...ALL_METHODS]
    : [...new Set(own.flatMap((rule) => rule.methods ?? []))];
  const paths = own.some((rule) => rule.paths === undefined) ? [] : own.flatMap((rule) => rule.paths ?? []);
  const definition = {
    name: 'request',
    description: [
      `Send one HTTP request to ${base.host}${base.path} and get its answer. The key is added outside; never ask for one.`,
      `Methods: ${methods.join(', ')}.`,
      ...(paths.length === 0 ? [] : [`Only below ${[...new Set(paths)].join(', ')}.`]),
    ].join(' '),
    inputSchema: {
      type: 'object',
      properties: {
        method: { type: 'string', enum: methods },
        path: {
          type: 'string',
          description: `Below ${base.host}${base.path}, beginning with a slash; no query. Values in it are percent-encoded once.`,
        },
        query: { type: 'object', description: 'Parameters by name: text, numbers, or lists of them.' },
        headers: { type: 'object', additionalProperties: { type: 'string' } },
        body: {
          description: 'Sent as JSON; a text is sent as it is if the header Content-Type says no JSON.',
        },
        reason: {
          type: 'string',
          description:
            'What this request is for, in a sentence: it goes into the audit log, and is not sent.',
        },
      },
      required: ['method', 'path'],
      additionalProperties: false,
    },
    annotations: {
      readOnlyHint: methods.every((method) => READING.has(method)),
      openWorldHint: true,
    },
  };
  return { name: 'request', definition: JSON.stringify(definition), plan: { kind: 'request', base, taken } };
}

/** What a call of the tool says that it is for; null where it says nothing. */
export function reasonIn(argumentsText: string): string | null {
  const given = readArguments(argumentsText);
  const reason = given.ok ? given.value.get('reason')?.value : null;
  return typeof reason === 'string' && reason.trim() !== ''
    ? reason.slice(0, limits.apiReasonCharsMax).toWellFormed()
    : null;
}

/** Codes: `api_request_method`, `api_request_path`, `api_request_query`, `api_request_header`, `api_argument_…`. */
export function buildFree(plan: FreePlan, given: Arguments): Result<ApiRequest, ApiFault> {
  const fault = checkNames(given, NAMES);
  if (fault !== null) return err(fault);
  const method = given.get('method')?.value;
  if (typeof method !== 'string' || !/^[A-Z]{1,20}$/.test(method) || ['CONNECT', 'TRACE'].includes(method)) {
    return err({
      code: 'api_request_method',
      message: 'This is no method that can be used here.',
      hint: `One of ${ALL_METHODS.join(', ')}, in capitals.`,
    });
  }
  const path = given.get('path')?.value;
  if (typeof path !== 'string' || !path.startsWith('/') || path.includes('?') || path.includes('#')) {
    return err({
      code: 'api_request_path',
      message: 'The path must begin with a slash and have no query in it.',
      hint: 'Parameters go into `query`. The host cannot be chosen.',
    });
  }
  const query = queryText(plan.taken, given);
  if (!query.ok) return query;
  const fields = headerFields(plan.taken, given);
  if (!fields.ok) return fields;
  const body = freeBody(plan.taken, given, fields.value.contentType);
  if (!body.ok) return body;
  return requestFrom(plan.base, {
    method,
    target: plan.base.path + path + query.value,
    fields: fields.value.fields,
    body: body.value,
  });
}

function queryText(taken: Taken, given: Arguments): Result<string, ApiFault> {
  const query = given.get('query');
  if (query === undefined || query.value === null) return ok('');
  if (!isObject(query.value)) {
    return err({ code: 'api_request_query', message: '`query` must be an object: names with their values.' });
  }
  const members = membersOf(query);
  const reserved = members.map(([name]) => name).find((name) => taken.query.has(name));
  if (reserved !== undefined) return err(credentialPlace('query', reserved));
  const text = members
    .filter(([, { value }]) => value !== null)
    .flatMap(([name, argument]) => {
      const style = isObject(argument.value) ? 'deepObject' : 'form';
      return pairs(name, argument, { style, explode: true, encode: encoded });
    })
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
  return ok(text === '' ? '' : `?${text}`);
}

const credentialPlace = (place: string, name: string): ApiFault => ({
  code: 'api_request_credential',
  message: `\`${name.slice(0, 100)}\` in \`${place}\` is where the server's credential goes.`,
  hint: 'Leave it out: it is added outside.',
});

interface Headers {
  readonly fields: readonly (readonly [string, string])[];
  readonly contentType: string | null;
}

function headerFields(taken: Taken, given: Arguments): Result<Headers, ApiFault> {
  const headers = given.get('headers');
  if (headers !== undefined && headers.value !== null && !isObject(headers.value)) {
    return err({
      code: 'api_request_header',
      message: '`headers` must be an object: names with their values.',
    });
  }
  const fields: (readonly [string, string])[] = [];
  let contentType: string | null = null;
  for (const [name, argument] of headers === undefined ? [] : membersOf(headers)) {
    const key = fieldKey(name);
    if (taken.headers.has(key)) return err(credentialPlace('headers', name));
    if (key === 'cookie' && taken.cookies.size > 0) return err(credentialPlace('headers', name));
    if (!isFieldName(name) || (isOwnField(name) && key !== 'content-type')) {
      return err({
        code: 'api_request_header',
        message: `The header \`${name.slice(0, 100)}\` cannot be given.`,
        hint: 'Headers that say how a request travels, or that it is another one than it says, are not for tools to write.',
      });
    }
    const text = textOf(argument);
    const fault = fieldFault(name, text);
    if (fault !== null) return err(fault);
    if (key === 'content-type') contentType = text;
    else fields.push([name, text]);
  }
  return ok({ fields, contentType });
}

const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json(?:;|$)/i;

function freeBody(taken: Taken, given: Arguments, contentType: string | null): Result<Body | null, ApiFault> {
  const argument = given.get('body');
  if (argument === undefined) return ok(null);
  const { value } = argument;
  const isPlain = typeof value === 'string' && contentType !== null && !JSON_TYPE.test(contentType);
  if (isObject(value)) {
    const reserved = Object.keys(value).find((name) => taken.body.has(name));
    if (reserved !== undefined) return err(credentialPlace('body', reserved));
  }
  return ok({
    contentType: contentType ?? 'application/json',
    bytes: Buffer.from(isPlain ? value : argument.text, 'utf8'),
  });
}
