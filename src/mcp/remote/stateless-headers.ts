/**
 * The headers of a request of the stateless revision, which repeat what is in it for whoever does not read bodies
 * (MCP 2026-07-28, Streamable HTTP).
 */
import { encodeHeaderValue } from '../protocol/header-value.ts';
import { paramString, type RpcRequest } from '../protocol/message.ts';
import { metaKey, STATELESS_VERSION } from '../protocol/protocol.ts';
import type { LinkRequest } from '../upstream/upstream-link.ts';

/** Methods whose requests name something, and the parameter that does. */
const NAMED: ReadonlyMap<string, string> = new Map([
  ['tools/call', 'name'],
  ['prompts/get', 'name'],
  ['resources/read', 'uri'],
]);

/** @returns null for a request that is of a session */
export function statelessHeaders(
  message: RpcRequest,
  { method, era, carried }: LinkRequest,
): readonly (readonly [string, string])[] | null {
  if (era === 'session') return null;
  const version = paramString(message, '_meta', metaKey.protocolVersion) ?? STATELESS_VERSION;
  const parameter = NAMED.get(method);
  const name = parameter === undefined ? null : paramString(message, parameter);
  return [
    ['MCP-Protocol-Version', version],
    ['Mcp-Method', encodeHeaderValue(method)],
    ...(name === null ? [] : [['Mcp-Name', encodeHeaderValue(name)] as const]),
    ...Array.from(carried.paramHeaders, ([param, value]) => [`Mcp-Param-${param}`, value] as const),
  ];
}
