/**
 * Callers that were let in and are still here: as soon as one of them may not go on, because its token was revoked or
 * has expired, its profile was deleted or takes no more tokens in addresses, everything of it that is under way ends. New requests are refused at the door.
 */
import { AppError, type Clock, limits, type Log } from '../../kernel/index.ts';
import type { Principal, Standing } from '../ports/callers.ts';

export interface StandingsDeps {
  readonly standing: Standing;
  readonly clock: Clock;
  readonly log: Log;
}

type End = (error: AppError) => void;

interface Caller {
  readonly principal: Principal;
  /** None: it is remembered that it was good, until anything changes. */
  readonly ends: Set<End>;
  timer: NodeJS.Timeout | null;
}

/** Longest time that a timer of Node can wait, in milliseconds. */
const TIMER_MS_MAX = 2 ** 31 - 1;

const keyOf = ({ workspace, actor, tokenInUrl }: Principal): string =>
  JSON.stringify([workspace, actor.kind, actor.id, tokenInUrl === true]);

export class Standings {
  readonly #deps: StandingsDeps;
  readonly #callers = new Map<string, Caller>();
  readonly #stopListening: () => void;

  constructor(deps: StandingsDeps) {
    this.#deps = deps;
    this.#stopListening = deps.standing.onChange(() => {
      for (const caller of this.#callers.values()) {
        if (caller.ends.size === 0) this.#forget(caller);
        else void this.#look(caller);
      }
    });
  }

  /**
   * Calls `end` once this caller may not go on, also where that has happened since it was let in.
   *
   * @returns stops watching
   */
  watch(principal: Principal, end: End): () => void {
    // Whoever can open the local socket is the operator, for as long as it likes.
    if (principal.actor.kind === 'local') return () => undefined;
    const key = keyOf(principal);
    let caller = this.#callers.get(key);
    if (caller === undefined) {
      caller = { principal, ends: new Set(), timer: null };
      this.#callers.set(key, caller);
      void this.#look(caller);
    }
    const watched = caller;
    watched.ends.add(end);
    return () => {
      watched.ends.delete(end);
      // One without a session comes again at once.
      if (watched.ends.size === 0 && this.#callers.size > limits.mcpCallersRememberedMax)
        this.#forget(watched);
    };
  }

  close(): void {
    this.#stopListening();
    for (const caller of this.#callers.values()) this.#forget(caller);
  }

  async #look(caller: Caller): Promise<void> {
    const { standing, clock, log } = this.#deps;
    let until: number | null = null;
    try {
      until = await standing.until(caller.principal);
    } catch (error) {
      // Whoever cannot be shown to be good is not.
      log.error('mcp.standing.unknown', { actor: caller.principal.actor.id, error: String(error) });
    }
    if (caller.timer !== null) clearTimeout(caller.timer);
    caller.timer = null;
    const left = until === null ? 0 : until - clock.now();
    if (left > 0) {
      if (left === Infinity || this.#callers.get(keyOf(caller.principal)) !== caller) return;
      caller.timer = setTimeout(() => void this.#look(caller), Math.min(left, TIMER_MS_MAX));
      caller.timer.unref();
      return;
    }
    this.#forget(caller);
    if (caller.ends.size === 0) return;
    log.info('mcp.caller.ended', { actor: caller.principal.actor.id, agent: caller.principal.agent });
    for (const end of caller.ends) end(notAnyMore());
  }

  #forget(caller: Caller): void {
    if (caller.timer !== null) clearTimeout(caller.timer);
    const key = keyOf(caller.principal);
    if (this.#callers.get(key) === caller) this.#callers.delete(key);
  }
}

const notAnyMore = (): AppError =>
  new AppError('token_ended', 'The token of this client is not valid any more.', {
    kind: 'unauthenticated',
    hint: 'Connect again with one that is; make it with: sallyport token create',
  });
