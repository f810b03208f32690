/**
 * Tokens renewed. A refresh token may be good once (RFC 9700 section 4.14.2), and whoever shows it twice is taken for a
 * thief. So it is put on record before it is used, and by whom; whoever finds that somebody began and did not end, and
 * that the token is still the one it was begun with, does not use it again: a person has to log in. Within a process
 * all who want it wait for the same one.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { isAppError, limits } from '../kernel/index.ts';
import { jsonObject } from './discovery.ts';
import { errorName, loginNeeded, refreshFailed } from './errors.ts';
import type { Grant } from './grant.ts';
import { lost, putToken, settle } from './keep-tokens.ts';
import { randomText } from './pkce.ts';
import type { GrantDeps, GrantServer, OAuthAnswer } from './ports.ts';
import { readTokens, type TokenAnswer } from './token-answer.ts';
import { postForm } from './token-endpoint.ts';

/** Why it is wanted: the token ends soon, or the server does not take it any more. */
export type RenewalReason = 'expiring' | 'refused';

/** Failures of a request of which nothing has left. */
const NOT_SENT: ReadonlySet<string> = new Set([
  'audit_unavailable',
  'egress_connections_limit',
  'egress_credential_unusable',
  'egress_credential_withdrawn',
  'egress_descriptors_limit',
  'egress_host_denied',
  'egress_upstream_address_refused',
  'egress_upstream_tls',
  'egress_upstream_unreachable',
  'egress_upstream_unresolved',
  'egress_upstreams_limit',
  'kill_active',
  'vault_credential_missing',
  'vault_denied',
]);

interface Asked {
  readonly reason: RenewalReason;
  readonly shown: number | null;
  /** Of the refresh token. */
  readonly version: number;
}

type Claim =
  | { readonly kind: 'mine'; readonly grant: Grant }
  | { readonly kind: 'wait' }
  | { readonly kind: 'done' }
  /** The server refuses what is as good as can be: another is no better, and no reason to lose this one. */
  | { readonly kind: 'futile' }
  | { readonly kind: 'lost'; readonly why: string };

export class Renewals {
  readonly #deps: GrantDeps;
  readonly #me: string;
  readonly #running = new Map<string, Promise<void>>();

  constructor(deps: GrantDeps) {
    this.#deps = deps;
    this.#me = randomText(deps.random);
  }

  /**
   * @param shown when the token was given that was refused; null: not known
   * @throws AppError `oauth_login_needed`, `oauth_refresh_failed`
   */
  renew(server: GrantServer, reason: RenewalReason, shown: number | null): Promise<void> {
    const running = this.#running.get(server.id);
    if (running !== undefined) return running;
    const renewal = this.#renew(server, reason, shown).finally(() => this.#running.delete(server.id));
    this.#running.set(server.id, renewal);
    return renewal;
  }

  /** Resolves when none is on its way, however it ended. */
  async idle({ id }: GrantServer): Promise<void> {
    await this.#running.get(id)?.catch(() => undefined);
  }

  async #renew(server: GrantServer, reason: RenewalReason, shown: number | null): Promise<void> {
    for (;;) {
      const claim = await this.#claim(server, reason, shown);
      if (claim.kind === 'done') return;
      if (claim.kind === 'futile')
        throw loginNeeded(server.slug, 'it refuses a token that it was just given');
      if (claim.kind === 'lost') throw await this.#gone(server, claim.why);
      if (claim.kind === 'mine') return this.#exchange(server, claim.grant);
      await sleep(limits.oauthRefreshLookMs);
    }
  }

  async #claim(server: GrantServer, reason: RenewalReason, shown: number | null): Promise<Claim> {
    const { rows, values } = this.#deps;
    const versionNow = async (): Promise<number> =>
      (await values.version(server, 'OAUTH_REFRESH_TOKEN')) ?? 0;
    const version = await versionNow();
    const judged: { claim: Claim } = { claim: { kind: 'done' } };
    await rows.edit(server, (grant) => {
      const claim = this.#judge(grant, { reason, shown, version });
      judged.claim = claim;
      if (claim.kind === 'mine') return claim.grant;
      // One that is no more, or waits for a person, is nothing to lose: its person may be logging in.
      return claim.kind === 'lost' && grant?.state === 'ready' ? lost(grant) : grant;
    });
    const { claim } = judged;
    if (claim.kind !== 'mine') return claim;
    // Somebody may have stored another between the question and the claim; from the claim on nobody does.
    const used = await versionNow();
    if (used !== version)
      await rows.edit(server, (grant) =>
        grant?.refreshing?.by === this.#me
          ? { ...grant, refreshing: { ...grant.refreshing, version: used } }
          : grant,
      );
    return claim;
  }

  #judge(grant: Grant | null, { reason, shown, version }: Asked): Claim {
    const now = this.#deps.clock.now();
    if (grant === null || grant.state !== 'ready')
      return { kind: 'lost', why: 'there is no login that could be renewed' };
    const { refreshing, rotates, refreshedAt } = grant;
    if (refreshing !== null) {
      const age = Math.abs(now - refreshing.at);
      if (refreshing.by !== this.#me && age < limits.oauthRefreshWaitMs) return { kind: 'wait' };
      if (rotates !== false && version <= refreshing.version)
        return { kind: 'lost', why: 'its last renewal did not end, and its token may be used up' };
    } else if (reason === 'expiring') {
      // Some end as soon as they are given: that is no reason to ask for one with each request.
      if (!endsSoon(grant, now) || isFresh(refreshedAt, now)) return { kind: 'done' };
    } else if (shown !== null && shown !== refreshedAt) return { kind: 'done' };
    else if (isFresh(refreshedAt, now)) return { kind: shown === null ? 'done' : 'futile' };
    if (!grant.refreshable || version === 0)
      return { kind: 'lost', why: 'its token has ended, and cannot be renewed' };
    return { kind: 'mine', grant: { ...grant, refreshing: { by: this.#me, at: now, version } } };
  }

  async #exchange(server: GrantServer, grant: Grant): Promise<void> {
    let answer: OAuthAnswer;
    try {
      answer = await postForm(this.#deps.http, server, new URL(grant.tokenEndpoint), {
        client: grant,
        fields: {
          grant_type: 'refresh_token',
          ...(grant.resource === null ? {} : { resource: grant.resource }),
        },
        slots: [{ slot: 'OAUTH_REFRESH_TOKEN', into: { form: 'refresh_token' } }],
      });
    } catch (error) {
      const code = isAppError(error) ? error.code : 'internal_error';
      // What has no second use is not lost by a second try.
      if (!NOT_SENT.has(code) && grant.rotates !== false)
        throw await this.#lose(server, `its last renewal broke off (${code}), and its token may be used up`);
      throw await this.#failed(server, code);
    }
    const document = jsonObject(answer.text);
    const error = document?.['error'];
    if (answer.status >= 500 || answer.status === 429)
      throw await this.#failed(server, `HTTP ${answer.status}`);
    const tokens = answer.status === 200 && document !== null ? readTokens(document) : null;
    if (tokens === null || !tokens.ok) {
      const why = tokens === null ? errorName(typeof error === 'string' ? error : null) : tokens.error;
      throw await this.#lose(server, `it was not renewed (HTTP ${answer.status}, ${why})`);
    }
    await this.#keep(server, grant, tokens.value, answer.placeholders.get('OAUTH_REFRESH_TOKEN') ?? null);
  }

  /** @param repeated what stands in the answer where it repeats the token that it was asked with */
  async #keep(
    server: GrantServer,
    grant: Grant,
    tokens: TokenAnswer,
    repeated: string | null,
  ): Promise<void> {
    const { values, rows, record, clock } = this.#deps;
    // Whoever logged out, or in, since it was begun has the say: what came belongs to a login that is over.
    if (!this.#isMine(await rows.find(server))) throw overtaken(server);
    const isNew = tokens.refreshToken !== null && tokens.refreshToken !== repeated;
    // First what can be had only once.
    if (isNew && tokens.refreshToken !== null)
      await putToken(values, server, 'OAUTH_REFRESH_TOKEN', tokens.refreshToken);
    await putToken(values, server, 'OAUTH_ACCESS_TOKEN', tokens.accessToken);
    const now = clock.now();
    const expiresAt = tokens.expiresIn === null ? null : now + tokens.expiresIn * 1_000;
    const isKept = await settle(this.#deps, server, (stored) => {
      if (!this.#isMine(stored)) return null;
      const granted = tokens.scopes ?? stored.granted;
      return { ...stored, granted, expiresAt, rotates: isNew, refreshedAt: now, refreshing: null };
    });
    if (!isKept) throw overtaken(server);
    await record('grant.refreshed', server, { issuer: grant.issuer, expiresAt, rotated: isNew });
  }

  #isMine(grant: Grant | null): boolean {
    return grant?.refreshing?.by === this.#me;
  }

  /** It can be tried again. */
  async #failed(server: GrantServer, why: string) {
    await this.#deps.rows.edit(server, (stored) =>
      stored?.refreshing?.by === this.#me ? { ...stored, refreshing: null } : stored,
    );
    await this.#refused(server, why);
    return refreshFailed(server.slug, why);
  }

  /** It cannot: what is left of it is thrown away, unless there is another by now. */
  async #lose(server: GrantServer, why: string) {
    let isLost = false;
    await this.#deps.rows.edit(server, (stored) => {
      isLost = stored !== null && this.#isMine(stored);
      return stored === null || !isLost ? stored : lost(stored);
    });
    return isLost ? this.#gone(server, why) : overtaken(server);
  }

  /** What is left of a login that is on record as lost. */
  async #gone(server: GrantServer, why: string) {
    await this.#deps.values.remove(server, 'OAUTH_REFRESH_TOKEN');
    await this.#refused(server, why);
    return loginNeeded(server.slug, why);
  }

  async #refused(server: GrantServer, reason: string): Promise<void> {
    const issuer = (await this.#deps.rows.find(server))?.issuer ?? null;
    this.#deps.log.warn('oauth.not_renewed', { server: server.slug, issuer, reason });
    await this.#deps.record('grant.refused', server, { issuer, reason });
  }
}

const overtaken = ({ slug }: GrantServer) =>
  loginNeeded(slug, 'it was logged out or in while its login was renewed');

export function endsSoon({ expiresAt, refreshedAt }: Grant, now: number): boolean {
  if (expiresAt === null) return false;
  return expiresAt - now <= Math.min(limits.oauthRefreshAheadMs, (expiresAt - refreshedAt) / 2);
}

/** Another process's clock may be ahead. */
const isFresh = (refreshedAt: number, now: number): boolean =>
  Math.abs(now - refreshedAt) < limits.oauthRefreshAgainMs;
