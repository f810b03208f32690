/** The reins of one client request on its way through the front: it can be cancelled before and after it was sent. */
import type { AppError } from '../../kernel/index.ts';
import type { RpcNotification } from '../protocol/message.ts';
import type { PendingRequest } from '../upstream/waiting-request.ts';

/** @param notification the client's own cancellation, where that was the reason */
type EndListener = (error: AppError, notification?: RpcNotification) => void;

export class RequestControl {
  #error: AppError | null = null;
  readonly #pending = new Set<PendingRequest>();
  readonly #listeners: EndListener[] = [];

  /** The reason why it ended early; null while it has not. */
  get ended(): AppError | null {
    return this.#error;
  }

  /** @param notification the client's own cancellation, to be forwarded with the server's id */
  cancel(error: AppError, notification?: RpcNotification): void {
    if (this.#error !== null) return;
    this.#error = error;
    for (const pending of this.#pending) pending.cancel(error, notification);
    this.#pending.clear();
    for (const listener of this.#listeners) listener(error, notification);
  }

  /** Told when it is cancelled; at once when it was already. */
  onEnd(listener: EndListener): void {
    if (this.#error === null) this.#listeners.push(listener);
    else listener(this.#error);
  }

  /** @throws AppError the reason, when it was cancelled */
  assertGoing(): void {
    if (this.#error !== null) throw this.#error;
  }

  /** Ties a request that was sent to this one. */
  bind(pending: PendingRequest): void {
    this.#pending.add(pending);
    if (this.#error !== null) pending.cancel(this.#error);
  }
}
