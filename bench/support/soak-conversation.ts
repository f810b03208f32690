/** One connection of the soak's clients, and the end that comes for all of them. */
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, createSecureContext } from 'node:tls';
import { Answers } from './answers.ts';
import type { Place } from './measured.ts';

export type Outcome =
  /** A whole answer with status 200. */
  | 'answered'
  /** A whole answer with another status. */
  | 'refused'
  /** The other side ended the connection. */
  | 'cut'
  /** The client went, as it meant to. */
  | 'left'
  /** Nothing of that, although it was due long ago. */
  | 'stuck'
  /** No connection came about. */
  | 'unreachable';

/** What is spoken. The bytes of HTTP/2 and of a WebSocket are read by whoever asked for it. */
export type Over = 'tcp' | 'http/1.1' | 'h2' | 'websocket';

const ALPN = { 'http/1.1': ['http/1.1'], h2: ['h2'], websocket: ['http/1.1'] };

/** Far beyond every time-out that applies to what is waited for here. */
export const STUCK_MS = 90_000;
const OK = 200;

/** Waits that end early when everything has to end. */
export class Stage {
  isOver = false;
  readonly #waiting = new Set<() => void>();

  /** @returns false when everything has to end */
  async wait(ms: number): Promise<boolean> {
    if (this.isOver) return false;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    this.#waiting.add(resolve);
    await promise;
    clearTimeout(timer);
    this.#waiting.delete(resolve);
    return !this.isOver;
  }

  end(): void {
    this.isOver = true;
    for (const resolve of this.#waiting) resolve();
  }
}

/* Certificates are not what is tried here, and their verification costs this process more than all the rest. */
const secureContext = createSecureContext({ ecdhCurve: 'X25519' });

export class Conversation {
  readonly socket: Socket;
  readonly #answers = new Answers();
  #closed = false;
  /** Of the answer or the end that is waited for. */
  #settle: ((outcome: Outcome) => void) | null = null;
  #early: Outcome | null = null;

  private constructor(socket: Socket, reads: boolean) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#closed = true;
      this.#settle?.('cut');
    });
    if (reads) socket.on('data', (piece: Buffer) => this.#read(piece));
  }

  /** Null when there is no connection, or it was ended before the handshake was through. */
  static async open({ host, port }: Place, servername: string, over: Over): Promise<Conversation | null> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const ready = (): void => resolve(true);
    const socket =
      over === 'tcp'
        ? connectTcp({ host, port }, ready)
        : connectTls(
            { host, port, servername, secureContext, rejectUnauthorized: false, ALPNProtocols: ALPN[over] },
            ready,
          );
    const conversation = new Conversation(socket, over === 'tcp' || over === 'http/1.1');
    const onClose = (): void => resolve(false);
    socket.once('close', onClose);
    const timer = setTimeout(() => socket.destroy(), STUCK_MS);
    const isReady = await promise;
    clearTimeout(timer);
    socket.off('close', onClose);
    return isReady ? conversation : null;
  }

  /** What came of an answer that nobody has waited for yet. */
  get early(): Outcome | null {
    return this.#early;
  }

  send(text: string): void {
    this.socket.write(text, 'latin1');
  }

  /** The next answer, or the end. */
  async answer(): Promise<Outcome> {
    const early = this.#early;
    this.#early = null;
    if (early !== null) return early;
    if (this.#closed) return 'cut';
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    const timer = setTimeout(() => resolve('stuck'), STUCK_MS);
    this.#settle = resolve;
    const outcome = await promise;
    this.#settle = null;
    clearTimeout(timer);
    return outcome;
  }

  /** Waits, and goes. */
  async leaveAfter(ms: number, stage: Stage): Promise<Outcome> {
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    this.#settle = resolve;
    const left = stage.wait(ms).then((): Outcome => 'left');
    const outcome = await Promise.race([promise, left]);
    this.#settle = null;
    return this.#closed && outcome === 'left' ? 'cut' : outcome;
  }

  close(): void {
    this.socket.destroy();
  }

  #read(piece: Buffer): void {
    try {
      if (!this.#answers.push(piece, piece.length)) return;
      const outcome = this.#answers.status === OK ? 'answered' : 'refused';
      if (this.#settle === null) this.#early = outcome;
      else this.#settle(outcome);
    } catch {
      this.socket.destroy();
    }
  }
}
