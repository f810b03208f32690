/**
 * Protocol revisions and reserved names, as literals. They equal the SDK's (a test holds them together); the SDK
 * itself takes a tenth of a second to load, which `sallyport stdio` does not have.
 */
import { paramString, type RpcRequest } from './message.ts';

/** Revisions with an `initialize` handshake, newest first. */
export const SESSION_VERSIONS: readonly string[] = [
  '2025-11-25',
  '2025-06-18',
  '2025-03-26',
  '2024-11-05',
  '2024-10-07',
];
export const LATEST_SESSION_VERSION = '2025-11-25';
/** The stateless revision: every request carries its envelope in `_meta`. */
export const STATELESS_VERSION = '2026-07-28';

export const metaKey = {
  protocolVersion: 'io.modelcontextprotocol/protocolVersion',
  clientInfo: 'io.modelcontextprotocol/clientInfo',
  clientCapabilities: 'io.modelcontextprotocol/clientCapabilities',
  logLevel: 'io.modelcontextprotocol/logLevel',
  serverInfo: 'io.modelcontextprotocol/serverInfo',
  subscriptionId: 'io.modelcontextprotocol/subscriptionId',
} as const;

/** Levels of `notifications/message`, least severe first. */
export const LOG_LEVELS: readonly string[] = [
  'debug',
  'info',
  'notice',
  'warning',
  'error',
  'critical',
  'alert',
  'emergency',
];

/** The revision that a session gets: the client's own where it is served, else the newest. */
export function sessionVersionFor(request: RpcRequest): string {
  const asked = paramString(request, 'protocolVersion');
  return asked !== null && SESSION_VERSIONS.includes(asked) ? asked : LATEST_SESSION_VERSION;
}
