/**
 * Requests in reach of the kill switch: each is looked at before it goes, and what is under way when a switch is set is
 * looked at again, and ended where the switch covers it.
 */
import { AppError } from '../../kernel/index.ts';
import type { Target } from './forwarded.ts';
import { type Named, refusedThing } from './named.ts';
import type { CallAudit, CallRefusal } from '../ports/call-audit.ts';
import type { Principal } from '../ports/callers.ts';
import type { KillSwitch } from '../ports/governance.ts';
import type { RequestControl } from '../client/request-control.ts';
import { isLater, type Soon } from '../soon.ts';
import type { Terms } from './terms.ts';

export interface KillReachDeps {
  readonly kills: KillSwitch;
  readonly audit: Pick<CallAudit, 'refused'>;
}

/** A request that is under way. */
export interface Active {
  readonly target: Target;
  readonly control: RequestControl;
}

export class KillReach {
  readonly #deps: KillReachDeps;
  readonly #terms: Pick<Terms, 'mayGo' | 'callerMayGo'>;
  readonly #active = new Set<Active>();
  readonly #stopListening: () => void;
  #seen = 0;

  constructor(deps: KillReachDeps, terms: Pick<Terms, 'mayGo' | 'callerMayGo'>) {
    this.#deps = deps;
    this.#terms = terms;
    this.#stopListening = deps.kills.onKill(() => this.#recheck());
  }

  /** How many switches were set since the start. */
  get seen(): number {
    return this.#seen;
  }

  close(): void {
    this.#stopListening();
  }

  /** From now until it leaves; where this throws, it never came in. */
  enter(target: Target, control: RequestControl): Active {
    // From here on it is found when a switch is set; one may have been since it was looked at.
    const allowed = this.#seen === 0 ? undefined : this.#terms.mayGo(target);
    const active = { target, control };
    this.#active.add(active);
    if (isLater(allowed)) endOnRefusal(allowed, control);
    return active;
  }

  leave(active: Active): void {
    this.#active.delete(active);
  }

  /**
   * @param about what is asked for, so that its refusal is on record; null: nothing that is recorded
   * @throws AppError `kill_active`, as a rejection
   */
  check(target: Target, about: Named | null): Soon<void> {
    const allowed = this.#terms.mayGo(target);
    if (!isLater(allowed)) return undefined;
    const { principal, profile, server } = target;
    return this.#recorded({ principal, profile, server: server.slug }, about, allowed);
  }

  /** The same of a caller, before it is known which server its request is for. */
  checkCaller(principal: Principal, profile: string | null, about: Named | null): Soon<void> {
    const allowed = this.#terms.callerMayGo(principal);
    return isLater(allowed)
      ? this.#recorded({ principal, profile, server: null }, about, allowed)
      : undefined;
  }

  async #recorded(
    whose: Pick<CallRefusal, 'principal' | 'profile' | 'server'>,
    about: Named | null,
    allowed: Promise<void>,
  ): Promise<void> {
    try {
      await allowed;
    } catch (error) {
      if (about !== null && error instanceof AppError)
        await this.#deps.audit.refused({ ...whose, ...refusedThing(about), code: error.code });
      throw error;
    }
  }

  /** A switch was set: what it covers and is under way ends now. */
  #recheck(): void {
    this.#seen += 1;
    for (const { target, control } of this.#active)
      endOnRefusal(this.#deps.kills.check(target.principal, target.server.slug), control);
  }
}

function endOnRefusal(allowed: Promise<void>, control: RequestControl): void {
  allowed.catch((error: unknown) => {
    control.cancel(error instanceof AppError ? error : unknown(error));
  });
}

/** What nobody can look at does not go on. */
const unknown = (cause: unknown): AppError =>
  new AppError('kill_unknown', 'Whether a kill switch is set could not be found out.', {
    kind: 'unavailable',
    cause,
  });
