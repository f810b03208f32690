/**
 * One JSON-RPC message: its envelope read, its text kept. Everything that the front forwards is this text with
 * at most a few values replaced.
 *
 * Must never re-print a message that it received.
 */
import { err, ok, type Result } from '../../kernel/index.ts';
import { hasVariant, knownNames } from './member-names.ts';
import { type Edit, type Members, membersOf, type Span, slice, splice, stringAt } from './raw-json.ts';

/** What a text that is not a usable message is wrong about. */
export interface MessageFault {
  readonly reason: 'not_json' | 'not_a_message';
  /** For a person, without any of the text. */
  readonly detail: string;
  /** The id as written, where one could be read: the error answer carries it. */
  readonly idText: string | null;
}

interface Envelope {
  readonly text: string;
  readonly members: Members;
  /** Members of objects further in, by where those start, as far as somebody looked: several look for the same. */
  readonly inner: Map<number, Members | null>;
}

export interface RpcRequest extends Envelope {
  readonly kind: 'request';
  /** The id exactly as written: `7`, `"a"`. Equal ids have equal texts, whatever their size. */
  readonly idText: string;
  readonly method: string;
}

export interface RpcNotification extends Envelope {
  readonly kind: 'notification';
  readonly method: string;
}

export interface RpcResponse extends Envelope {
  readonly kind: 'response';
  /** `null` as text for an error that belongs to no request. */
  readonly idText: string;
  readonly failed: boolean;
}

export type RpcMessage = RpcRequest | RpcNotification | RpcResponse;

/** A member of this name in another case would be this one to some. */
const NAMES = knownNames(['jsonrpc', 'id', 'method', 'params', 'result', 'error']);

function isIdText(text: string): boolean {
  const first = text.charCodeAt(0);
  return first === 0x22 || first === 0x2d || (first >= 0x30 && first <= 0x39);
}

/**
 * Reads the envelope of a text that is known to be valid JSON.
 *
 * @param text one JSON value without surrounding line breaks
 */
export function readEnvelope(text: string): Result<RpcMessage, MessageFault> {
  const fault = (detail: string, idText: string | null = null): Result<RpcMessage, MessageFault> =>
    err({ reason: 'not_a_message', detail, idText });
  const members = membersOf(text);
  if (members === null) return fault('not a JSON object, or one that names a member twice');
  const idSpan = members.get('id');
  const idText = idSpan === undefined ? null : slice(text, idSpan);
  const usableId = idText !== null && isIdText(idText) ? idText : null;
  if (hasVariant(members.keys(), NAMES)) return fault('a member in another case', usableId);
  if (stringAt(text, members.get('jsonrpc')) !== '2.0') return fault('"jsonrpc" is not "2.0"', usableId);
  const methodSpan = members.get('method');
  if (methodSpan !== undefined) {
    const method = stringAt(text, methodSpan);
    if (method === null) return fault('"method" is not a string', usableId);
    const params = members.get('params');
    if (params !== undefined && text[params.start] !== '{')
      return fault('"params" is not an object', usableId);
    if (idText === null) return ok({ kind: 'notification', text, members, inner: new Map(), method });
    if (usableId === null) return fault('"id" is neither a string nor a number');
    return ok({ kind: 'request', text, members, inner: new Map(), idText: usableId, method });
  }
  const failed = members.has('error');
  if (idText === null || failed === members.has('result')) return fault('neither a request nor a response');
  if (usableId === null && !(failed && idText === 'null'))
    return fault('"id" is neither a string nor a number');
  return ok({ kind: 'response', text, members, inner: new Map(), idText, failed });
}

/** Checks that the text is JSON and reads its envelope. */
export function parseMessage(text: string): Result<RpcMessage, MessageFault> {
  // What a server prints by mistake costs less so than an exception does: some print much of it.
  const isStructure = /^\s*[{[]/.test(text);
  try {
    if (isStructure) JSON.parse(text);
  } catch {
    return notJson;
  }
  return isStructure ? readEnvelope(text) : notJson;
}

const notJson = err({ reason: 'not_json', detail: 'not valid JSON', idText: null } as const);

function membersIn({ text, inner }: Envelope, at: number): Members | null {
  const known = inner.get(at);
  if (known !== undefined) return known;
  const members = membersOf(text, at);
  inner.set(at, members);
  return members;
}

/** The value at a path inside `params`; null where there is none. */
export function paramSpan(message: RpcRequest | RpcNotification, ...path: readonly string[]): Span | null {
  let span = message.members.get('params') ?? null;
  for (const name of path) {
    if (span === null) return null;
    span = membersIn(message, span.start)?.get(name) ?? null;
  }
  return span;
}

/** The string at a path inside `params`; null where there is none. */
export const paramString = (
  message: RpcRequest | RpcNotification,
  ...path: readonly string[]
): string | null => stringAt(message.text, paramSpan(message, ...path));

/** The message with its id and other values replaced. */
export function rewritten(message: RpcMessage, idText: string | null, edits: readonly Edit[] = []): string {
  const id = message.members.get('id');
  if (idText === null || id === undefined) return splice(message.text, edits);
  return splice(message.text, [{ start: id.start, end: id.end, text: idText }, ...edits]);
}

/** A request of the gateway's own; the connection that sends it replaces the id. */
export function ownRequest(method: string, paramsText?: string): RpcRequest {
  const params = paramsText === undefined ? '' : `,"params":${paramsText}`;
  const text = `{"jsonrpc":"2.0","id":0,"method":${JSON.stringify(method)}${params}}`;
  const parsed = readEnvelope(text);
  if (!parsed.ok || parsed.value.kind !== 'request') throw new Error('own request is malformed');
  return parsed.value;
}

/** @param text a response that the gateway made itself */
export function ownResponse(text: string): RpcResponse {
  const parsed = readEnvelope(text);
  if (!parsed.ok || parsed.value.kind !== 'response') throw new Error('own response is malformed');
  return parsed.value;
}

export const resultText = (idText: string, result: string): string =>
  `{"jsonrpc":"2.0","id":${idText},"result":${result}}`;

export const notificationText = (method: string, paramsText?: string): string =>
  `{"jsonrpc":"2.0","method":${JSON.stringify(method)}${paramsText === undefined ? '' : `,"params":${paramsText}`}}`;

/** The raw `result` of a response; null when it is an error. */
export function resultOf(response: RpcResponse): Span | null {
  return response.members.get('result') ?? null;
}
