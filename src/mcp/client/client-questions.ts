/**
 * What servers ask one client: each question under an id and a progress token of the session's own, since several servers may
 * choose the same. An answer to what nobody asked is left unheard.
 */
import {
  paramSpan,
  type RpcNotification,
  type RpcRequest,
  type RpcResponse,
  rewritten,
} from '../protocol/message.ts';
import { slice } from '../protocol/raw-json.ts';
import type { OpenUpstream } from '../upstream/open-upstream.ts';

/** Who asks, and what becomes of the answer. */
interface Asking {
  readonly upstream: OpenUpstream;
  readonly reply: (response: RpcResponse) => void;
  /** The client's request that it belongs to, if known. */
  readonly relatedIdText: string | null;
}

export class ClientQuestions {
  readonly #send: (text: string, relatedIdText: string | null) => void;
  readonly #replies = new Map<string, (response: RpcResponse) => void>();
  readonly #tokens = new Map<string, { readonly upstream: OpenUpstream; readonly token: string }>();
  #nextId = 1;

  constructor(send: (text: string, relatedIdText: string | null) => void) {
    this.#send = send;
  }

  /** @returns withdraws the question, as the server says it */
  ask(
    request: RpcRequest,
    { upstream, reply, relatedIdText }: Asking,
  ): (notification: RpcNotification) => void {
    const idText = String(this.#nextId);
    this.#nextId += 1;
    const token = paramSpan(request, '_meta', 'progressToken');
    if (token !== null) this.#tokens.set(idText, { upstream, token: slice(request.text, token) });
    this.#replies.set(idText, reply);
    const edits = token === null ? [] : [{ ...token, text: idText }];
    this.#send(rewritten(request, idText, edits), relatedIdText);
    return (notification) => {
      this.#forget(idText);
      const span = paramSpan(notification, 'requestId');
      if (span === null) return;
      this.#send(rewritten(notification, null, [{ ...span, text: idText }]), relatedIdText);
    };
  }

  answered(response: RpcResponse): void {
    const reply = this.#replies.get(response.idText);
    this.#forget(response.idText);
    reply?.(response);
  }

  /** How far the client is with an answer. */
  progressed(notification: RpcNotification): void {
    const span = paramSpan(notification, 'progressToken');
    const asked = span === null ? undefined : this.#tokens.get(slice(notification.text, span));
    if (span === null || asked === undefined) return;
    asked.upstream.connection.notify(rewritten(notification, null, [{ ...span, text: asked.token }]));
  }

  /** Nobody waits for answers any more. */
  clear(): void {
    this.#replies.clear();
    this.#tokens.clear();
  }

  #forget(idText: string): void {
    this.#replies.delete(idText);
    this.#tokens.delete(idText);
  }
}
