/**
 * The one place where a failure becomes a JSON-RPC error: code, message, and `data` with the gateway's own
 * stable code and a hint. Nothing else of an error (detail, cause, stack) reaches a client.
 */
import { STATELESS_VERSION } from './protocol.ts';
import { AppError, isAppError, toWire, type WireError } from '../../kernel/index.ts';

/** JSON-RPC error codes that the front itself answers with. */
export const rpcCode = {
  parseError: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internal: -32603,
  /** The gateway or the server behind it could not do it; `data.code` says what. */
  server: -32000,
  /** A resource that no server knows; not since 2026-07-28, where that is `invalidParams`. */
  resourceNotFound: -32002,
  /** Protocol revision 2026-07-28: headers and body disagree. */
  headerMismatch: -32020,
  /** Protocol revision 2026-07-28: the request needs a capability that its client did not name. */
  missingCapability: -32021,
  /** Protocol revision 2026-07-28: a revision that is not served here. */
  unsupportedVersion: -32022,
} as const;

const codeOf = (error: unknown): number => {
  if (!isAppError(error)) return rpcCode.internal;
  if (error.code === 'mcp_method_unknown') return rpcCode.methodNotFound;
  if (error.code === 'mcp_header_mismatch') return rpcCode.headerMismatch;
  if (error.code === 'mcp_resource_unknown') return rpcCode.resourceNotFound;
  return error.kind === 'invalid' || error.kind === 'not_found' ? rpcCode.invalidParams : rpcCode.server;
};

export function errorText(idText: string | null, code: number, wire: WireError): string {
  const { message, ...data } = wire;
  return `{"jsonrpc":"2.0","id":${idText ?? 'null'},"error":${JSON.stringify({ code, message, data })}}`;
}

/** The answer for a request that failed. */
export function failureText(idText: string | null, error: unknown): string {
  if (isAppError(error) && error.code === 'mcp_version_unsupported') return versionUnsupported(idText, error);
  return errorText(idText, codeOf(error), spoken(error));
}

/** Many clients show their agents the message and nothing else: what a refusal says would be allowed is in it, too. */
function spoken(error: unknown): WireError {
  const wire = toWire(error);
  if (!isAppError(error) || error.kind !== 'denied' || wire.hint === undefined) return wire;
  return { ...wire, message: `${wire.message} ${wire.hint}` };
}

/** Revision 2026-07-28 says what this error's `data` is. */
export function versionUnsupported(idText: string | null, error: AppError): string {
  const data = { supported: [STATELESS_VERSION], ...error.detail };
  const { message } = error;
  return `{"jsonrpc":"2.0","id":${idText ?? 'null'},"error":${JSON.stringify({ code: rpcCode.unsupportedVersion, message, data })}}`;
}

/** A request for a method that nobody here serves. */
export const methodUnknown = (method: string): AppError =>
  new AppError('mcp_method_unknown', `Method not found: ${method.slice(0, 100)}`, { kind: 'not_found' });
