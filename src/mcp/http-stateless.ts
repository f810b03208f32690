/**
 * POSTs of protocol revision 2026-07-28: no session; the request names its revision in `_meta`, and headers
 * mirror what intermediaries route by. Which revision a POST is of, and whether its envelope is sound, is decided
 * by the SDK's own classifier.
 */
import type { IncomingMessage } from 'node:http';
import type { Carried } from './client-facts.ts';
import { decodeHeaderValue } from './header-value.ts';
import type { RpcMessage } from './message.ts';
import { paramSpan, paramString } from './message.ts';
import { STATELESS_VERSION } from './protocol.ts';
import { find, slice, stringAt } from './raw-json.ts';
import { unsupportedVersion } from './stateless.ts';
import { rpcCode, versionUnsupported } from './rpc-error.ts';

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

const header = (req: IncomingMessage, name: string): string | undefined => {
  const value = req.headers[name];
  return typeof value === 'string' ? value.trim() : undefined;
};

export async function classify(req: IncomingMessage, messages: readonly RpcMessage[]): Promise<Classified> {
  const versionHeader = header(req, 'mcp-protocol-version');
  const [message] = messages;
  const modernHeader = versionHeader !== undefined && versionHeader >= STATELESS_VERSION;
  const claims = messages.some(
    (each) =>
      each.kind !== 'response' &&
      paramSpan(each, '_meta', 'io.modelcontextprotocol/protocolVersion') !== null,
  );
  if ((!modernHeader && !claims) || message === undefined) return { kind: 'session' };
  const { classifyInboundRequest } = await import('@modelcontextprotocol/server');
  const methodHeader = header(req, 'mcp-method');
  const nameHeader = header(req, 'mcp-name');
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
  return checkHeaders(message, { versionHeader, methodHeader, nameHeader });
}

/** What stands beside the message in its headers. Several of one name are joined by Node, and then equal no parameter. */
export const carriedBy = (req: IncomingMessage): Carried => ({
  paramHeaders: new Map(
    Object.entries(req.headers).flatMap(([name, value]): [string, string][] =>
      name.startsWith(PARAM_PREFIX) && typeof value === 'string'
        ? [[name.slice(PARAM_PREFIX.length), value]]
        : [],
    ),
  ),
});

/** The status of an answer in JSON: errors that the revision gives a status of their own, else 200. */
export function statelessStatus(text: string): number {
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
