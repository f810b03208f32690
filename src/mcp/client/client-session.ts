/**
 * One MCP client, whatever it is connected by: its requests in flight, what the servers ask it, and which
 * servers it uses. What a request means is the router's business; how bytes travel is the channel's.
 *
 * Every message of a client is hostile until read; ids count only within this session.
 */
import { AppError, type Log } from '../../kernel/index.ts';
import {
  type Carried,
  type ClientFacts,
  NOTHING_CARRIED,
  sessionFacts,
  statelessFacts,
  UNKNOWN_CLIENT,
} from './client-facts.ts';
import { callerOf } from './caller.ts';
import type { ClientChannel } from './client-channel.ts';
import { ClientQuestions } from './client-questions.ts';
import type { ClientRequest } from './client-request.ts';
import type { Target } from '../gate/forwarded.ts';
import type { Gate } from '../gate/gate.ts';
import { type Hearer, Hearing } from './hearing.ts';
import { followRunning, listenTo } from './listen-to.ts';
import { listChanged, listed } from '../protocol/lists.ts';
import { askForLevel, isSevere, LogLevels } from '../protocol/log-levels.ts';
import {
  paramSpan,
  type RpcMessage,
  type RpcNotification,
  type RpcRequest,
  resultText,
} from '../protocol/message.ts';
import type { BesideMask } from '../masking/beside-mask.ts';
import type { Named } from '../gate/named.ts';
import { Outages } from './outages.ts';
import type { Principal } from '../ports/callers.ts';
import type { Tape, TapedRequest } from '../ports/recorder.ts';
import type { ProfileServer, ProfileView } from '../ports/upstreams.ts';
import { slice } from '../protocol/raw-json.ts';
import { RequestControl } from './request-control.ts';
import { RequestsInFlight } from './requests-in-flight.ts';
import type { Retries } from './retries.ts';
import { failureText } from '../protocol/rpc-error.ts';
import type { Attachment } from '../upstream/server-requests.ts';
import { isLater, type Soon } from '../soon.ts';
import { withoutEnvelope } from '../protocol/envelope.ts';
import { claimsStateless, finishStateless, isStateless, withoutStateless } from '../protocol/stateless.ts';
import { type Change, Subscriptions } from './subscriptions.ts';
import type { OpenUpstream } from '../upstream/open-upstream.ts';

/** What of a request says who asks. */
type Asked = Pick<ClientRequest, 'carried'>;

/** What the endpoint makes of a request. */
export interface Router {
  initialize(session: ClientSession, request: RpcRequest): Promise<string>;
  /** @returns the whole answer as text */
  handle(session: ClientSession, request: ClientRequest): Promise<string>;
  /** The `capabilities` and what else `server/discover` says, as members of a JSON object. */
  discover(session: ClientSession): Promise<string>;
  /** Servers whose changes a subscription of this endpoint is about. */
  servers(session: ClientSession): Promise<readonly ProfileServer[]>;
  /** Whether servers are started so that their changes arrive; absent: they are. */
  startsToListen?(): boolean;
  /** Which changes to tell a client that listens, by their methods, where its profile is another. */
  changes(before: ProfileView | null, now: ProfileView | null): readonly string[];
  /** Whether clients of this endpoint are told of a change; absent: of every one. */
  tells?(method: string): boolean;
  /** Asks the server that has this resource to report its changes. @throws AppError `policy_…`, `limit_exceeded`, `upstream_…` */
  watchResource(session: ClientSession, uri: string, request: ClientRequest): Promise<void>;
  /** Under which URI the client knows a server's resource; absent: under the server's own. */
  exposedResource?(slug: string, uri: string): string;
}

export interface SessionDeps {
  readonly gate: Gate;
  readonly retries: Retries;
  readonly log: Log;
  readonly version: string;
  readonly principal: Principal;
  readonly profile: string | null;
  readonly router: Router;
  readonly channel: ClientChannel;
  /** What is recorded of it; absent: nothing. */
  readonly tape?: Tape;
}

/** Notifications of clients that mean something within a session only. */
const NOTIFICATIONS = 'notifications/';
const SESSION_ONLY: ReadonlySet<string> = new Set(['notifications/roots/list_changed']);

/** What these lists show depends on what somebody agreed to; all of them on rules. */
const AGREED_LISTS = ['tools', 'prompts'] as const;

export class ClientSession {
  readonly #deps: SessionDeps;
  readonly levels = new LogLevels();
  readonly subscriptions: Subscriptions;
  /** Whose it is: sessions of one caller share what is tried on its behalf, and what it may have in flight. */
  readonly caller: string;
  /** What it misses of its servers. */
  readonly outages: Outages;
  readonly #inFlight = new RequestsInFlight();
  readonly #attached = new Map<OpenUpstream, Attachment>();
  /** What masks what each server says beside its answers. */
  readonly #masks = new Map<OpenUpstream, BesideMask>();
  readonly #questions = new ClientQuestions((text, relatedIdText) => this.send(text, relatedIdText));
  /** What the client said of itself last. */
  #client: ClientFacts = UNKNOWN_CLIENT;
  readonly #session = Symbol('session');
  /** What is made of it for requests. */
  #facts: { readonly said: ClientFacts; readonly level: string | null; readonly facts: ClientFacts } | null =
    null;
  #hearer: Hearer | null = null;
  #closed = false;
  readonly #stops: readonly (() => void)[];
  /** Set once the client listens to changes. */
  #stopWatching: (() => void) | null = null;
  /** Set while it listens to the servers that run, whichever those are. */
  #stopFollowing: (() => void) | null = null;

  constructor(deps: SessionDeps) {
    this.#deps = deps;
    this.subscriptions = new Subscriptions(
      (text, idText) => this.send(text, idText),
      () => this.outages.resume(),
    );
    this.caller = callerOf(deps.principal);
    this.outages = new Outages(this, deps.retries);
    this.#stops = [
      deps.gate.onAgreed((slug) =>
        this.#changed(AGREED_LISTS, (servers) => servers.some((server) => server.slug === slug)),
      ),
      deps.gate.onRules(() => {
        this.#changed(listed, () => true);
        // What cannot be refreshed shows nothing until it can.
        for (const mask of this.#masks.values()) refreshed(mask).catch(() => undefined);
      }),
    ];
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

  /** Whether a request with this id is not answered yet, also where nobody waits for it any more. */
  isAsked(idText: string): boolean {
    return this.#inFlight.get(idText) !== undefined;
  }

  /** Servers that this session is attached to. */
  get attached(): IterableIterator<OpenUpstream> {
    return this.#attached.keys();
  }

  /** Whether a change of a list would reach the client. */
  get listens(): boolean {
    if (this.#closed) return false;
    return this.#client.era === 'session' ? this.#deps.channel.reachable() : this.subscriptions.isOpen;
  }

  /** Whether the client asked for messages of this level whenever they come up. */
  wantsLog(level: string): boolean {
    const least = this.levels.level;
    return this.#client.era === 'session' && least !== null && isSevere(level, least);
  }

  /** Its channel reaches it again. */
  isBack(): void {
    this.outages.resume();
  }

  /** @param relatedIdText the client's request that it is about; null: none */
  send(text: string, relatedIdText: string | null): void {
    const about = relatedIdText === null ? undefined : this.#inFlight.get(relatedIdText);
    this.#deps.tape?.sent(text, about?.taped ?? null);
    this.#deps.channel.send(text, relatedIdText);
  }

  receive(message: RpcMessage, carried: Carried = NOTHING_CARRIED): void {
    if (this.#closed) return;
    if (message.kind !== 'request') this.#deps.tape?.received(message);
    if (message.kind === 'request') void this.#request(message, carried);
    else if (message.kind === 'response') this.#questions.answered(message);
    else this.#notification(message);
  }

  /**
   * The running server with this session attached to it.
   *
   * @param asked the request that it is for; absent: none of the client's
   * @param about what that is about, so that its refusal is on record
   * @returns at once where all that it takes is known
   * @throws AppError, also as a rejection
   */
  use(server: ProfileServer, asked?: Asked, about: Named | null = null): Soon<OpenUpstream> {
    const target = this.target(server, asked);
    const found = this.gate.open(target, this.#client, about);
    if (isLater(found)) return found.then((upstream) => this.#masked(target, upstream));
    return this.#masked(target, found);
  }

  #masked(target: Target, upstream: OpenUpstream): Soon<OpenUpstream> {
    const mask = this.#masks.get(upstream) ?? this.gate.maskBeside(target);
    const masked = mask.refresh();
    if (isLater(masked)) return masked.then(() => this.#attach(upstream, mask));
    return this.#attach(upstream, mask);
  }

  #attach(upstream: OpenUpstream, mask: BesideMask): OpenUpstream {
    if (!this.#closed && !this.#attached.has(upstream)) {
      this.#masks.set(upstream, mask);
      this.#hearer ??= this.#hearerOf();
      const attachment = new Hearing(upstream, mask, this.#hearer);
      this.#attached.set(upstream, attachment);
      upstream.connection.attach(attachment);
      const { level } = this.levels;
      if (level !== null && upstream.hello.has('logging'))
        askForLevel(upstream.connection, attachment, level);
    }
    return upstream;
  }

  target(server: ProfileServer, asked?: Asked): Target {
    const mirrored = this.#deps.channel.mirrored === true;
    return { principal: this.whoAsks(asked), profile: this.profile, server, mirrored };
  }

  /** As the request itself was let in, which may have been by a token in another place than at the beginning. */
  whoAsks(asked: Asked | undefined): Principal {
    return asked?.carried.principal ?? this.principal;
  }

  /** Where it is ready for requests already; null: it would have to be waited for. */
  running(server: ProfileServer): OpenUpstream | null {
    return this.gate.running(this.target(server), this.#client);
  }

  attachment(upstream: OpenUpstream): Attachment | null {
    return this.#attached.get(upstream) ?? null;
  }

  /** Notes which server a request went to, and what for, so that what the server sends meanwhile finds its way back. */
  sentTo(idText: string, server: ProfileServer, about: Named | null): void {
    const entry = this.#inFlight.get(idText);
    if (entry === undefined) return;
    entry.server = server;
    entry.about = about;
  }

  /** A change that the client should know of, found by the gateway itself. */
  announce(method: string): void {
    if (this.#client.era === 'stateless' && !this.subscriptions.isUsed) return;
    this.#deliver(changeOf(method), null);
  }

  /** Gives up everything in flight and leaves the servers. @param error why, where it is not the client's doing */
  close(error?: AppError): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const stop of this.#stops) stop();
    this.#stopWatching?.();
    this.#stopFollowing?.();
    if (this.#inFlight.size > 0) this.#inFlight.cancelAll(error ?? wentAway());
    for (const [upstream, attachment] of this.#attached) {
      upstream.watchers.dropped(attachment);
      upstream.connection.detach(attachment);
    }
    this.#attached.clear();
    this.#masks.clear();
    this.#questions.clear();
    this.subscriptions.close();
    this.outages.close();
    this.#deps.tape?.hangUp();
  }

  async #request(request: RpcRequest, carried: Carried): Promise<void> {
    const { idText } = request;
    if (this.#inFlight.get(idText) !== undefined) {
      const error = new AppError('mcp_id_in_use', 'A request with this id is in flight already.', {
        kind: 'invalid',
      });
      this.send(failureText(idText, error), null);
      return;
    }
    const control = new RequestControl();
    const taped = this.#deps.tape?.request(request);
    this.#inFlight.begin(idText, control, taped);
    let release = (): void => undefined;
    let answer: string | null;
    try {
      release = this.gate.load.begin(this.caller, request.text.length);
      const answered = this.#dispatch(request, carried, control, taped);
      answer = isLater(answered) ? await answered : answered;
    } catch (error) {
      answer = this.#failed(request, error);
    }
    const unheard = this.#unheard(idText);
    if (unheard.length > 0)
      await this.#inTurn(idText, { carried, control }, unheard).catch((error: unknown) => {
        answer = this.#failed(request, error);
      });
    release();
    this.#inFlight.end(idText);
    if (control.ended?.code === 'mcp_cancelled') answer = null;
    taped?.answered(answer);
    this.#deps.channel.answer(idText, answer);
  }

  #failed(request: RpcRequest, error: unknown): string {
    if (!(error instanceof AppError))
      this.log.error('mcp.request.failed', { method: request.method, error: String(error) });
    const failure = failureText(request.idText, error);
    return claimsStateless(request) ? finishStateless(request.method, failure) : failure;
  }

  /** @throws AppError why the answer may not go out any more */
  async #inTurn(
    idText: string,
    asked: Pick<ClientRequest, 'carried' | 'control'>,
    unheard: readonly Promise<void>[],
  ): Promise<void> {
    const { server = null, about = null } = this.#inFlight.get(idText) ?? {};
    if (server === null) return;
    await this.gate.inTurn(this.target(server, asked), about, asked.control, Promise.all(unheard));
  }

  /** What the server of a request said before its answer comes before it: what of that is still on its way. */
  #unheard(idText: string): readonly Promise<void>[] {
    const slug = this.#inFlight.get(idText)?.server?.slug;
    const unheard: Promise<void>[] = [];
    for (const [{ connection }, { settled }] of this.#masks)
      if (settled !== null && connection.slug === slug) unheard.push(settled);
    return unheard;
  }

  /** @returns the answer, which is rejected with what it is refused for. @throws AppError likewise */
  #dispatch(
    request: RpcRequest,
    carried: Carried,
    control: RequestControl,
    taped: TapedRequest | undefined,
  ): Soon<string | null> {
    const { router } = this.#deps;
    const asked = (message: RpcRequest, client: ClientFacts): ClientRequest =>
      taped === undefined
        ? { message, client, carried, control }
        : { message, client, carried, control, taped };
    if (isStateless(request)) {
      const client = statelessFacts(request);
      this.#client = client;
      const entry = this.#inFlight.get(request.idText);
      if (entry !== undefined) entry.logLevel = client.logLevel;
      this.levels.set(client.logLevel);
      if (request.method === 'subscriptions/listen') {
        this.#watchProfile();
        const listening = { message: request, client, carried, control };
        return this.subscriptions.serve(request, control, (uris) => this.#watch(uris, listening));
      }
      const answered =
        request.method === 'server/discover'
          ? router.discover(this).then((members) => resultText(request.idText, `{${members}}`))
          : router.handle(this, asked(withoutEnvelope(request), client));
      return answered.then((answer) => finishStateless(request.method, answer));
    }
    if (request.method === 'ping') return resultText(request.idText, '{}');
    if (request.method === 'initialize') {
      this.#client = sessionFacts(request);
      this.#watchProfile();
      return router.initialize(this, request).then((result) => resultText(request.idText, result));
    }
    return router.handle(this, asked(request, this.#inSession())).then(withoutStateless);
  }

  /** What is known of a client with a session: the same object until it says something else. */
  #inSession(): ClientFacts {
    const { level } = this.levels;
    if (this.#facts?.said !== this.#client || this.#facts.level !== level) {
      const facts = { ...this.#client, logLevel: level, session: this.#session };
      this.#facts = { said: this.#client, level, facts };
    }
    return this.#facts.facts;
  }

  /** @param uris of which those that are refused are taken out, however late that is known */
  async #watch(uris: Set<string>, request: ClientRequest): Promise<void> {
    const { router } = this.#deps;
    const subscribe = (): Promise<unknown> =>
      Promise.all(
        [...uris].map((uri) =>
          router.watchResource(this, uri, request).catch((error: unknown) => {
            const isRefused = error instanceof AppError && ['denied', 'limited'].includes(error.kind);
            if (isRefused) uris.delete(uri);
          }),
        ),
      );
    const servers = await router.servers(this);
    if (router.startsToListen?.() !== false) return listenTo(this, { servers, subscribe });
    const { gate } = this;
    const follower = {
      use: (server: ProfileServer) => this.use(server),
      isOpen: (server: ProfileServer) => gate.isOpen(this.target(server)),
      onOpen: (listener: (slug: string) => void) => gate.onOpen(listener),
    };
    const stop = await followRunning(follower, servers);
    if (this.#closed) return stop();
    this.#stopFollowing?.();
    this.#stopFollowing = stop;
    await subscribe();
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
    if (notification.method === 'notifications/progress') return this.#questions.progressed(notification);
    // Whatever else has no id is none: a server that does not look whether it has one might do what it asks for.
    if (!notification.method.startsWith(NOTIFICATIONS)) return;
    for (const { connection, hello } of this.#attached.keys()) {
      if (hello.era === 'session' || !SESSION_ONLY.has(notification.method))
        connection.notify(notification.text);
    }
  }

  /** As what servers say needs to see it. */
  #hearerOf(): Hearer {
    return {
      channel: this.#deps.channel,
      levels: this.levels,
      inFlight: this.#inFlight,
      questions: this.#questions,
      facts: () => this.#client,
      isClosed: () => this.#closed,
      send: (text, idText) => this.send(text, idText),
      deliver: (change, idText) => this.#deliver(change, idText),
      exposedResource: (slug, uri) => this.#deps.router.exposedResource?.(slug, uri) ?? uri,
      left: (upstream) => {
        this.#attached.delete(upstream);
        this.#masks.delete(upstream);
      },
    };
  }

  /** Lists may show something else from now on, where it is about one of the servers here. */
  #changed(
    lists: readonly (typeof listed)[number][],
    isConcerned: (servers: readonly ProfileServer[]) => boolean,
  ): void {
    if (this.#client === UNKNOWN_CLIENT) return;
    const tell = async (): Promise<void> => {
      const servers = await this.#deps.router.servers(this);
      if (this.#closed || !isConcerned(servers)) return;
      for (const list of lists) this.announce(listChanged(list));
    };
    // Who may not use its profile any more, or is stopped, need not know.
    tell().catch(() => undefined);
  }

  #watchProfile(): void {
    const { gate, principal, profile, router } = this.#deps;
    this.#stopWatching ??= gate.onProfile(principal, profile, (before, now) => {
      if (this.#closed) return;
      // Whatever the endpoint does not tell of otherwise: how it shows things may be what has changed.
      for (const method of router.changes(before, now))
        if (this.#client.era === 'session' || this.subscriptions.isUsed) this.#reach(changeOf(method), null);
    });
  }

  #deliver(change: Change, related: string | null): void {
    if (this.#deps.router.tells?.(change.method) !== false) this.#reach(change, related);
  }

  #reach(change: Change, related: string | null): void {
    if (this.subscriptions.take(change)) return;
    this.send(change.text, related);
  }
}

async function refreshed(mask: BesideMask): Promise<void> {
  await mask.refresh();
}

const changeOf = (method: string): Change => ({
  method,
  uri: null,
  text: `{"jsonrpc":"2.0","method":"${method}"}`,
});

const wentAway = (): AppError => new AppError('mcp_cancelled', 'The client went away.', { kind: 'failed' });
