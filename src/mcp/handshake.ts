/** The `initialize` exchange with a server: once per connection, whoever uses it later. */
import { AppError, limits } from '../kernel/index.ts';
import type { ClientFacts } from './client-facts.ts';
import { notificationText, ownRequest, resultOf } from './message.ts';
import { LATEST_SESSION_VERSION, SESSION_VERSIONS } from './protocol.ts';
import { find, slice, stringAt } from './raw-json.ts';
import type { UpstreamConnection } from './upstream-connection.ts';
import { upstreamFailure } from './upstream-failure.ts';

/** What a server said about itself. */
export interface ServerHello {
  /** The `result` of `initialize` exactly as given. */
  readonly resultText: string;
  readonly protocolVersion: string;
  /** Whether a capability is declared, `resources`, or one inside it, `resources`, `subscribe`. */
  has(...path: readonly string[]): boolean;
}

/**
 * Asks for the newest revision with a handshake; an older server answers with its own, back to 2024-10-07.
 *
 * @param client the one that the server is started for: its capabilities are what the server is told
 * @throws AppError `upstream_…`; the caller closes the connection then
 */
export async function shakeHands(
  connection: UpstreamConnection,
  client: ClientFacts,
  version: string,
): Promise<ServerHello> {
  const clientInfo = JSON.stringify({ name: 'sallyport', version });
  const params = `{"protocolVersion":"${LATEST_SESSION_VERSION}","capabilities":${client.capabilitiesText},"clientInfo":${clientInfo}}`;
  const message = ownRequest('initialize', params);
  const { response } = connection.request({ message, owner: null, idleMs: limits.mcpInitializeMs });
  const answer = await response;
  const result = resultOf(answer);
  if (result === null) throw upstreamFailure(connection.slug, answer);
  const resultText = slice(answer.text, result);
  const protocolVersion = stringAt(resultText, find(resultText, 0, ['protocolVersion']));
  if (protocolVersion === null || !SESSION_VERSIONS.includes(protocolVersion)) {
    throw new AppError(
      'upstream_version_unsupported',
      `The server "${connection.slug}" speaks a protocol version that is not supported.`,
      { kind: 'unavailable', hint: `Supported: ${SESSION_VERSIONS.join(', ')}.` },
    );
  }
  connection.notify(notificationText('notifications/initialized'));
  return {
    resultText,
    protocolVersion,
    has(...path) {
      const span = find(resultText, 0, ['capabilities', ...path]);
      if (span === null) return false;
      const text = slice(resultText, span);
      return text !== 'false' && text !== 'null';
    },
  };
}
