/** The `initialize` exchange with a server: once per connection, whoever uses it later. */
import { AppError, limits } from '../../kernel/index.ts';
import type { ClientFacts } from '../client/client-facts.ts';
import { notificationText, ownRequest, type RpcResponse, resultOf } from './message.ts';
import { LATEST_SESSION_VERSION, SESSION_VERSIONS } from './protocol.ts';
import { find, slice, stringAt } from './raw-json.ts';
import { type ServerHello, serverHello } from '../upstream/server-hello.ts';
import type { UpstreamConnection } from '../upstream/upstream-connection.ts';
import type { PendingRequest } from '../upstream/waiting-request.ts';
import { upstreamFailure } from '../upstream/upstream-failure.ts';

/**
 * What a stateless client may turn out to answer, which it says with each request and a server with sessions wants to
 * know before the first. What the client of a request did not name is refused to the server then.
 */
const PASSED_ON = '{"sampling":{},"elicitation":{"form":{},"url":{}},"roots":{}}';

/**
 * Asks for the newest revision with a handshake; an older server answers with its own, back to 2024-10-07.
 *
 * @param client the one that the server is started for: its capabilities are what the server is told
 */
export function greet(
  connection: UpstreamConnection,
  client: ClientFacts,
  version: string,
  idleMs: number = limits.mcpInitializeMs,
): PendingRequest {
  const clientInfo = JSON.stringify({ name: 'sallyport', version });
  const capabilities = client.era === 'stateless' ? PASSED_ON : client.capabilitiesText;
  const params = `{"protocolVersion":"${LATEST_SESSION_VERSION}","capabilities":${capabilities},"clientInfo":${clientInfo}}`;
  const message = ownRequest('initialize', params);
  return connection.request({ message, owner: null, era: 'session', idleMs });
}

/**
 * Ends the exchange.
 *
 * @throws AppError `upstream_error`, `upstream_version_unsupported`; the caller closes the connection then
 */
export function greeted(connection: UpstreamConnection, answer: RpcResponse): ServerHello {
  const result = resultOf(answer);
  if (result === null) throw upstreamFailure(connection.slug, answer);
  const resultText = slice(answer.text, result);
  const protocolVersion = stringAt(resultText, find(resultText, 0, ['protocolVersion']));
  if (protocolVersion === null || !SESSION_VERSIONS.includes(protocolVersion)) {
    throw versionUnsupported(connection.slug);
  }
  connection.notify(notificationText('notifications/initialized'));
  return serverHello('session', resultText, null);
}

export const versionUnsupported = (slug: string): AppError =>
  new AppError(
    'upstream_version_unsupported',
    `The server "${slug}" speaks a protocol version that is not supported.`,
    { kind: 'unavailable', hint: `Supported: 2026-07-28, ${SESSION_VERSIONS.join(', ')}.` },
  );
