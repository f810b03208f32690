/**
 * Which requests are read here: a POST to an MCP endpoint, as clients send it, whose head says each thing once and
 * how long the body is. Anything else is Node's to read, errors included.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { type RequestHead, requestFraming } from '../../../wire/index.ts';

export interface PostHead {
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly bodyBytes: number;
  /** Whether the client may send another request on the connection. */
  readonly keepAlive: boolean;
}

/** The first bytes of a request that may be one. */
export const POST_START = Buffer.from('POST /mcp/', 'latin1');

/** Fields that ask something of the connection, or of what reads from it, that is not done here. */
const UNUSUAL: ReadonlySet<string> = new Set(['expect', 'upgrade', 'trailer', 'te']);

/** @returns null for what is not read here */
export function postHead({ method, target, minor, fields }: RequestHead): PostHead | null {
  if (method !== 'POST' || minor !== 1) return null;
  const framing = requestFraming({ method, target, minor, fields });
  if (!framing.ok || framing.value.kind !== 'length') return null;
  const headers: IncomingHttpHeaders = {};
  for (const [index, key] of fields.keys.entries()) {
    if (UNUSUAL.has(key) || Object.hasOwn(headers, key)) return null;
    headers[key] = fields.values[index] ?? '';
  }
  const connection = headers.connection?.toLowerCase();
  if (connection !== undefined && connection !== 'keep-alive' && connection !== 'close') return null;
  return { url: target, headers, bodyBytes: framing.value.bytes, keepAlive: connection !== 'close' };
}
