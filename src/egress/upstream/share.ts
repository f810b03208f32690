/**
 * How many connections to upstreams one cell may have in use or be making. Upstreams that hang, and clients that do
 * not read, hold connections for as long as they like: a cell must not take those of the others. Whoever comes when
 * all are in use waits in line, for a while.
 */
import { limits } from '../../kernel/index.ts';
import { Refusal } from '../refusals.ts';

const limitReached = (reason: string): Refusal =>
  Refusal.of('egress_upstreams_limit', { allowed: String(limits.cellUpstreamsMax), reason });

export class UpstreamShare {
  #inUse = 0;
  /** In their order; each is told once. */
  readonly #waiting = new Set<() => void>();

  /** Connections that the cell has, and those that are being made for it. */
  get inUse(): number {
    return this.#inUse;
  }

  get isFull(): boolean {
    return this.#inUse >= limits.cellUpstreamsMax;
  }

  /** One that was there is lent: there is a place for it, or it takes that of its making. */
  add(): void {
    this.#inUse += 1;
  }

  /** One is not in use any more. Whoever waits longest has its place. */
  remove(): void {
    const [next] = this.#waiting;
    if (next === undefined || this.#inUse > limits.cellUpstreamsMax) {
      this.#inUse -= 1;
      return;
    }
    this.#waiting.delete(next);
    next();
  }

  /**
   * Takes a place, which `remove` gives back, at once or when it is its turn.
   *
   * @param signal nobody wants it any more; its reason is thrown
   * @returns whether it had to wait
   * @throws Refusal `egress_upstreams_limit`: too many wait, or it took too long
   */
  async enter(signal: AbortSignal): Promise<boolean> {
    if (!this.isFull) {
      this.#inUse += 1;
      return false;
    }
    signal.throwIfAborted();
    if (this.#waiting.size >= limits.cellUpstreamsWaitingMax) throw limitReached('too_many_wait');
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const leave = (reason: unknown): void => {
      this.#waiting.delete(resolve);
      reject(reason);
    };
    const onAbort = (): void => leave(signal.reason);
    const timer = setTimeout(() => leave(limitReached('waited')), limits.cellUpstreamWaitMs);
    this.#waiting.add(resolve);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await promise;
      return true;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    }
  }
}
