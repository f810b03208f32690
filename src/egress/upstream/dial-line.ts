/**
 * Who may connect to one place, and who waits. Requests that come together would each make a connection of their own,
 * with a handshake on both sides, and most of those would be thrown away a moment later: the slower everything is, the
 * more of them. So only some are made at a time; the others wait until it is their turn, or until a connection comes
 * back, whichever is first. Borrowers take turns, so that one with many requests does not keep the others waiting.
 */
import { limits } from '../../kernel/index.ts';

/** What somebody who waited gets: a connection that came back, or null for leave to make one. */
type Turn<Connection> = (connection: Connection | null) => void;

export class DialLine<Borrower extends object, Connection extends object> {
  #dialling = 0;
  /** By borrower; whose turn is next comes first. */
  readonly #waiting = new Map<Borrower, Set<Turn<Connection>>>();

  /** Connections that are being made. */
  get dialling(): number {
    return this.#dialling;
  }

  /** Whether who enters now has to wait. */
  get isFull(): boolean {
    return this.#dialling >= limits.upstreamDialsMax;
  }

  /**
   * @param signal nobody wants it any more; its reason is thrown
   * @returns a connection that came back; or null, and then one may be made, and `leave` is due when that is over
   * @throws whatever `late` gives when it took too long
   */
  async enter(borrower: Borrower, signal: AbortSignal, late: () => Error): Promise<Connection | null> {
    if (!this.isFull) {
      this.#dialling += 1;
      return null;
    }
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<Connection | null>();
    const turns = this.#waiting.get(borrower) ?? new Set();
    this.#waiting.set(borrower, turns.add(resolve));
    const giveUp = (reason: unknown): void => {
      turns.delete(resolve);
      if (turns.size === 0 && this.#waiting.get(borrower) === turns) this.#waiting.delete(borrower);
      reject(reason);
    };
    const onAbort = (): void => giveUp(signal.reason);
    /* After a while in which nothing could be read, what has come back meanwhile is looked at first. */
    const expire = (): void => void setImmediate(() => giveUp(late()));
    const timer = setTimeout(expire, limits.upstreamConnectTimeoutMs);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** A connection was made, or could not be: the next one may be. */
  leave(): void {
    const next = this.#next();
    if (next === null) this.#dialling -= 1;
    else next.turn(null);
  }

  /** A connection came back. @returns who has it now; null when nobody waits */
  offer(connection: Connection): Borrower | null {
    const next = this.#next();
    next?.turn(connection);
    return next?.borrower ?? null;
  }

  #next(): { readonly borrower: Borrower; readonly turn: Turn<Connection> } | null {
    for (const [borrower, turns] of this.#waiting) {
      this.#waiting.delete(borrower);
      const [turn] = turns;
      if (turn === undefined) continue;
      turns.delete(turn);
      if (turns.size > 0) this.#waiting.set(borrower, turns);
      return { borrower, turn };
    }
    return null;
  }
}
