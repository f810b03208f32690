/**
 * What the client of a request is and can do, whichever revision said it: `initialize` for a whole session, or the
 * envelope of the request itself. Claims of the client: they decide what it is sent, never what it may do.
 */
import { paramSpan, paramString, type RpcRequest } from '../protocol/message.ts';
import type { Principal } from '../ports/callers.ts';
import { metaKey } from '../protocol/protocol.ts';
import { slice } from '../protocol/raw-json.ts';

export interface ClientFacts {
  /** Whether it shakes hands once, or says everything with each request (2026-07-28). */
  readonly era: 'session' | 'stateless';
  /** Its capabilities, as it wrote them: a JSON value. */
  readonly capabilitiesText: string;
  /** Its name and version, as it wrote them: a JSON value; null where it did not say. */
  readonly infoText: string | null;
  /** Least severe log level that it wants; null where it named none. */
  readonly logLevel: string | null;
  /** Its session, as long as that lasts; absent: it has none. */
  readonly session?: symbol;
}

/** A client that has said nothing of itself, and the gateway where it asks on its own behalf. */
export const UNKNOWN_CLIENT: ClientFacts = {
  era: 'session',
  capabilitiesText: '{}',
  infoText: null,
  logLevel: null,
};

/** What came beside a message, where its transport has a place for it. */
export interface Carried {
  /** Who sent it, as decided at the door for this very message; absent: whoever its session is of. */
  readonly principal?: Principal;
  /** `Mcp-Param-*` headers: name in lower case, without that prefix, and value as sent. */
  readonly paramHeaders: ReadonlyMap<string, string>;
  /** Address of the client, where it came over the network. */
  readonly address?: string;
}

export const NOTHING_CARRIED: Carried = { paramHeaders: new Map() };

const written = (request: RpcRequest, ...path: readonly string[]): string | null => {
  const span = paramSpan(request, ...path);
  return span === null ? null : slice(request.text, span);
};

/** From `initialize`. */
export const sessionFacts = (request: RpcRequest): ClientFacts => ({
  era: 'session',
  capabilitiesText: written(request, 'capabilities') ?? '{}',
  infoText: written(request, 'clientInfo'),
  logLevel: null,
});

/** From the envelope of a request of the stateless revision. */
export const statelessFacts = (request: RpcRequest): ClientFacts => ({
  era: 'stateless',
  capabilitiesText: written(request, '_meta', metaKey.clientCapabilities) ?? '{}',
  infoText: written(request, '_meta', metaKey.clientInfo),
  logLevel: paramString(request, '_meta', metaKey.logLevel),
});
