/**
 * HTTP with Server-Sent Events as revision 2024-11-05 has it, at the same address as everything else: a GET opens the
 * stream, whose first event says where to POST to; answers come on the stream. The session is the stream: it ends with it.
 *
 * Known by what newer clients never send: a GET without session, revision or last event.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { AppError, limits } from '../kernel/index.ts';
import type { ClientInput } from './client-input.ts';
import type { ClientChannel, ClientSession } from './client-session.ts';
import { EventStream } from './event-stream.ts';
import type { Endpoint } from './front-contract.ts';
import { URL_TOKEN } from './http-door.ts';
import { sameCaller } from './http-session.ts';
import type { HttpSessionsDeps } from './http-sessions.ts';
import type { Principal } from './ports.ts';

const ID_BYTES = 24;
/** The parameter of the address that names the session. */
const PARAMETER = 'session';

interface LegacySession {
  readonly principal: Principal;
  readonly endpoint: Endpoint;
  readonly client: ClientSession;
  end(): void;
}

/** The GET that opens a stream. */
interface Opening {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly principal: Principal;
  readonly endpoint: Endpoint;
  readonly urlToken: string | null;
}

export const opensLegacyStream = ({ headers }: IncomingMessage): boolean =>
  headers['mcp-session-id'] === undefined &&
  headers['mcp-protocol-version'] === undefined &&
  headers['last-event-id'] === undefined;

/** The session that a POST's address names; null where it names none. */
export const legacySessionOf = ({ url }: IncomingMessage): string | null =>
  new URLSearchParams(url?.split('?', 2)[1]).get(PARAMETER);

export class LegacySse {
  readonly #deps: HttpSessionsDeps;
  readonly #sessions = new Map<string, LegacySession>();

  constructor(deps: HttpSessionsDeps) {
    this.#deps = deps;
  }

  [Symbol.iterator](): IterableIterator<LegacySession> {
    return this.#sessions.values();
  }

  /** @throws AppError `mcp_streams_too_many` */
  open({ req, res, principal, endpoint, urlToken }: Opening): void {
    const own = [...this.#sessions.values()].filter((session) => sameCaller(session.principal, principal));
    if (own.length >= limits.mcpSessionsPerCallerMax) {
      throw new AppError('mcp_streams_too_many', 'This token has too many streams open.', {
        kind: 'limited',
        hint: 'Close some of them.',
      });
    }
    const id = this.#deps.random.bytes(ID_BYTES).toString('base64url');
    const stream = new EventStream(res, {});
    const channel: ClientChannel = {
      answer(_idText, text) {
        if (text !== null) stream.send(text);
      },
      send: (text) => stream.send(text),
      reachable: () => stream.connected,
    };
    const client = this.#deps.start(principal, endpoint, channel);
    const stopWatching = this.#deps.standings.watch(principal, (error) => {
      client.close(error);
      stream.end();
    });
    this.#sessions.set(id, { principal, endpoint, client, end: () => stream.end() });
    res.once('close', () => {
      stopWatching();
      this.#sessions.delete(id);
      client.close();
    });
    // Whoever could send no header with this request can send none with the next.
    const token = urlToken === null ? '' : `&${URL_TOKEN}=${encodeURIComponent(urlToken)}`;
    stream.sendEndpoint(`${req.url?.split('?', 1)[0] ?? ''}?${PARAMETER}=${id}${token}`);
  }

  /** @throws AppError `mcp_session_unknown`: also for a session of somebody else */
  receive(id: string, principal: Principal, endpoint: Endpoint, { messages }: ClientInput): void {
    const session = this.#sessions.get(id);
    const its =
      session !== undefined &&
      sameCaller(session.principal, principal) &&
      session.endpoint.profile === endpoint.profile &&
      session.endpoint.server === endpoint.server;
    if (!its) {
      throw new AppError('mcp_session_unknown', 'Session not found.', {
        kind: 'not_found',
        hint: 'Its stream ended; open another with a GET.',
      });
    }
    for (const message of messages) session.client.receive(message);
  }

  close(): void {
    for (const session of this.#sessions.values()) session.end();
  }
}
