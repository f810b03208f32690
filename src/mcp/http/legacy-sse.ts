/**
 * HTTP with Server-Sent Events as revision 2024-11-05 has it, at the same address as everything else: a GET opens the
 * stream, whose first event says where to POST to; answers come on the stream. The session is the stream: it ends with it.
 *
 * Known by what newer clients never send: a GET without session, revision or last event.
 */
import { AppError, limits } from '../../kernel/index.ts';
import type { ClientInput } from '../protocol/client-input.ts';
import type { ClientChannel } from '../client/client-channel.ts';
import type { ClientSession } from '../client/client-session.ts';
import { EventStream } from './event-stream.ts';
import type { Endpoint } from '../front-contract.ts';
import { URL_TOKEN } from './http-door.ts';
import { sameCaller } from './http-session.ts';
import { cameFrom } from './http-stateless.ts';
import type { HttpSessionsDeps } from './http-sessions.ts';
import type { Principal } from '../ports/callers.ts';
import type { FrontRequest, FrontResponse } from './http-message.ts';

const ID_BYTES = 24;
/** The parameter of the address that names the session. */
const PARAMETER = 'session';

interface LegacySession {
  readonly principal: Principal;
  readonly endpoint: Endpoint;
  readonly client: ClientSession;
  /** Whether a token in an address was shown for it, at its beginning or later. */
  tokenInUrl: boolean;
  /** Has it end once this caller may not go on. */
  watch(principal: Principal): void;
  end(): void;
}

/** A POST to one that is open. */
type Posted = Pick<Opening, 'req' | 'principal' | 'endpoint'>;

/** The GET that opens a stream. */
interface Opening {
  readonly req: FrontRequest;
  readonly res: FrontResponse;
  readonly principal: Principal;
  readonly endpoint: Endpoint;
  readonly urlToken: string | null;
}

export const opensLegacyStream = ({ headers }: FrontRequest): boolean =>
  headers['mcp-session-id'] === undefined &&
  headers['mcp-protocol-version'] === undefined &&
  headers['last-event-id'] === undefined;

/** The session that a POST's address names; null where it names none. */
export function legacySessionOf({ url }: FrontRequest): string | null {
  const query = url?.split('?', 2)[1];
  return query === undefined ? null : new URLSearchParams(query).get(PARAMETER);
}

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
    const stops: (() => void)[] = [];
    const session: LegacySession = {
      principal,
      endpoint,
      client,
      tokenInUrl: false,
      watch: (who) => {
        session.tokenInUrl ||= who.tokenInUrl === true;
        const end = (error: AppError): void => {
          client.close(error);
          stream.end();
        };
        stops.push(this.#deps.standings.watch(who, end));
      },
      end: () => stream.end(),
    };
    session.watch(principal);
    this.#sessions.set(id, session);
    res.once('close', () => {
      for (const stop of stops) stop();
      this.#sessions.delete(id);
      client.close();
    });
    // Whoever could send no header with this request can send none with the next.
    const token = urlToken === null ? '' : `&${URL_TOKEN}=${encodeURIComponent(urlToken)}`;
    stream.sendEndpoint(`${req.url?.split('?', 1)[0] ?? ''}?${PARAMETER}=${id}${token}`);
  }

  /** @throws AppError `mcp_session_unknown`: also for a session of somebody else */
  receive(id: string, { req, principal, endpoint }: Posted, { messages }: ClientInput): void {
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
    // It depends from now on on its profile's taking such tokens.
    if (principal.tokenInUrl === true && !session.tokenInUrl) session.watch(principal);
    for (const message of messages) session.client.receive(message, cameFrom(req, principal));
  }

  close(): void {
    for (const session of this.#sessions.values()) session.end();
  }
}
