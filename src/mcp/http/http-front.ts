/**
 * Streamable HTTP at `/mcp/<profile>` and `/mcp/<profile>/<server>`, every protocol revision at the same address.
 * Bodies and answers stay text, which is why the transport is the front's own: see docs/adr/0003-mcp-front.md.
 */
import { AppError, isAppError, type Log } from '../../kernel/index.ts';
import { type ClientInput, faultText, readClientInput } from '../protocol/client-input.ts';
import type { ClientChannel } from '../client/client-channel.ts';
import type { ClientSession } from '../client/client-session.ts';
import { BodyRoom } from './body-room.ts';
import { EventStream } from './event-stream.ts';
import type { Endpoint, FrontConfig } from '../front-contract.ts';
import { answerFailure, answerJson } from './http-answer.ts';
import { authenticated, checkOrigin, endpointOf, profileFault, tokenNeeded } from './http-door.ts';
import { acceptedKinds, HttpExchange } from './http-exchange.ts';
import type { FrontRequest, FrontResponse, HttpVisit } from './http-message.ts';
import type { HttpSession } from './http-session.ts';
import { HttpSessions, type HttpSessionsDeps } from './http-sessions.ts';
import { cameFrom, carriedBy, classify, statelessStatus } from './http-stateless.ts';
import { LegacySse, legacySessionOf, opensLegacyStream } from './legacy-sse.ts';
import type { CallAudit } from '../ports/call-audit.ts';
import type { Authenticate, Principal } from '../ports/callers.ts';
import type { Upstreams } from '../ports/upstreams.ts';
import { asksForMetadata, metadataAddress, metadataText } from './resource-metadata.ts';
import { SESSION_VERSIONS } from '../protocol/protocol.ts';
import { find, stringAt } from '../protocol/raw-json.ts';
import { UnreadAnswers } from './unread-answers.ts';
import { isLater } from '../soon.ts';

export interface HttpFrontDeps extends HttpSessionsDeps {
  readonly authenticate: Authenticate;
  readonly profile: Upstreams['profile'];
  readonly audit: Pick<CallAudit, 'refused'>;
  readonly config: FrontConfig;
  readonly log: Log;
}

/** A request that was let in. */
interface Visit {
  readonly req: FrontRequest;
  readonly res: FrontResponse;
  readonly body: HttpVisit['body'];
  readonly principal: Principal;
  readonly endpoint: Endpoint;
  /** The token, where it came in the address. */
  readonly urlToken: string | null;
}

const JSON_TYPE = /^application\/json(?:[\t ]*;|[\t ]*$)/i;

export class HttpFront {
  readonly #deps: HttpFrontDeps;
  readonly #sessions: HttpSessions;
  readonly #legacy: LegacySse;
  readonly #stateless = new Set<ClientSession>();
  readonly #bodies = new BodyRoom();
  readonly #unread = new UnreadAnswers();

  constructor(deps: HttpFrontDeps) {
    this.#deps = deps;
    this.#sessions = new HttpSessions(deps);
    this.#legacy = new LegacySse(deps);
  }

  async handle({ req, res, body }: HttpVisit, local?: Principal): Promise<void> {
    const { config } = this.#deps;
    try {
      if (local === undefined) checkOrigin(req, config);
      if (asksForMetadata(req)) {
        if (req.method !== 'GET' && req.method !== 'HEAD') throw methodNotAllowed('Use GET.');
        answerJson(res, 200, metadataText(req, config));
        return;
      }
      const endpoint = endpointOf(req.url ?? '');
      const presented =
        local === undefined
          ? authenticated(req, this.#deps.authenticate)
          : { principal: local, urlToken: null };
      const { principal, urlToken } = isLater(presented) ? await presented : presented;
      if (urlToken !== null) {
        res.setHeader('referrer-policy', 'no-referrer');
        await this.#allowInUrl(principal, endpoint);
      }
      const refusal = profileFault(principal, endpoint);
      if (refusal !== null) {
        // Worth a record: it is somebody's token, and somebody tries it at another profile's door.
        await this.#refused(principal, endpoint, refusal.code);
        throw refusal;
      }
      this.#unread.watch(principal, res);
      const who = urlToken === null ? principal : inUrl(principal);
      const visit = { req, res, body, principal: who, endpoint, urlToken };
      if (req.method === 'POST') await this.#post(visit);
      else this.#serve(visit);
    } catch (error) {
      if (!isAppError(error)) this.#deps.log.error('mcp.http.failed', { error: String(error) });
      answerFailure(res, error, () => metadataAddress(req, config));
    }
  }

  /** Where that is not allowed a token in the address is as good as none, and worth a record: others may have seen it. */
  async #allowInUrl(principal: Principal, endpoint: Endpoint): Promise<void> {
    const { profile } = principal;
    const view = profile === null ? null : await this.#deps.profile(principal.workspace, profile);
    if (view?.tokenInUrl === true && profile === endpoint.profile) return;
    await this.#refused(principal, endpoint, 'mcp_token_in_url');
    throw tokenNeeded();
  }

  #refused(principal: Principal, { profile }: Endpoint, code: string): Promise<void> {
    return this.#deps.audit.refused({ principal, profile, server: null, tool: null, code });
  }

  /** Everybody who is here, for checks of the kill switch. */
  *clients(): Iterable<{ readonly principal: Principal; end(): void }> {
    for (const session of this.#sessions)
      yield { principal: session.principal, end: () => this.#sessions.end(session) };
    for (const client of this.#stateless) yield { principal: client.principal, end: () => client.close() };
    yield* this.#legacy;
  }

  close(): void {
    this.#unread.close();
    this.#sessions.close();
    this.#legacy.close();
    for (const client of this.#stateless) client.close();
  }

  /** Anything but a POST. */
  #serve(visit: Visit): void {
    const { req, res, principal, endpoint } = visit;
    if (req.method === 'GET') {
      if (!acceptedKinds(req).stream) {
        throw new AppError('mcp_not_acceptable', 'Accept must allow text/event-stream.', { kind: 'invalid' });
      }
      if (opensLegacyStream(req)) this.#legacy.open(visit);
      else this.#openStream(visit);
    } else if (req.method === 'DELETE') {
      this.#sessions.end(this.#sessions.find(req, principal, endpoint));
      res.writeHead(200).end();
    } else {
      throw methodNotAllowed('Use POST, GET or DELETE.');
    }
  }

  #openStream(visit: Visit): void {
    const session = this.#session(visit);
    const last = visit.req.headers['last-event-id'];
    if (typeof last === 'string') session.resume(last, visit.res);
    else session.openOwnStream(visit.res);
  }

  async #post(visit: Visit): Promise<void> {
    const { req, res, body } = visit;
    if (!JSON_TYPE.test(req.headers['content-type'] ?? '') || req.headers['content-encoding'] !== undefined) {
      throw new AppError('mcp_media_type', 'The body must be application/json without a content encoding.', {
        kind: 'invalid',
      });
    }
    acceptedKinds(req);
    const share = this.#bodies.share(visit.principal);
    const sent = body(share);
    const input = readClientInput(isLater(sent) ? await sent.finally(() => share.end()) : sent);
    if (!input.ok) {
      answerJson(res, 400, faultText(input.error));
      return;
    }
    const legacy = legacySessionOf(req);
    if (legacy !== null) {
      this.#legacy.receive(legacy, visit, input.value);
      res.writeHead(202, { 'content-type': 'text/plain' }).end('Accepted');
      return;
    }
    const looked = classify(req, input.value.messages);
    const classified = isLater(looked) ? await looked : looked;
    if (classified.kind === 'refused') answerJson(res, classified.status, classified.text);
    else if (classified.kind === 'stateless') this.#postStateless(visit, input.value);
    else this.#postToSession(visit, input.value);
  }

  /** The session of a request that is not `initialize`. @throws AppError */
  #session({ req, principal, endpoint }: Visit): HttpSession {
    const session = this.#sessions.find(req, principal, endpoint);
    const version = req.headers['mcp-protocol-version'];
    if (version !== undefined && (typeof version !== 'string' || !SESSION_VERSIONS.includes(version))) {
      throw new AppError(
        'mcp_version_unsupported',
        'The MCP-Protocol-Version header names an unsupported version.',
        {
          kind: 'invalid',
          hint: `Supported: ${SESSION_VERSIONS.join(', ')}.`,
        },
      );
    }
    return session;
  }

  #postToSession(visit: Visit, { messages, batch }: ClientInput): void {
    const { req, res, principal, endpoint } = visit;
    const begins = messages.some((message) => message.kind === 'request' && message.method === 'initialize');
    if (begins && messages.length > 1) {
      throw new AppError('mcp_initialize_alone', 'initialize must be sent alone.', { kind: 'invalid' });
    }
    const idTexts = messages.filter((message) => message.kind === 'request').map((message) => message.idText);
    const session = begins ? this.#sessions.create(principal, endpoint) : this.#session(visit);
    if (session.awaits(idTexts)) {
      throw new AppError('mcp_id_in_use', 'A request with this id is in flight already.', {
        kind: 'invalid',
      });
    }
    const carried = cameFrom(req, principal);
    if (idTexts.length === 0) {
      for (const message of messages) session.client.receive(message, carried);
      res.writeHead(202).end();
      return;
    }
    const exchange = new HttpExchange(req, res, {
      idTexts,
      batch,
      streamEarly: !begins,
      streamWhenPreferred: !begins,
      headers: () => session.headers,
      stream: (response) => session.openStream(response),
      status: (text) => {
        if (begins) this.#begun(session, text);
        return 200;
      },
      closed: () => session.left(idTexts, exchange),
    });
    session.expect(idTexts, exchange);
    for (const message of messages) session.client.receive(message, carried);
  }

  /** A handshake that failed leaves no session behind. */
  #begun(session: HttpSession, answer: string): void {
    const version = stringAt(answer, find(answer, 0, ['result', 'protocolVersion']));
    if (find(answer, 0, ['error']) !== null) this.#sessions.end(session);
    else session.speaks(version ?? '');
  }

  #postStateless(visit: Visit, { messages }: ClientInput): void {
    const { req, res, principal, endpoint } = visit;
    const [message] = messages;
    if (message?.kind !== 'request') {
      // Core notifications of clients do not travel over HTTP in this revision; what comes is accepted and dropped.
      res.writeHead(202).end();
      return;
    }
    const channel: ClientChannel = {
      answer: (idText, text) => exchange.answer(idText, text),
      send: (text) => exchange.send(text),
      reachable: () => false,
      mirrored: true,
    };
    const client = this.#deps.start(principal, endpoint, channel);
    const exchange = new HttpExchange(req, res, {
      idTexts: [message.idText],
      batch: false,
      streamEarly: true,
      streamWhenPreferred: false,
      headers: () => ({}),
      stream: (response) => new EventStream(response, {}),
      status: statelessStatus,
      // Closing the response is how a client of this revision cancels.
      closed: () => {
        stopWatching();
        this.#stateless.delete(client);
        client.close();
      },
    });
    const stopWatching = this.#deps.standings.watch(principal, (error) => client.close(error));
    this.#stateless.add(client);
    client.receive(message, carriedBy(req));
  }
}

/** The same for as long as the caller is the same: what is known of a caller is known of this object. */
function inUrl(principal: Principal): Principal {
  const known = IN_URL.get(principal) ?? { ...principal, tokenInUrl: true };
  IN_URL.set(principal, known);
  return known;
}

const IN_URL = new WeakMap<Principal, Principal>();

const methodNotAllowed = (message: string): AppError =>
  new AppError('mcp_method_not_allowed', message, { kind: 'invalid' });
