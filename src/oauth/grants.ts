/**
 * Logins to remote servers: had by a person, kept in the vault, renewed in time, given back. It trusts neither the servers
 * nor their authorization servers, and it never holds a stored value: new ones are sealed at once, and old ones put into
 * requests below it.
 */
import { limits, type ServerId } from '../kernel/index.ts';
import { type Challenge, parseChallenge } from './challenge.ts';
import { loginNeeded, scopeNeeded, scopeRefused } from './errors.ts';
import type { Grant } from './grant.ts';
import { type LoginBegun, Logins, type LoginWanted } from './login.ts';
import { GRANT_SLOTS, type GrantDeps, type GrantServer } from './ports.ts';
import { endsSoon, Renewals } from './renewal.ts';
import { beyond, unionOf } from './scopes.ts';
import { postForm } from './token-endpoint.ts';

/** How a server refused what it was shown. */
export interface LoginRefusal {
  readonly status: 401 | 403;
  /** As it came. */
  readonly wwwAuthenticate: string | null;
  /** What `ensure` gave before the request; null also where that is not known. */
  readonly shown: number | null;
}

export interface Grants {
  /**
   * A person wants to log in.
   *
   * @throws AppError `oauth_*`, `egress_*`, `audit_unavailable`
   */
  begin(server: GrantServer, wanted: LoginWanted): Promise<LoginBegun>;
  /**
   * What came back through the person's browser.
   *
   * @throws AppError `oauth_state_unknown`, `oauth_issuer_mismatch`, `oauth_denied`, `oauth_token_refused`, …
   */
  finish(query: URLSearchParams): Promise<{ readonly server: GrantServer; readonly grant: Grant }>;
  /** What is known of a login; null: there is none. */
  show(server: GrantServer): Promise<Grant | null>;
  /**
   * Before each request: a token that ends soon is renewed first.
   *
   * @returns when the token was given that the request will have; null: it has none
   * @throws AppError `oauth_login_needed`; `oauth_refresh_failed` where the one that is there has ended
   */
  ensure(server: GrantServer): Promise<number | null>;
  /**
   * The server wants another login than the request had.
   *
   * @returns whether it is worth asking once more: there is another token by now; false where it is no matter of logins
   * @throws AppError `oauth_login_needed`, `oauth_scope_needed`, `oauth_scope_refused`, `oauth_refresh_failed`
   */
  challenged(server: GrantServer, refusal: LoginRefusal): Promise<boolean>;
  /** Gives the login back and forgets it. @returns whether there was one */
  forget(server: GrantServer): Promise<boolean>;
}

export const createGrants = (deps: GrantDeps): Grants => new StoredGrants(deps);

class StoredGrants implements Grants {
  readonly #deps: GrantDeps;
  readonly #logins: Logins;
  readonly #renewals: Renewals;
  /** What servers said last when they refused a request, the latest last. */
  readonly #challenges = new Map<ServerId, Challenge>();

  constructor(deps: GrantDeps) {
    this.#deps = deps;
    this.#renewals = new Renewals(deps);
    this.#logins = new Logins(deps, (server) => this.#renewals.idle(server));
  }

  begin(server: GrantServer, wanted: LoginWanted): Promise<LoginBegun> {
    return this.#logins.begin(server, wanted, this.#challenges.get(server.id) ?? null);
  }

  async finish(query: URLSearchParams): Promise<{ readonly server: GrantServer; readonly grant: Grant }> {
    const done = await this.#logins.finish(query);
    this.#challenges.delete(done.server.id);
    return done;
  }

  show(server: GrantServer): Promise<Grant | null> {
    return this.#deps.rows.find(server);
  }

  async ensure(server: GrantServer): Promise<number | null> {
    const grant = await this.#deps.rows.find(server);
    if (grant === null) return null;
    if (grant.state === 'login_needed') throw loginNeeded(server.slug, 'the last one has ended');
    const now = this.#deps.clock.now();
    if (!grant.refreshable || !endsSoon(grant, now)) return grant.refreshedAt;
    try {
      await this.#renewals.renew(server, 'expiring', null);
      return (await this.#deps.rows.find(server))?.refreshedAt ?? null;
    } catch (error) {
      const isOver = (grant.expiresAt ?? 0) <= now || (await this.#isLost(server));
      if (isOver) throw error;
      return grant.refreshedAt;
    }
  }

  async challenged(server: GrantServer, { status, wwwAuthenticate, shown }: LoginRefusal): Promise<boolean> {
    const challenge = parseChallenge(wwwAuthenticate);
    const grant = await this.#deps.rows.find(server);
    if (challenge !== null) this.#remember(server, challenge);
    if (status === 403) {
      if (grant === null || challenge?.error !== 'insufficient_scope') return false;
      throw await this.#stepUp(server, challenge);
    }
    if (grant === null) {
      if (challenge === null) return false;
      throw loginNeeded(server.slug, 'nobody has logged in yet');
    }
    if (grant.state === 'login_needed') throw loginNeeded(server.slug, 'the last one has ended');
    await this.#renewals.renew(server, 'refused', shown);
    return true;
  }

  async forget(server: GrantServer): Promise<boolean> {
    const { rows, values, record } = this.#deps;
    const grant = await rows.find(server);
    if (grant !== null && grant.state === 'ready') await this.#revoke(server, grant);
    for (const slot of GRANT_SLOTS) await values.remove(server, slot);
    await rows.edit(server, () => null);
    this.#challenges.delete(server.id);
    if (grant !== null) await record('grant.removed', server, { issuer: grant.issuer });
    return grant !== null;
  }

  async #isLost(server: GrantServer): Promise<boolean> {
    return (await this.#deps.rows.find(server))?.state !== 'ready';
  }

  #remember({ id }: GrantServer, challenge: Challenge): void {
    this.#challenges.delete(id);
    for (const oldest of this.#challenges.keys())
      if (this.#challenges.size >= limits.oauthChallengesMax) this.#challenges.delete(oldest);
    this.#challenges.set(id, challenge);
  }

  /** What the server wants besides is asked for at the next login: all of it together, so that nothing is lost. */
  async #stepUp(server: GrantServer, { scopes }: Challenge) {
    const { rows, clock } = this.#deps;
    const now = clock.now();
    let outcome = scopeRefused(server.slug, 'does not say what');
    await rows.edit(server, (grant) => {
      if (grant === null || scopes.length === 0) return grant;
      if (beyond(grant.asked, scopes).length === 0) {
        outcome = scopeRefused(server.slug, 'that was asked for already');
        return grant;
      }
      const wanted = unionOf(grant.wanted, scopes);
      outcome = scopeNeeded(server.slug, wanted);
      if (beyond(grant.wanted, scopes).length === 0) return grant;
      const stepUps = now - grant.steppedUpAt < limits.oauthStepUpsMs ? grant.stepUps : 0;
      if (stepUps >= limits.oauthStepUpsMax) {
        outcome = scopeRefused(server.slug, 'has done so too often');
        return grant;
      }
      return { ...grant, wanted, stepUps: stepUps + 1, steppedUpAt: now };
    });
    return outcome;
  }

  /** RFC 7009. What does not come of it is no reason to keep the login. */
  async #revoke(server: GrantServer, grant: Grant): Promise<void> {
    if (grant.revocationEndpoint === null) return;
    const slot = grant.refreshable ? 'OAUTH_REFRESH_TOKEN' : 'OAUTH_ACCESS_TOKEN';
    const hint = grant.refreshable ? 'refresh_token' : 'access_token';
    try {
      await postForm(this.#deps.http, server, new URL(grant.revocationEndpoint), {
        client: grant,
        fields: { token_type_hint: hint },
        slots: [{ slot, into: { form: 'token' } }],
      });
    } catch (error) {
      this.#deps.log.warn('oauth.not_revoked', { server: server.slug, error: String(error) });
    }
  }
}
