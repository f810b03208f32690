/**
 * The headers of a request of the stateless revision, which repeat what is in it for whoever does not read bodies
 * (MCP 2026-07-28, Streamable HTTP).
 */
import { paramString, type RpcRequest } from '../message.ts';
import { metaKey, STATELESS_VERSION } from '../protocol.ts';
import type { LinkRequest } from '../upstream-link.ts';

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
    ['Mcp-Method', headerValue(method)],
    ...(name === null ? [] : [['Mcp-Name', headerValue(name)] as const]),
    ...Array.from(carried.paramHeaders, ([param, value]) => [`Mcp-Param-${param}`, value] as const),
  ];
}

/** Text that no header can carry as it is, or that looks like what such text becomes, travels in base64. */
const headerValue = (text: string): string =>
  /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(text) && !text.startsWith('=?base64?')
    ? text
    : `=?base64?${Buffer.from(text, 'utf8').toString('base64')}?=`;
