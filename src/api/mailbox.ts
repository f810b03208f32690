/** Things handed from callbacks to one reader, who may be slow: at most `max` wait, and the oldest give way. */
export class Mailbox<T> implements AsyncIterable<T> {
  readonly #max: number;
  readonly #waiting: T[] = [];
  #closed = false;
  #wake: () => void = () => undefined;

  constructor(max: number) {
    this.#max = max;
  }

  put(item: T): void {
    if (this.#closed) return;
    this.#waiting.push(item);
    if (this.#waiting.length > this.#max) this.#waiting.shift();
    this.#wake();
  }

  /** The reader gets what waits, and then the end. */
  close(): void {
    this.#closed = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      while (this.#waiting.length > 0) yield* this.#waiting.splice(0);
      if (this.#closed) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
  }
}
