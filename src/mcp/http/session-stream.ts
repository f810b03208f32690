/** One event stream of a session: it outlives its connection, and goes on over the next one. */
import { limits } from '../../kernel/index.ts';
import { type EventStore, eventId, type StoredEvent, type StoredStream } from './event-store.ts';
import { EventStream } from './event-stream.ts';
import type { FrontResponse } from './http-message.ts';

export class SessionStream {
  readonly #store: EventStore;
  readonly #stored: StoredStream;
  #connection: EventStream | null = null;
  /** Runs while its client is to come back, because it was told to. */
  #awaiting: NodeJS.Timeout | null = null;
  /** Told when it does. */
  #again: (() => void) | null = null;

  constructor(store: EventStore, stored = store.newStream()) {
    this.#store = store;
    this.#stored = stored;
  }

  get key(): number {
    return this.#stored.key;
  }

  /** Whether what is sent now reaches somebody, or somebody who is about to come back for it. */
  get connected(): boolean {
    return this.#connection?.connected === true || this.#awaiting !== null;
  }

  /**
   * Goes on over this response. One that it had before is ended: its client may not have noticed that it broke.
   *
   * @param primed whether the client knows an event without data, which tells it where it is before anything comes
   * @param replayed what the client has missed, where it said so
   */
  connect(
    res: FrontResponse,
    headers: Readonly<Record<string, string>>,
    primed: boolean,
    replayed: readonly StoredEvent[] = [],
  ): void {
    this.#connection?.end();
    this.#isBack();
    const connection = new EventStream(res, headers);
    this.#connection = connection;
    res.once('close', () => {
      if (this.#connection === connection) this.#connection = null;
    });
    if (primed) connection.prime(eventId(this.#stored, this.#stored.last - replayed.length));
    for (const { text, id } of replayed) connection.send(text, id);
    if (this.#stored.done) connection.end();
    this.#again?.();
    this.#again = null;
  }

  send(text: string): void {
    const id = this.#store.append(this.#stored, text);
    this.#connection?.send(text, id);
  }

  /** Ends the connection, not the stream (MCP 2025-11-25, Transports, "Sending Messages to the Server"). */
  pause(retryMs: number, again: () => void): void {
    if (this.#connection === null) return;
    this.#again = again;
    this.#connection.retryIn(retryMs);
    this.#connection.end();
    this.#connection = null;
    this.#awaiting = setTimeout(() => this.#isBack(), retryMs + limits.mcpPollLateMsMax).unref();
  }

  /** Nothing more comes; what a client has missed is still there to be asked for. */
  end(): void {
    this.#store.finish(this.#stored);
    this.#connection?.end();
    this.#connection = null;
    this.#isBack();
  }

  /** Or is not waited for any more. */
  #isBack(): void {
    if (this.#awaiting !== null) clearTimeout(this.#awaiting);
    this.#awaiting = null;
  }
}
