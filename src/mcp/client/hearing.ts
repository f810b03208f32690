/**
 * What one server says to one client beside its answers: masked as rules say, told in the order in which it was said, under
 * the names that the client knows, and with the request of the client that it belongs to.
 */
import { rpcCode, errorText } from '../protocol/rpc-error.ts';
import type { BesideMask } from '../masking/beside-mask.ts';
import {
  ownResponse,
  paramSpan,
  paramString,
  type RpcNotification,
  type RpcRequest,
  type RpcResponse,
} from '../protocol/message.ts';
import { splice, stringAt } from '../protocol/raw-json.ts';
import type { LogLevels } from '../protocol/log-levels.ts';
import type { OpenUpstream } from '../upstream/open-upstream.ts';
import type { Attachment } from '../upstream/server-requests.ts';
import { isAnswered } from './client-abilities.ts';
import type { ClientFacts } from './client-facts.ts';
import type { ClientQuestions } from './client-questions.ts';
import type { ClientChannel } from './client-channel.ts';
import type { RequestsInFlight } from './requests-in-flight.ts';
import type { Change } from './subscriptions.ts';

/** The client, as far as what servers say goes. */
export interface Hearer {
  readonly channel: ClientChannel;
  readonly levels: LogLevels;
  readonly inFlight: RequestsInFlight;
  readonly questions: ClientQuestions;
  /** What it said of itself last. */
  facts(): ClientFacts;
  isClosed(): boolean;
  /** @param idText the request that it is about; null: none */
  send(text: string, idText: string | null): void;
  deliver(change: Change, idText: string | null): void;
  /** Under which URI the client knows a server's resource. */
  exposedResource(slug: string, uri: string): string;
  /** The server is gone. */
  left(upstream: OpenUpstream): void;
}

export class Hearing implements Attachment {
  readonly #upstream: OpenUpstream;
  readonly #mask: BesideMask;
  readonly #hearer: Hearer;

  constructor(upstream: OpenUpstream, mask: BesideMask, hearer: Hearer) {
    this.#upstream = upstream;
    this.#mask = mask;
    this.#hearer = hearer;
  }

  reachable(): boolean {
    return this.#hearer.channel.reachable();
  }

  answers(request: RpcRequest): boolean {
    // In the stateless revision no server asks a client anything outside the answer to a request.
    const facts = this.#hearer.facts();
    return facts.era === 'session' && isAnswered(facts, request);
  }

  logLevel(): string | null {
    return this.#hearer.levels.level;
  }

  ask(
    request: RpcRequest,
    reply: (response: RpcResponse) => void,
    related: string | null,
  ): (notification: RpcNotification) => void {
    const { questions } = this.#hearer;
    let cancel: ((notification: RpcNotification) => void) | null = null;
    let isCancelled = false;
    this.#mask.message(request, (told) => {
      if (isCancelled) return;
      if (told === null) reply(unmasked());
      else {
        const relatedIdText = related ?? this.#onlyRequest();
        cancel = questions.ask(told, { upstream: this.#upstream, reply, relatedIdText });
      }
    });
    return (notification) => {
      isCancelled = true;
      cancel?.(notification);
    };
  }

  notified(notification: RpcNotification, related: string | null): void {
    this.#mask.message(notification, (told) => {
      if (told !== null && !this.#hearer.isClosed()) this.#tell(told, related);
    });
  }

  progressed(text: string, idText: string): void {
    this.#mask.text(text, (told) => {
      if (told !== null && !this.#hearer.isClosed()) this.#hearer.send(told, idText);
    });
  }

  paused(idText: string, retryMs: number, again: () => void): void {
    this.#hearer.channel.pause?.(idText, retryMs, again);
  }

  gone(): void {
    this.#hearer.left(this.#upstream);
  }

  /** What a server says while it works on one request most likely belongs to it. */
  #onlyRequest(): string | null {
    return this.#hearer.inFlight.onlyAt(this.#upstream.connection.slug);
  }

  #tell(notification: RpcNotification, known: string | null): void {
    const { method } = notification;
    if (method === 'notifications/message' && !this.#wantsLog(notification, known)) return;
    const span = method === 'notifications/resources/updated' ? paramSpan(notification, 'uri') : null;
    const own = stringAt(notification.text, span);
    const { connection, watchers } = this.#upstream;
    if (own !== null && !watchers.includes(this)) return;
    const uri = own === null ? null : this.#hearer.exposedResource(connection.slug, own);
    const text =
      span === null || uri === own
        ? notification.text
        : splice(notification.text, [{ ...span, text: JSON.stringify(uri) }]);
    // Changes belong to the session.
    const related = uri !== null || method.endsWith('/list_changed') ? null : (known ?? this.#onlyRequest());
    this.#hearer.deliver({ method, uri, text }, related);
  }

  /** A stateless client says so with each request, and hears nothing outside of one. */
  #wantsLog(notification: RpcNotification, idText: string | null): boolean {
    const level = paramString(notification, 'level');
    const { levels, inFlight } = this.#hearer;
    if (this.#hearer.facts().era === 'session') return levels.wants(level);
    return inFlight.wantLog(this.#upstream.connection.slug, level, idText);
  }
}

/** What a server is told whose question could not be masked. */
const unmasked = (): RpcResponse =>
  ownResponse(
    errorText(null, rpcCode.server, {
      code: 'mask_failed',
      message: 'What rules mask in this could not be masked.',
    }),
  );
