/**
 * What was sent on the event streams of one session, kept so that a client whose connection broke can go on from the
 * last event that it saw (revisions 2025-03-26 to 2025-11-25, "Resumability and Redelivery").
 *
 * Bounded: what is oldest goes first, and a client that comes back for it is told that it is gone.
 */
import { limits } from '../../kernel/index.ts';

/** Bytes that all sessions of one caller keep together. */
export interface EventBudget {
  bytes: number;
}

interface KeptEvent {
  readonly text: string;
  readonly bytes: number;
}

/** One stream: its events are numbered from 1, and `kept` are the last of them. */
export interface StoredStream {
  readonly key: number;
  readonly kept: KeptEvent[];
  /** Number of the last event; 0: none yet. */
  last: number;
  /** Nothing more will be sent on it. */
  done: boolean;
}

/** An event and the id that a client names it by. */
export interface StoredEvent {
  readonly id: string;
  readonly text: string;
}

const EVENT_ID = /^([0-9]{1,10})-([0-9]{1,10})$/;

export const eventId = (stream: StoredStream, number: number): string => `${stream.key}-${number}`;

export class EventStore {
  readonly #budget: EventBudget;
  readonly #streams = new Map<number, StoredStream>();
  /** Streams of the kept events, the oldest event first. */
  readonly #order: StoredStream[] = [];
  #bytes = 0;
  #nextKey = 0;

  constructor(budget: EventBudget) {
    this.#budget = budget;
  }

  /** Bytes kept now. */
  get bytes(): number {
    return this.#bytes;
  }

  newStream(): StoredStream {
    const stream: StoredStream = { key: this.#nextKey, kept: [], last: 0, done: false };
    this.#nextKey += 1;
    this.#streams.set(stream.key, stream);
    return stream;
  }

  /** @returns the event's id */
  append(stream: StoredStream, text: string): string {
    const bytes = Buffer.byteLength(text);
    stream.last += 1;
    stream.kept.push({ text, bytes });
    this.#order.push(stream);
    this.#count(bytes);
    while (this.#overfull()) this.#dropOldest();
    return eventId(stream, stream.last);
  }

  /** Nothing more comes on this stream; what is kept of it stays until there is no room. */
  finish(stream: StoredStream): void {
    stream.done = true;
    if (stream.kept.length === 0) this.#streams.delete(stream.key);
  }

  /** @returns null for an id that names no event of this session, or one after which something is not kept any more */
  after(id: string): { readonly stream: StoredStream; readonly events: readonly StoredEvent[] } | null {
    const [, key, number] = EVENT_ID.exec(id) ?? [];
    const stream = this.#streams.get(Number(key));
    if (stream === undefined) return null;
    const seen = Number(number);
    const first = stream.last - stream.kept.length + 1;
    if (seen > stream.last || seen < first - 1) return null;
    const events = stream.kept
      .slice(seen - first + 1)
      .map(({ text }, index) => ({ id: eventId(stream, seen + 1 + index), text }));
    return { stream, events };
  }

  clear(): void {
    this.#count(-this.#bytes);
    this.#order.length = 0;
    this.#streams.clear();
  }

  #overfull(): boolean {
    if (this.#order.length === 0) return false;
    return (
      this.#order.length > limits.mcpEventsKeptMax ||
      this.#bytes > limits.mcpEventBytesKeptMax ||
      this.#budget.bytes > limits.mcpEventBytesPerCallerMax
    );
  }

  #dropOldest(): void {
    const stream = this.#order.shift();
    const event = stream?.kept.shift();
    if (stream === undefined || event === undefined) return;
    this.#count(-event.bytes);
    if (stream.done && stream.kept.length === 0) this.#streams.delete(stream.key);
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    this.#budget.bytes += bytes;
  }
}
