/**
 * The envelope of a JSON-RPC 2.0 message as MCP uses it. The message itself stays text: it is checked, looked
 * into, and forwarded as it came; only an identifier or another named value is ever replaced. Nothing is
 * re-typed, so unknown members, key order and number precision survive a relay.
 */
import { err, ok, type Result } from '../kernel/index.ts';
import { findJson, type JsonPath, type JsonSpan, jsonItems, jsonMembers } from './json-span.ts';
import { checkJson, type JsonError, type JsonLimits } from './strict-json.ts';

export type JsonRpcId = string | number;

export interface JsonRpcEnvelope {
  readonly kind: 'request' | 'notification' | 'response' | 'error';
  /** `null` for a notification, and for an error about a message that could not be read. */
  readonly id: JsonRpcId | null;
  /** The identifier as it was written, for sending it back unchanged: `1`, `"a"`; `null` without one. */
  readonly idText: string | null;
  /** `null` for a response or an error. */
  readonly method: string | null;
  readonly hasParams: boolean;
  /** The checked message. */
  readonly raw: string;
}

export type JsonRpcError =
  | JsonError
  | 'jsonrpc_not_object'
  | 'jsonrpc_batch' /** an array: see `parseJsonRpcBatch` */
  | 'jsonrpc_batch_empty'
  | 'jsonrpc_version'
  | 'jsonrpc_id'
  | 'jsonrpc_method'
  | 'jsonrpc_params'
  | 'jsonrpc_shape' /** none of request, notification, response, error, or two at once */
  | 'jsonrpc_error';

/** @param line one message: a line of stdio or an HTTP body, without the line's end or with it */
export function parseJsonRpc(
  line: string | Uint8Array,
  bounds: JsonLimits = {},
): Result<JsonRpcEnvelope, JsonRpcError> {
  const text = checkJson(line, bounds);
  return text.ok ? parseEnvelope(text.value) : text;
}

/** Messages of an array (protocol 2025-03-26), or of a single message as an array of one. */
export function parseJsonRpcBatch(
  line: string | Uint8Array,
  bounds: JsonLimits = {},
): Result<readonly JsonRpcEnvelope[], JsonRpcError> {
  const text = checkJson(line, bounds);
  if (!text.ok) return text;
  if (!text.value.trimStart().startsWith('[')) {
    const single = parseEnvelope(text.value);
    return single.ok ? ok([single.value]) : single;
  }
  const messages: JsonRpcEnvelope[] = [];
  for (const { start, end } of jsonItems(text.value)) {
    const message = parseEnvelope(text.value.slice(start, end));
    if (!message.ok) return message;
    messages.push(message.value);
  }
  return messages.length === 0 ? err('jsonrpc_batch_empty') : ok(messages);
}

function parseEnvelope(raw: string): Result<JsonRpcEnvelope, JsonRpcError> {
  const first = raw.trimStart()[0];
  if (first === '[') return err('jsonrpc_batch');
  if (first !== '{') return err('jsonrpc_not_object');
  const members = new Map(
    jsonMembers(raw).map((member) => [member.key, raw.slice(member.start, member.end)]),
  );
  if (stringOf(members.get('jsonrpc')) !== '2.0') return err('jsonrpc_version');
  const method = members.get('method');
  const id = members.get('id');
  const outcomes = Number(members.has('result')) + Number(members.has('error'));
  if (method !== undefined) {
    if (outcomes > 0) return err('jsonrpc_shape');
    return parseCall(raw, method, id, members.get('params'));
  }
  if (outcomes !== 1) return err('jsonrpc_shape');
  return parseOutcome(raw, id, members.get('error'));
}

function parseCall(
  raw: string,
  methodText: string,
  idText: string | undefined,
  params: string | undefined,
): Result<JsonRpcEnvelope, JsonRpcError> {
  const method = stringOf(methodText);
  if (method === null || method === '') return err('jsonrpc_method');
  if (params !== undefined && params[0] !== '{' && params[0] !== '[') return err('jsonrpc_params');
  const hasParams = params !== undefined;
  if (idText === undefined)
    return ok({ kind: 'notification', id: null, idText: null, method, hasParams, raw });
  const id = idOf(idText);
  return id === null ? err('jsonrpc_id') : ok({ kind: 'request', id, idText, method, hasParams, raw });
}

function parseOutcome(
  raw: string,
  idText: string | undefined,
  error: string | undefined,
): Result<JsonRpcEnvelope, JsonRpcError> {
  const kind = error === undefined ? 'response' : 'error';
  if (error !== undefined && !isErrorObject(error)) return err('jsonrpc_error');
  const fields = { kind, method: null, hasParams: false, raw } as const;
  if (kind === 'error' && (idText === undefined || idText === 'null')) {
    return ok({ ...fields, id: null, idText: null });
  }
  const id = idText === undefined ? null : idOf(idText);
  return id === null || idText === undefined ? err('jsonrpc_id') : ok({ ...fields, id, idText });
}

function isErrorObject(text: string): boolean {
  if (text[0] !== '{') return false;
  const code = findJson(text, ['code']);
  const message = findJson(text, ['message']);
  if (code === null || message === null || text[message.start] !== '"') return false;
  return Number.isInteger(Number(text.slice(code.start, code.end)));
}

const stringOf = (literal: string | undefined): string | null => {
  if (literal === undefined || literal[0] !== '"') return null;
  const value: unknown = JSON.parse(literal);
  return typeof value === 'string' ? value : null;
};

/** A string, or a number that is exactly what was written; `null` for anything else. */
function idOf(text: string): JsonRpcId | null {
  if (text[0] === '"') return stringOf(text);
  const value = Number(text);
  return /^-?[0-9]/.test(text) && Number.isSafeInteger(value) ? value : null;
}

/** A copy of the message with another identifier. Only for messages that have one. */
export function withId(message: JsonRpcEnvelope | string, newId: JsonRpcId): string {
  return withIdText(message, JSON.stringify(newId));
}

/** As `withId`, with the identifier as JSON text: what gives a client back exactly what it wrote. */
export function withIdText(message: JsonRpcEnvelope | string, idText: string): string {
  return replaceAt(textOf(message), ['id'], idText) ?? textOf(message);
}

/** Where MCP puts the token that progress notifications carry: in a request's metadata, or in the notification. */
const progressPath = (message: JsonRpcEnvelope): JsonPath =>
  message.method === 'notifications/progress'
    ? ['params', 'progressToken']
    : ['params', '_meta', 'progressToken'];

/** The progress token as it was written; `null` without one. */
export function progressTokenText(message: JsonRpcEnvelope): string | null {
  return memberText(message, progressPath(message));
}

/** A copy of the message with another progress token; unchanged when it has none. */
export function withProgressTokenText(message: JsonRpcEnvelope, tokenText: string): string {
  return replaceAt(message.raw, progressPath(message), tokenText) ?? message.raw;
}

/** The JSON text of any value in the message; `null` when there is none at that path. */
export function memberText(message: JsonRpcEnvelope, path: JsonPath): string | null {
  const span = findJson(message.raw, path);
  return span === null ? null : message.raw.slice(span.start, span.end);
}

const textOf = (message: JsonRpcEnvelope | string): string =>
  typeof message === 'string' ? message : message.raw;

function replaceAt(text: string, path: JsonPath, json: string): string | null {
  const span: JsonSpan | null = findJson(text, path);
  return span === null ? null : text.slice(0, span.start) + json + text.slice(span.end);
}
