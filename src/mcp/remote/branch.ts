/**
 * Connections beside another to the same server elsewhere: each takes the same way out, under the same cell, and has an end of
 * its own, which is not the server's. The server's is the end of them all.
 *
 * Must keep nothing of one that has ended, however long the server runs: clients can have as many begun as they like.
 */
import type { HttpTransport, UpstreamExit } from '../ports/upstreams.ts';

export class Branches {
  readonly #trunk: HttpTransport;
  /** Told of the server's end: a promise keeps whoever asked it, and is asked once for all of them. */
  readonly #ends = new Set<(exit: UpstreamExit) => void>();
  #exit: UpstreamExit | null = null;

  constructor(trunk: HttpTransport) {
    this.#trunk = trunk;
    void trunk.exited.then((exit) => {
      this.#exit = exit;
      for (const end of this.#ends) end(exit);
      this.#ends.clear();
    });
  }

  begin(): HttpTransport {
    const trunk = this.#trunk;
    const over = Promise.withResolvers<UpstreamExit>();
    let farewell = (): Promise<void> => Promise.resolve();
    const forget = trunk.onFarewell(() => farewell());
    let ending: Promise<void> | null = null;
    const ended = (exit: UpstreamExit): void => {
      forget();
      this.#ends.delete(ended);
      over.resolve(exit);
    };
    const end = async (reason: string): Promise<void> => {
      forget();
      await farewell().catch(() => undefined);
      ended({ code: null, signal: null, reason });
    };
    const close = (reason: string): Promise<void> => (ending ??= end(reason));
    if (this.#exit === null) this.#ends.add(ended);
    else ended(this.#exit);
    return {
      kind: 'http',
      cell: trunk.cell,
      url: trunk.url,
      exited: over.promise,
      cellExited: trunk.exited,
      exchange: (request, signal) => trunk.exchange(request, signal),
      challenged: (status, wwwAuthenticate) => trunk.challenged(status, wwwAuthenticate),
      close,
      streamEnded: () => close('its event stream ended'),
      // Who used it has the trunk, or another one.
      sessionLost: () => close('it ended its session, and begins no other'),
      note: (text) => trunk.note(text),
      onFarewell(tell) {
        farewell = tell;
        return () => {
          farewell = () => Promise.resolve();
        };
      },
    };
  }
}
