/**
 * Room for what callers are about to say: bytes of bodies that are not whole yet. A body may come as slowly as its client
 * likes, on as many connections as it can open, and before its end it is no request that counts as one in flight.
 */
import { AppError, limits } from '../../kernel/index.ts';
import { callerOf } from '../client/caller.ts';
import type { Principal } from '../ports/callers.ts';

export class BodyRoom {
  readonly #bytes = new Map<string, number>();

  /** For one body. */
  share(principal: Principal): BodyShare {
    return new BodyShare(this.#bytes, principal);
  }
}

export class BodyShare {
  readonly #all: Map<string, number>;
  readonly #principal: Principal;
  #caller = '';
  #own = 0;

  constructor(all: Map<string, number>, principal: Principal) {
    this.#all = all;
    this.#principal = principal;
  }

  /** More of it has come. @throws AppError `mcp_bodies_too_large` */
  take(bytes: number): void {
    if (this.#caller === '') this.#caller = callerOf(this.#principal);
    const taken = (this.#all.get(this.#caller) ?? 0) + bytes;
    if (taken > limits.mcpBodyBytesPerCallerMax) throw tooMuch();
    this.#all.set(this.#caller, taken);
    this.#own += bytes;
  }

  /** It is whole, or nobody waits for it any more. */
  end(): void {
    if (this.#own === 0) return;
    const left = (this.#all.get(this.#caller) ?? 0) - this.#own;
    this.#own = 0;
    if (left > 0) this.#all.set(this.#caller, left);
    else this.#all.delete(this.#caller);
  }
}

const tooMuch = (): AppError =>
  new AppError('mcp_bodies_too_large', 'This caller is sending too much at the same time.', {
    kind: 'limited',
    hint: `Bodies that are on their way may have ${limits.mcpBodyBytesPerCallerMax / limits.MIB} MiB together: send what is large one after the other.`,
  });

export const incomplete = (): AppError =>
  new AppError('mcp_body_incomplete', 'The connection ended before the body was there.', { kind: 'invalid' });
