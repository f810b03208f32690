/** One event stream of a session: it outlives its connection, and goes on over the next one. */
import type { ServerResponse } from 'node:http';
import { type EventStore, eventId, type StoredEvent, type StoredStream } from './event-store.ts';
import { EventStream } from './event-stream.ts';

export class SessionStream {
  readonly #store: EventStore;
  readonly #stored: StoredStream;
  #connection: EventStream | null = null;

  constructor(store: EventStore, stored = store.newStream()) {
    this.#store = store;
    this.#stored = stored;
  }

  get key(): number {
    return this.#stored.key;
  }

  /** Whether what is sent now reaches somebody. */
  get connected(): boolean {
    return this.#connection?.connected === true;
  }

  /**
   * Goes on over this response. One that it had before is ended: its client may not have noticed that it broke.
   *
   * @param primed whether the client knows an event without data, which tells it where it is before anything comes
   * @param replayed what the client has missed, where it said so
   */
  connect(
    res: ServerResponse,
    headers: Readonly<Record<string, string>>,
    primed: boolean,
    replayed: readonly StoredEvent[] = [],
  ): void {
    this.#connection?.end();
    const connection = new EventStream(res, headers);
    this.#connection = connection;
    res.once('close', () => {
      if (this.#connection === connection) this.#connection = null;
    });
    if (primed) connection.prime(eventId(this.#stored, this.#stored.last - replayed.length));
    for (const { text, id } of replayed) connection.send(text, id);
    if (this.#stored.done) connection.end();
  }

  send(text: string): void {
    const id = this.#store.append(this.#stored, text);
    this.#connection?.send(text, id);
  }

  /** Nothing more comes; what a client has missed is still there to be asked for. */
  end(): void {
    this.#store.finish(this.#stored);
    this.#connection?.end();
    this.#connection = null;
  }
}
