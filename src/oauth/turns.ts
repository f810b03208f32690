/** Work on one server, each piece after the one before it has ended, however that ended. */
import type { ServerId } from '../kernel/index.ts';

export class Turns {
  readonly #last = new Map<ServerId, Promise<unknown>>();

  /** @throws what the work throws */
  take<T>(server: ServerId, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(server) ?? Promise.resolve();
    const turn = before.catch(() => undefined).then(work);
    this.#last.set(server, turn);
    const over = (): void => {
      if (this.#last.get(server) === turn) this.#last.delete(server);
    };
    turn.then(over, over);
    return turn;
  }
}
