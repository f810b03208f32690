/**
 * One call to one request. Every value is encoded for the place that it goes to, and the target that comes out must be one
 * that all upstreams read alike: a value can neither leave its segment nor its parameter (ATTACKS 13).
 */
import { err, ok, type Result } from '../kernel/index.ts';
import { type Arguments, checkNames, readArguments } from './arguments.ts';
import type { ApiFault } from './faults.ts';
import { buildFree } from './request-tool.ts';
import type { ApiRequest, OperationPlan, ParamPlan, RequestPlan, Spans } from './plan.ts';
import { requestFrom } from './request-from.ts';
import { bodyFrom } from './serialise/body.ts';
import { fieldFault } from './serialise/fields.ts';
import { encoded, encodedReserved } from './serialise/percent.ts';
import { joined, type Pair, pairs } from './serialise/values.ts';

/**
 * Codes: `api_argument_malformed`, `api_argument_unknown`, `api_argument_missing`, `api_argument_path`, `api_argument_header`,
 * `api_argument_base64`, `api_argument_too_long`, `api_request_…`.
 */
export function buildRequest(plan: RequestPlan, argumentsText: string): Result<ApiRequest, ApiFault> {
  const given = readArguments(argumentsText);
  if (!given.ok) return given;
  return plan.kind === 'request' ? buildFree(plan, given.value) : buildOperation(plan, given.value);
}

function buildOperation(plan: OperationPlan, all: Arguments): Result<ApiRequest, ApiFault> {
  // What stands in an address or a header can be there or not; only bodies know null.
  const nulls = plan.params.filter(({ argument }) => all.get(argument)?.value === null);
  const given = new Map(all);
  for (const { argument } of nulls) given.delete(argument);
  const fault = checkNames(given, [...plan.params, ...bodyArguments(plan)]);
  if (fault !== null) return err(fault);
  const path = fillPath(plan, given);
  if (!path.ok) return path;
  const fields = headerFields(plan, given);
  if (!fields.ok) return fields;
  const body = plan.body === null ? ok(null) : bodyFrom(plan.body, given);
  if (!body.ok) return body;
  const query = queryOf(plan.params, given);
  return requestFrom(plan.base, {
    method: plan.method,
    target:
      plan.base.path + path.value + (query === '' ? '' : `${path.value.includes('?') ? '&' : '?'}${query}`),
    fields: fields.value,
    body: body.value,
  });
}

function bodyArguments({ body }: OperationPlan): readonly { argument: string; required: boolean }[] {
  if (body === null) return [];
  return 'argument' in body.content
    ? [{ argument: body.content.argument, required: body.required }]
    : body.content.fields;
}

/** Codes: `api_argument_path` for a value that would leave its segment. */
function fillPath({ path, params }: OperationPlan, given: Arguments): Result<string, ApiFault> {
  let filled = path;
  for (const param of params) {
    const argument = given.get(param.argument);
    if (param.in !== 'path' || argument === undefined) continue;
    const encode = param.spans === null ? encoded : encodedSegments;
    const value = joined(argument, { ...param, encode });
    const segments = value.split('/');
    if (segments.some((segment) => segment === '' || /^\.{1,2}$/.test(segment))) {
      return err({
        code: 'api_argument_path',
        message: `\`${param.argument}\` stands in the path: it must not be empty, "." or "..", and no part of it either.`,
      });
    }
    if (param.spans !== null && !fits(segments, param.spans)) {
      return err({
        code: 'api_argument_path',
        message: `\`${param.argument}\` must be like ${param.spans.join('/').slice(0, 200)}.`,
      });
    }
    // By pieces and not by pattern: `$&` in a value is no more than that.
    filled = filled.split(`{${param.name}}`).join(value);
  }
  return ok(filled);
}

const encodedSegments = (text: string): string => text.split('/').map(encoded).join('/');

function fits(segments: readonly string[], spans: Spans): boolean {
  const open = spans.at(-1) === '**';
  const fixed = open ? spans.slice(0, -1) : spans;
  if (open ? segments.length <= fixed.length : segments.length !== fixed.length) return false;
  return fixed.every((span, index) => span === '*' || span === segments[index]);
}

function queryOf(params: readonly ParamPlan[], given: Arguments): string {
  return pairsOf(params, given, 'query')
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

const pairsOf = (params: readonly ParamPlan[], given: Arguments, place: 'query' | 'cookie'): Pair[] =>
  params.flatMap((param) => {
    const argument = given.get(param.argument);
    if (param.in !== place || argument === undefined) return [];
    return pairs(param.name, argument, { ...param, encode: param.reserved ? encodedReserved : encoded });
  });

const asIs = (text: string): string => text;

function headerFields(
  { params }: OperationPlan,
  given: Arguments,
): Result<readonly (readonly [string, string])[], ApiFault> {
  const fields: (readonly [string, string])[] = [];
  for (const param of params) {
    const argument = given.get(param.argument);
    if (param.in !== 'header' || argument === undefined) continue;
    const value = joined(argument, { ...param, encode: asIs });
    const fault = fieldFault(param.argument, value);
    if (fault !== null) return err(fault);
    fields.push([param.name, value]);
  }
  const cookies = pairsOf(params, given, 'cookie').map(([name, value]) => `${name}=${value}`);
  return ok(cookies.length === 0 ? fields : [...fields, ['Cookie', cookies.join('; ')]]);
}
