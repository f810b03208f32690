/**
 * POSTs of protocol revision 2026-07-28: no session; the request names its revision in `_meta`, and headers
 * mirror what intermediaries route by. Which revision a POST is of, and whether its envelope is sound, is decided
 * by the SDK's own classifier.
 */
import { type Carried, NOTHING_CARRIED } from '../client/client-facts.ts';
import { decodeHeaderValue } from '../protocol/header-value.ts';
import type { RpcMessage } from '../protocol/message.ts';
import { paramSpan, paramString } from '../protocol/message.ts';
import type { Principal } from '../ports/callers.ts';
import { STATELESS_VERSION } from '../protocol/protocol.ts';
import { find, slice, stringAt } from '../protocol/raw-json.ts';
import { unsupportedVersion } from '../protocol/stateless.ts';
import { rpcCode, versionUnsupported } from '../protocol/rpc-error.ts';
import type { FrontRequest } from './http-message.ts';
import type { Soon } from '../soon.ts';

/** What a POST turned out to be. */
export type Classified =
  | { readonly kind: 'session' }
  | { readonly kind: 'stateless' }
  | { readonly kind: 'refused'; readonly status: number; readonly text: string };

/** The parameter that `Mcp-Name` repeats. */
const NAMED_BY: Readonly<Record<string, string>> = {
  'tools/call': 'name',
  'prompts/get': 'name',
  'resources/read': 'uri',
};

const PARAM_PREFIX = 'mcp-param-';

const header = (req: FrontRequest, name: string): string | undefined => {
  const value = req.headers[name];
  return typeof value === 'string' ? value.trim() : undefined;
};

export function classify(req: FrontRequest, messages: readonly RpcMessage[]): Soon<Classified> {
  const versionHeader = header(req, 'mcp-protocol-version');
  const [message] = messages;
  const modernHeader = versionHeader !== undefined && versionHeader >= STATELESS_VERSION;
  const claims = messages.some(
    (each) =>
      each.kind !== 'response' &&
      paramSpan(each, '_meta', 'io.modelcontextprotocol/protocolVersion') !== null,
  );
  if ((!modernHeader && !claims) || message === undefined) return { kind: 'session' };
  const methodHeader = header(req, 'mcp-method');
  const nameHeader = header(req, 'mcp-name');
  const mirrored = { versionHeader, methodHeader, nameHeader };
  if (messages.length === 1 && isLastSound(message, mirrored)) return checkHeaders(message, mirrored);
  const about = messages.length === 1 ? selfDescription(message, mirrored) : null;
  if (about !== null && sound.has(about)) {
    // Of `about`, so that it does not keep the whole message.
    const meta = about.slice(about.length - metaOf(message).length);
    lastSound = { mirrored, method: methodOf(message), meta };
    return checkHeaders(message, mirrored);
  }
  return classifyAnew(messages, message, { mirrored, about });
}

/** As the SDK sees it. @param about all that its verdict rests on; null: it is not remembered */
async function classifyAnew(
  messages: readonly RpcMessage[],
  message: RpcMessage,
  { mirrored, about }: { readonly mirrored: MirroredHeaders; readonly about: string | null },
): Promise<Classified> {
  const { versionHeader, methodHeader, nameHeader } = mirrored;
  const { classifyInboundRequest } = await import('@modelcontextprotocol/server');
  const outcome = classifyInboundRequest({
    httpMethod: 'POST',
    ...(versionHeader === undefined ? {} : { protocolVersionHeader: versionHeader }),
    ...(methodHeader === undefined ? {} : { mcpMethodHeader: methodHeader }),
    ...(nameHeader === undefined ? {} : { mcpNameHeader: nameHeader }),
    body: messages.length > 1 ? messages.map(outline) : outline(message),
  });
  const idText = message.kind === 'request' ? message.idText : 'null';
  if (outcome.kind === 'legacy') return { kind: 'session' };
  if (outcome.kind === 'reject') {
    const { code, message: text, data } = outcome;
    return refusal(outcome.httpStatus, idText, {
      code,
      message: text,
      ...(data === undefined ? {} : { data }),
    });
  }
  const revision = outcome.classification.revision ?? 'unknown';
  if (revision !== STATELESS_VERSION) {
    return { kind: 'refused', status: 400, text: versionUnsupported(idText, unsupportedVersion(revision)) };
  }
  if (about !== null) {
    if (sound.size === SOUND_MAX) sound.clear();
    sound.add(about);
  }
  return checkHeaders(message, mirrored);
}

/**
 * What the classifier found to be of this revision: clients say the same of themselves with each request, and it takes
 * longer to judge than all else at the door.
 */
const sound = new Set<string>();
/** The last of them that came again, in parts: they are compared without putting a text together. */
let lastSound: {
  readonly mirrored: MirroredHeaders;
  readonly method: string;
  readonly meta: string;
} | null = null;
const SOUND_MAX = 256;
const SOUND_CHARS_MAX = 4_096;
const USUAL_ID = /^(?:[0-9]{1,15}|"[\w.:-]{1,200}")$/;
/** In no header. */
const ABSENT = '\0';

const methodOf = (message: RpcMessage): string => (message.kind === 'response' ? '' : message.method);

function metaOf(message: RpcMessage): string {
  const meta = message.kind === 'response' ? null : paramSpan(message, '_meta');
  return meta === null ? '' : slice(message.text, meta);
}

/** Whether all that the verdict rests on is as it was in the last request that was sound. */
function isLastSound(message: RpcMessage, mirrored: MirroredHeaders): boolean {
  if (lastSound === null || message.kind !== 'request' || !USUAL_ID.test(message.idText)) return false;
  const { versionHeader, methodHeader, nameHeader } = lastSound.mirrored;
  return (
    versionHeader === mirrored.versionHeader &&
    methodHeader === mirrored.methodHeader &&
    nameHeader === mirrored.nameHeader &&
    lastSound.method === message.method &&
    lastSound.meta === metaOf(message)
  );
}

/** All of a request that the classifier's verdict rests on; null for one whose id it might not take, or that is long. */
function selfDescription(
  message: RpcMessage,
  { versionHeader, methodHeader, nameHeader }: MirroredHeaders,
): string | null {
  if (message.kind !== 'request' || !USUAL_ID.test(message.idText)) return null;
  const headers = `${versionHeader ?? ABSENT}\n${methodHeader ?? ABSENT}\n${nameHeader ?? ABSENT}`;
  const about = `${headers}\n${JSON.stringify(message.method)}\n${metaOf(message)}`;
  return about.length > SOUND_CHARS_MAX ? null : about;
}

/** What stands beside the message in its headers. Several of one name are joined by Node, and then equal no parameter. */
export function carriedBy(req: FrontRequest): Carried {
  const paramHeaders = new Map<string, string>();
  for (const name of Object.keys(req.headers)) {
    if (!name.startsWith(PARAM_PREFIX)) continue;
    const value = req.headers[name];
    if (typeof value === 'string') paramHeaders.set(name.slice(PARAM_PREFIX.length), value);
  }
  return { ...cameFrom(req), paramHeaders };
}

/** The same for a request of a session, whose headers repeat nothing. @param principal who sent it; absent: whose session it is */
export const cameFrom = ({ socket }: FrontRequest, principal?: Principal): Carried => ({
  ...NOTHING_CARRIED,
  ...(principal === undefined ? {} : { principal }),
  ...(socket.remoteAddress === undefined ? {} : { address: socket.remoteAddress }),
});

/** The status of an answer in JSON: errors that the revision gives a status of their own, else 200. */
export function statelessStatus(text: string): number {
  if (!text.includes('"error"')) return 200;
  const span = find(text, 0, ['error', 'code']);
  if (span === null) return 200;
  if (stringAt(text, find(text, 0, ['error', 'data', 'code'])) === 'mcp_envelope_malformed') return 400;
  const code = Number(slice(text, span));
  if (code === rpcCode.methodNotFound) return 404;
  return code === rpcCode.unsupportedVersion ||
    code === rpcCode.headerMismatch ||
    code === rpcCode.missingCapability
    ? 400
    : 200;
}

/** What the classifier needs of a message: everything but the parameters, and of those only `_meta`. */
function outline(message: RpcMessage): unknown {
  if (message.kind === 'response') return JSON.parse(message.text);
  const meta = paramSpan(message, '_meta');
  return {
    jsonrpc: '2.0',
    method: message.method,
    ...(message.kind === 'request' ? { id: JSON.parse(message.idText) } : {}),
    ...(meta === null ? {} : { params: { _meta: JSON.parse(slice(message.text, meta)) } }),
  };
}

interface MirroredHeaders {
  readonly versionHeader: string | undefined;
  readonly methodHeader: string | undefined;
  readonly nameHeader: string | undefined;
}

function checkHeaders(message: RpcMessage, headers: MirroredHeaders): Classified {
  if (message.kind !== 'request') return { kind: 'stateless' };
  const mismatch = (what: string): Classified =>
    refusal(400, message.idText, {
      code: rpcCode.headerMismatch,
      message: `Bad Request: the request headers and body disagree: ${what}`,
    });
  if (headers.versionHeader === undefined) return mismatch('the MCP-Protocol-Version header is absent');
  if (headers.methodHeader === undefined) return mismatch('the Mcp-Method header is absent');
  const source = NAMED_BY[message.method];
  const name = source === undefined ? null : paramString(message, source);
  if (name === null) return { kind: 'stateless' };
  if (headers.nameHeader === undefined) return mismatch('the Mcp-Name header is absent');
  return decodeHeaderValue(headers.nameHeader) === name
    ? { kind: 'stateless' }
    : mismatch('the Mcp-Name header names something else than the body');
}

const refusal = (status: number, idText: string, error: object): Classified => ({
  kind: 'refused',
  status,
  text: `{"jsonrpc":"2.0","id":${idText},"error":${JSON.stringify(error)}}`,
});
