/**
 * What callers were answered and do not read. Each response has its bound, and a caller can have as many as it can open
 * connections: what is answered is no request in flight any more, and stays in memory until its client takes it.
 */
import { limits } from '../../kernel/index.ts';
import { callerOf } from '../client/caller.ts';
import type { Principal } from '../ports/callers.ts';
import type { FrontResponse } from './http-message.ts';

type Response = Pick<FrontResponse, 'writableLength' | 'destroy' | 'once'>;

interface Watched {
  readonly principal: Principal;
  readonly res: Response;
}

interface Unread {
  readonly res: Response;
  readonly bytes: number;
}

const LOOK_MS = 1_000;

export class UnreadAnswers {
  readonly #open = new Set<Watched>();
  readonly #timer: NodeJS.Timeout;

  constructor() {
    this.#timer = setInterval(() => this.look(), LOOK_MS);
    this.#timer.unref();
  }

  /** As long as it is open. */
  watch(principal: Principal, res: Response): void {
    const watched: Watched = { principal, res };
    this.#open.add(watched);
    res.once('close', () => this.#open.delete(watched));
  }

  /** Of a caller who leaves too much unread, the longest are cut off. */
  look(): void {
    const byCaller = new Map<string, Unread[]>();
    for (const { principal, res } of this.#open) {
      const bytes = res.writableLength;
      if (bytes === 0) continue;
      const caller = callerOf(principal);
      const all = byCaller.get(caller) ?? [];
      byCaller.set(caller, all);
      all.push({ res, bytes });
    }
    for (const all of byCaller.values()) cutDown(all);
  }

  close(): void {
    clearInterval(this.#timer);
  }
}

function cutDown(all: readonly Unread[]): void {
  let left = all.reduce((sum, { bytes }) => sum + bytes, 0);
  if (left <= limits.mcpUnreadBytesPerCallerMax) return;
  for (const { res, bytes } of all.toSorted((a, b) => b.bytes - a.bytes)) {
    if (left <= limits.mcpUnreadBytesPerCallerMax) return;
    left -= bytes;
    res.destroy();
  }
}
