/**
 * One MCP client, whatever it is connected by: its requests in flight, what the servers ask it, and which
 * servers it uses. What a request means is the router's business; how bytes travel is the channel's.
 *
 * Every message of a client is hostile until read; ids count only within this session.
 */
import { AppError, type Log } from '../kernel/index.ts';
import {
  type Carried,
  type ClientFacts,
  NOTHING_CARRIED,
  sessionFacts,
  statelessFacts,
  UNKNOWN_CLIENT,
} from './client-facts.ts';
import { isAnswered } from './client-abilities.ts';
import type { ClientRequest } from './client-request.ts';
import type { Target } from './forwarded.ts';
import type { Gate } from './gate.ts';
import { askForLevel, isSevere, LogLevels } from './log-levels.ts';
import {
  paramSpan,
  paramString,
  type RpcMessage,
  type RpcNotification,
  type RpcRequest,
  type RpcResponse,
  resultText,
  rewritten,
} from './message.ts';
import type { Principal, ProfileServer } from './ports.ts';
import { slice } from './raw-json.ts';
import { RequestControl } from './request-control.ts';
import { failureText } from './rpc-error.ts';
import type { Attachment } from './server-requests.ts';
import { withoutEnvelope } from './envelope.ts';
import { claimsStateless, finishStateless, isStateless, withoutStateless } from './stateless.ts';
import { Subscriptions } from './subscriptions.ts';
import type { OpenUpstream } from './upstream-directory.ts';

/** How answers and other messages get to the client. */
export interface ClientChannel {
  /** The answer to a request; null when there is none to come, because the client gave up. */
  answer(idText: string, text: string | null): void;
  /** A notification or a server's request. @param relatedIdText the client's request that it belongs to, if known */
  send(text: string, relatedIdText: string | null): void;
  /** Whether a server's request would reach the client now. */
  reachable(): boolean;
  /** Whether headers beside its messages repeat their parameters; absent: they do not. */
  readonly mirrored?: boolean;
}

/** What the endpoint makes of a request. */
export interface Router {
  initialize(session: ClientSession, request: RpcRequest): Promise<string>;
  /** @returns the whole answer as text */
  handle(session: ClientSession, request: ClientRequest): Promise<string>;
  /** The `capabilities` and what else `server/discover` says, as members of a JSON object. */
  discover(session: ClientSession): Promise<string>;
  /** Servers whose changes a subscription of this endpoint is about. */
  servers(session: ClientSession): Promise<readonly ProfileServer[]>;
  /** Asks the server that has this resource to report its changes. */
  watchResource(session: ClientSession, uri: string): Promise<void>;
}

export interface SessionDeps {
  readonly gate: Gate;
  readonly log: Log;
  readonly version: string;
  readonly principal: Principal;
  readonly profile: string | null;
  readonly router: Router;
  readonly channel: ClientChannel;
}

interface InFlight {
  readonly control: RequestControl;
  /** The server that it went to; null while that is open. */
  slug: string | null;
  /** Least severe log level that this very request asked for, as a stateless one may. */
  logLevel: string | null;
}

/** Notifications of clients that mean something within a session only. */
const SESSION_ONLY: ReadonlySet<string> = new Set(['notifications/roots/list_changed']);

export class ClientSession {
  readonly #deps: SessionDeps;
  readonly levels = new LogLevels();
  readonly subscriptions: Subscriptions;
  readonly #inFlight = new Map<string, InFlight>();
  readonly #attached = new Map<OpenUpstream, Attachment>();
  readonly #asked = new Map<string, (response: RpcResponse) => void>();
  readonly #askedTokens = new Map<string, { readonly upstream: OpenUpstream; readonly token: string }>();
  #nextAskId = 1;
  /** What the client said of itself last. */
  #client: ClientFacts = UNKNOWN_CLIENT;
  #closed = false;
  readonly #stopListening: () => void;

  constructor(deps: SessionDeps) {
    this.#deps = deps;
    this.subscriptions = new Subscriptions((text, idText) => deps.channel.send(text, idText));
    this.#stopListening = deps.gate.onAgreed((slug) => this.#agreed(slug));
  }

  get principal(): Principal {
    return this.#deps.principal;
  }

  get gate(): Gate {
    return this.#deps.gate;
  }

  get profile(): string | null {
    return this.#deps.profile;
  }

  get version(): string {
    return this.#deps.version;
  }

  get log(): Log {
    return this.#deps.log;
  }

  /** Requests that are not answered yet. */
  get busy(): number {
    return this.#inFlight.size;
  }

  /** Servers that this session is attached to. */
  get attached(): IterableIterator<OpenUpstream> {
    return this.#attached.keys();
  }

  receive(message: RpcMessage, carried: Carried = NOTHING_CARRIED): void {
    if (this.#closed) return;
    if (message.kind === 'request') void this.#request(message, carried);
    else if (message.kind === 'response') this.#answered(message);
    else this.#notification(message);
  }

  /**
   * The running server with this session attached to it.
   *
   * @param tool what is to be called, where it is for a call
   * @throws AppError
   */
  async use(server: ProfileServer, tool?: string): Promise<OpenUpstream> {
    const upstream = await this.gate.open(this.target(server), this.#client, tool);
    if (!this.#closed && !this.#attached.has(upstream)) {
      const attachment = this.#attachmentTo(upstream);
      this.#attached.set(upstream, attachment);
      upstream.connection.attach(attachment);
      const { level } = this.levels;
      if (level !== null && upstream.hello.has('logging'))
        askForLevel(upstream.connection, attachment, level);
    }
    return upstream;
  }

  target(server: ProfileServer): Target {
    const mirrored = this.#deps.channel.mirrored === true;
    return { principal: this.principal, profile: this.profile, server, mirrored };
  }

  attachment(upstream: OpenUpstream): Attachment | null {
    return this.#attached.get(upstream) ?? null;
  }

  /** Notes which server a request went to, so that what the server sends meanwhile finds its way back. */
  sentTo(idText: string, slug: string): void {
    const entry = this.#inFlight.get(idText);
    if (entry !== undefined) entry.slug = slug;
  }

  /** A change that the client should know of, found by the gateway itself. */
  announce(method: string): void {
    if (this.#client.era === 'stateless' && !this.subscriptions.isUsed) return;
    this.#deliver({ method, uri: null, text: `{"jsonrpc":"2.0","method":"${method}"}` }, null);
  }

  /** Gives up everything in flight and leaves the servers. @param error why, where it is not the client's doing */
  close(error: AppError = wentAway()): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stopListening();
    for (const { control } of this.#inFlight.values()) control.cancel(error);
    for (const [upstream, attachment] of this.#attached) {
      upstream.watchers.dropped(attachment);
      upstream.connection.detach(attachment);
    }
    this.#attached.clear();
    this.#asked.clear();
    this.subscriptions.close();
  }

  async #request(request: RpcRequest, carried: Carried): Promise<void> {
    const { idText } = request;
    if (this.#inFlight.has(idText)) {
      const error = new AppError('mcp_id_in_use', 'A request with this id is in flight already.', {
        kind: 'invalid',
      });
      this.#deps.channel.send(failureText(idText, error), null);
      return;
    }
    const control = new RequestControl();
    this.#inFlight.set(idText, { control, slug: null, logLevel: null });
    let answer: string | null;
    try {
      answer = await this.#dispatch(request, carried, control);
    } catch (error) {
      if (!(error instanceof AppError))
        this.log.error('mcp.request.failed', { method: request.method, error: String(error) });
      const failure = failureText(idText, error);
      answer = claimsStateless(request) ? finishStateless(request.method, failure) : failure;
    }
    this.#inFlight.delete(idText);
    if (control.ended?.code === 'mcp_cancelled') answer = null;
    this.#deps.channel.answer(idText, answer);
  }

  async #dispatch(request: RpcRequest, carried: Carried, control: RequestControl): Promise<string | null> {
    const { router } = this.#deps;
    if (isStateless(request)) {
      const client = statelessFacts(request);
      this.#client = client;
      const entry = this.#inFlight.get(request.idText);
      if (entry !== undefined) entry.logLevel = client.logLevel;
      this.levels.set(client.logLevel);
      if (request.method === 'subscriptions/listen') {
        return this.subscriptions.serve(request, control, (uris) => this.#watch(uris));
      }
      if (request.method === 'server/discover') {
        return finishStateless(
          'server/discover',
          resultText(request.idText, `{${await router.discover(this)}}`),
        );
      }
      const message = withoutEnvelope(request);
      const answer = await router.handle(this, { message, client, carried, control });
      return finishStateless(request.method, answer);
    }
    if (request.method === 'ping') return resultText(request.idText, '{}');
    if (request.method === 'initialize') {
      this.#client = sessionFacts(request);
      return resultText(request.idText, await router.initialize(this, request));
    }
    const client = { ...this.#client, logLevel: this.levels.level };
    return withoutStateless(await router.handle(this, { message: request, client, carried, control }));
  }

  /** Attaches to the endpoint's servers, so that their changes arrive, and subscribes to resources there. */
  async #watch(uris: ReadonlySet<string>): Promise<void> {
    const { router } = this.#deps;
    const servers = await router.servers(this);
    await Promise.allSettled(servers.map((server) => this.use(server)));
    await Promise.allSettled([...uris].map((uri) => router.watchResource(this, uri)));
  }

  #notification(notification: RpcNotification): void {
    if (notification.method === 'notifications/initialized') return;
    if (notification.method === 'notifications/cancelled') {
      const span = paramSpan(notification, 'requestId');
      const entry = span === null ? undefined : this.#inFlight.get(slice(notification.text, span));
      entry?.control.cancel(
        new AppError('mcp_cancelled', 'The client cancelled.', { kind: 'failed' }),
        notification,
      );
      return;
    }
    if (notification.method === 'notifications/progress') {
      const span = paramSpan(notification, 'progressToken');
      const asked = span === null ? undefined : this.#askedTokens.get(slice(notification.text, span));
      if (span === null || asked === undefined) return;
      asked.upstream.connection.notify(rewritten(notification, null, [{ ...span, text: asked.token }]));
      return;
    }
    for (const { connection, hello } of this.#attached.keys()) {
      if (hello.era === 'session' || !SESSION_ONLY.has(notification.method))
        connection.notify(notification.text);
    }
  }

  #answered(response: RpcResponse): void {
    const reply = this.#asked.get(response.idText);
    this.#asked.delete(response.idText);
    this.#askedTokens.delete(response.idText);
    reply?.(response);
  }

  #attachmentTo(upstream: OpenUpstream): Attachment {
    return {
      reachable: () => this.#deps.channel.reachable(),
      answers: (request) => this.#answers(request),
      logLevel: () => this.levels.level,
      ask: (request, reply, related) => this.#ask(upstream, request, reply, related),
      notified: (notification, related) => this.#notified(upstream, notification, related),
      progressed: (text, idText) => this.#deps.channel.send(text, idText),
      gone: () => this.#attached.delete(upstream),
    };
  }

  #answers(request: RpcRequest): boolean {
    // In the stateless revision no server asks a client anything outside the answer to a request.
    return this.#client.era === 'session' && isAnswered(this.#client, request);
  }

  #ask(
    upstream: OpenUpstream,
    request: RpcRequest,
    reply: (response: RpcResponse) => void,
    known: string | null,
  ): (notification: RpcNotification) => void {
    const idText = String(this.#nextAskId);
    this.#nextAskId += 1;
    const token = paramSpan(request, '_meta', 'progressToken');
    if (token !== null) this.#askedTokens.set(idText, { upstream, token: slice(request.text, token) });
    this.#asked.set(idText, reply);
    const edits = token === null ? [] : [{ ...token, text: idText }];
    const related = known ?? this.#onlyRequestAt(upstream.connection.slug);
    this.#deps.channel.send(rewritten(request, idText, edits), related);
    return (notification) => {
      this.#asked.delete(idText);
      this.#askedTokens.delete(idText);
      const span = paramSpan(notification, 'requestId');
      if (span === null) return;
      this.#deps.channel.send(rewritten(notification, null, [{ ...span, text: idText }]), related);
    };
  }

  /** Somebody agreed to what a server offers: lists may be longer from now on. */
  #agreed(slug: string): void {
    if (this.#client === UNKNOWN_CLIENT) return;
    const tell = async (): Promise<void> => {
      const servers = await this.#deps.router.servers(this);
      if (this.#closed || !servers.some((server) => server.slug === slug)) return;
      for (const method of ['notifications/tools/list_changed', 'notifications/prompts/list_changed'])
        this.announce(method);
    };
    // Who may not use its profile any more, or is stopped, need not know.
    tell().catch(() => undefined);
  }

  #notified(upstream: OpenUpstream, notification: RpcNotification, known: string | null): void {
    const { method, text } = notification;
    if (method === 'notifications/message' && !this.#wantsLog(upstream, notification, known)) return;
    const uri = method === 'notifications/resources/updated' ? paramString(notification, 'uri') : null;
    const attachment = this.#attached.get(upstream);
    if (uri !== null && (attachment === undefined || !upstream.watchers.includes(attachment))) return;
    // What a server says while it works on a request most likely belongs to it; changes belong to the session.
    const related =
      uri !== null || method.endsWith('/list_changed')
        ? null
        : (known ?? this.#onlyRequestAt(upstream.connection.slug));
    this.#deliver({ method, uri, text }, related);
  }

  /** A stateless client says so with each request, and hears nothing outside of one. */
  #wantsLog({ connection }: OpenUpstream, notification: RpcNotification, idText: string | null): boolean {
    const level = paramString(notification, 'level');
    if (this.#client.era === 'session') return this.levels.wants(level);
    for (const [id, { slug, logLevel }] of this.#inFlight) {
      if (slug !== connection.slug || (idText !== null && id !== idText)) continue;
      if (logLevel !== null && isSevere(level, logLevel)) return true;
    }
    return false;
  }

  #deliver(change: { method: string; uri: string | null; text: string }, related: string | null): void {
    if (this.subscriptions.take(change)) return;
    this.#deps.channel.send(change.text, related);
  }

  /** The one request of this session that this server is busy with; null when there is none, or several. */
  #onlyRequestAt(slug: string): string | null {
    let found: string | null = null;
    for (const [idText, entry] of this.#inFlight) {
      if (entry.slug !== slug) continue;
      if (found !== null) return null;
      found = idText;
    }
    return found;
  }
}

const wentAway = (): AppError => new AppError('mcp_cancelled', 'The client went away.', { kind: 'failed' });
