/**
 * Logins that wait for their person. Each is known by its `state`, which nobody but the person's browser and the
 * authorization server has seen, and is good once: whatever comes of it, the next answer with the same is nobody's.
 */
import { type Clock, limits } from '../kernel/index.ts';
import type { Discovered } from './discovery.ts';
import type { GrantServer } from './ports.ts';
import type { Client } from './registration.ts';

export interface PendingLogin {
  readonly server: GrantServer;
  readonly discovered: Discovered;
  readonly client: Client;
  readonly redirectUri: string;
  readonly scopes: readonly string[];
  /** The proof key: whoever has it can redeem the code. Never stored. */
  readonly verifier: string;
}

export class PendingLogins {
  readonly #clock: Clock;
  readonly #byState = new Map<string, PendingLogin & { readonly until: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(state: string, login: PendingLogin): void {
    const now = this.#clock.monotonic();
    for (const [other, { until }] of this.#byState)
      if (until <= now || this.#byState.size >= limits.oauthLoginsMax) this.#drop(other);
    this.#byState.set(state, { ...login, until: now + limits.oauthLoginMs });
  }

  /** Null where none waits for it. Its client's secret is the caller's from then on. */
  take(state: string): PendingLogin | null {
    const login = this.#byState.get(state);
    if (login === undefined) return null;
    this.#byState.delete(state);
    if (login.until > this.#clock.monotonic()) return login;
    login.client.secret?.destroy();
    return null;
  }

  #drop(state: string): void {
    this.#byState.get(state)?.client.secret?.destroy();
    this.#byState.delete(state);
  }
}
