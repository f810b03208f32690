/**
 * Access tokens: made, verified, revoked. The database holds an Argon2id hash of each and the token itself nowhere;
 * it is shown once, by whoever called `create`. Trusts nothing about a presented text before its hash has matched,
 * and does the same work for an unknown one as for a wrong one.
 */
import type { AuditLog } from '../audit/index.ts';
import {
  type AppError,
  type Clock,
  isAppError,
  type Log,
  limits,
  newId,
  type Random,
  type Secret,
  type TokenId,
  type WorkspaceId,
} from '../kernel/index.ts';
import type { Store, TokenRecord } from '../store/index.ts';
import type { Caller } from '../vault/index.ts';
import { AddressTurns } from './address-turns.ts';
import { argon2idHash, type SecretHash } from './argon2id.ts';
import { failureLimit, keyOf } from './failure-limit.ts';
import {
  tokenDenied,
  tokenInvalid,
  tokenNotFound,
  tokenRateLimited,
  type TokenRefusal,
  tokenRefused,
} from './token-error.ts';
import { formatToken, newTokenSecret, type ParsedToken, parseToken } from './token-format.ts';
import { type Principal, principalOf } from './principal.ts';
import { digestOf, VerifiedTokens } from './verified-tokens.ts';

/** What may be known of a token: neither its text nor its hash. */
export type TokenInfo = Omit<TokenRecord, 'workspace' | 'hash'>;

export interface NewToken {
  readonly profile: string;
  readonly agent: string;
  /** Milliseconds since the Unix epoch; absent: until it is revoked. */
  readonly expiresAt?: number;
}

export interface CreatedToken {
  readonly id: TokenId;
  /** The only time that anybody sees it. */
  readonly token: Secret;
}

export interface Tokens {
  /** @throws AppError `token_denied`, `token_invalid`, `audit_unavailable` */
  create(caller: Caller, options: NewToken): Promise<CreatedToken>;
  /** Who presents this, where it was verified before and nothing has changed since; null: `verify` says. */
  known(presented: string): Principal | null;
  /**
   * Who presents this.
   * @param remoteAddress for the limit on failures
   * @throws AppError `token_malformed`, `token_unknown`, `token_revoked`, `token_expired`, which read the same
   *   outside; `token_rate_limited`
   */
  verify(presented: string, remoteAddress: string): Promise<Principal>;
  /** Newest first. */
  list(workspace: WorkspaceId): Promise<readonly TokenInfo[]>;
  /** Holds from the next request on. Revoking twice is no error. @throws AppError `token_denied`, `token_not_found`, `audit_unavailable` */
  revoke(caller: Caller, id: string): Promise<void>;
  /** A new token in place of one that is valid, which is revoked at once. @throws as `create` and `revoke`, `token_invalid` */
  rotate(caller: Caller, id: string): Promise<CreatedToken>;
  /** Told after a token was revoked by this process. Returns the way to stop listening. */
  onRevoke(listener: (id: TokenId) => void): () => void;
}

export interface TokensDeps {
  readonly store: Store;
  readonly audit: Pick<AuditLog, 'append'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Default Argon2id. */
  readonly hash?: SecretHash;
}

export const createTokens = (deps: TokensDeps): Tokens => new StoredTokens(deps);

/** The workspace that every installation has: where a refusal is recorded that belongs to none. */
const DEFAULT_WORKSPACE = 'default';

class StoredTokens implements Tokens {
  readonly #deps: TokensDeps;
  readonly #hash: SecretHash;
  readonly #verified: VerifiedTokens;
  readonly #limit;
  readonly #turns = new AddressTurns({
    insideMax: limits.tokenHashesAtOnceMax,
    waitingMax: limits.tokenHashesWaitingMax,
  });
  readonly #listeners = new Set<(id: TokenId) => void>();
  /** Verifications under way: a client that opens ten connections at once costs one hash. */
  readonly #running = new Map<string, Promise<TokenRecord>>();

  constructor(deps: TokensDeps) {
    this.#deps = deps;
    this.#hash = deps.hash ?? argon2idHash(deps.random);
    this.#verified = new VerifiedTokens(deps.store);
    this.#limit = failureLimit(deps.clock);
  }

  async create(caller: Caller, options: NewToken): Promise<CreatedToken> {
    this.#allow(caller);
    const { record, created } = await this.#make(caller.workspace, options);
    await this.#recordCreated(caller, record);
    await this.#deps.store.tokens.insert(caller.workspace, record);
    return created;
  }

  known(presented: string): Principal | null {
    const digest = digestOf(presented);
    const found = this.#verified.unchanged(digest);
    if (found === null) return null;
    const { record, principal } = found;
    const now = this.#deps.clock.now();
    if (record.revokedAt !== null || (record.expiresAt !== null && record.expiresAt <= now)) return null;
    if (this.#verified.used(digest, now)) this.#recordUse(record, now);
    return principal;
  }

  async verify(presented: string, remoteAddress: string): Promise<Principal> {
    const digest = digestOf(presented);
    const record =
      (await this.#verified.find(digest)) ?? (await this.#shown(presented, digest, remoteAddress));
    const now = this.#deps.clock.now();
    if (record.revokedAt !== null) return this.#refuse('token_revoked', record, remoteAddress);
    if (record.expiresAt !== null && record.expiresAt <= now) {
      return this.#refuse('token_expired', record, remoteAddress);
    }
    if (this.#verified.used(digest, now)) this.#recordUse(record, now);
    return principalOf(record);
  }

  async list(workspace: WorkspaceId): Promise<readonly TokenInfo[]> {
    const records = await this.#deps.store.tokens.list(workspace);
    return records.map(({ workspace: _workspace, hash: _hash, ...info }) => info);
  }

  async revoke(caller: Caller, id: string): Promise<void> {
    this.#allow(caller);
    const record = await this.#find(caller.workspace, id);
    await this.#recordRevoked(caller, record);
    await this.#deps.store.tokens.revoke(caller.workspace, record.id, this.#deps.clock.now());
    this.#revoked(caller.workspace, record.id);
  }

  async rotate(caller: Caller, id: string): Promise<CreatedToken> {
    this.#allow(caller);
    const old = await this.#find(caller.workspace, id);
    if (old.revokedAt !== null) throw tokenInvalid('A revoked token cannot be rotated. Create a new one.');
    const { profile, agent, expiresAt } = old;
    const { record, created } = await this.#make(caller.workspace, {
      profile,
      agent,
      ...(expiresAt === null ? {} : { expiresAt }),
    });
    await this.#recordCreated(caller, record);
    await this.#recordRevoked(caller, old);
    await this.#deps.store.transaction(async ({ tokens }) => {
      await tokens.insert(caller.workspace, record);
      await tokens.revoke(caller.workspace, old.id, this.#deps.clock.now());
    });
    this.#revoked(caller.workspace, old.id);
    return created;
  }

  onRevoke(listener: (id: TokenId) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #revoked(workspace: WorkspaceId, id: TokenId): void {
    this.#verified.drop(workspace, id);
    for (const listener of this.#listeners) listener(id);
  }

  /** What is not a person or the gateway itself has no business here. */
  #allow({ actor }: Caller): void {
    if (actor.kind !== 'system' && actor.kind !== 'local' && actor.kind !== 'user') throw tokenDenied();
  }

  async #find(workspace: WorkspaceId, id: string): Promise<TokenRecord> {
    // An id of any other shape is simply not found.
    const record = await this.#deps.store.tokens.find(workspace, id as TokenId);
    if (record === null) throw tokenNotFound();
    return record;
  }

  async #make(
    workspace: WorkspaceId,
    { profile, agent, expiresAt }: NewToken,
  ): Promise<{ record: TokenRecord; created: CreatedToken }> {
    const createdAt = this.#deps.clock.now();
    if (expiresAt !== undefined && !Number.isSafeInteger(expiresAt))
      throw tokenInvalid('The time of expiry is not a whole number of milliseconds.');
    if (expiresAt !== undefined && expiresAt <= createdAt)
      throw tokenInvalid('The token would have expired already.');
    if (agent.length === 0 || agent.length > limits.agentNameCharsMax || /\p{C}/u.test(agent)) {
      throw tokenInvalid(`The name of an agent has 1 to ${limits.agentNameCharsMax} printable characters.`);
    }
    const id = newId<'token'>('tok', this.#deps.random);
    const secret = newTokenSecret(this.#deps.random);
    const hash = await this.#hash.make(secret);
    const token = formatToken(id, secret);
    secret.destroy();
    const times = { createdAt, expiresAt: expiresAt ?? null, revokedAt: null, lastUsedAt: null };
    return {
      record: { workspace, id, profile, agent, hash, ...times },
      created: { id, token },
    };
  }

  /** The same for a text that was not verified before. @throws AppError `token_malformed`, and as `#proved` */
  async #shown(presented: string, digest: string, remoteAddress: string): Promise<TokenRecord> {
    const parsed = parseToken(presented);
    if (!parsed.ok) return this.#refuse('token_malformed', null, remoteAddress);
    return this.#proved(parsed.value, digest, remoteAddress);
  }

  /** The row of a token whose secret has been shown to match. @throws AppError `token_unknown`, `token_rate_limited` */
  async #proved(token: ParsedToken, digest: string, remoteAddress: string): Promise<TokenRecord> {
    if (!this.#limit.admits(remoteAddress)) throw tokenRateLimited();
    const running = this.#running.get(digest);
    if (running !== undefined) return running;
    const proof = this.#prove(token, digest, remoteAddress).finally(() => this.#running.delete(digest));
    this.#running.set(digest, proof);
    return proof;
  }

  async #prove({ id, secret }: ParsedToken, digest: string, remoteAddress: string): Promise<TokenRecord> {
    const { store } = this.#deps;
    const revision = store.revision();
    const record = await store.tokens.findPresented(id);
    // Without a row there is nothing to compare with, and the same work is done.
    const matches = await this.#turns.pass(keyOf(remoteAddress), async () => {
      // Asked again: others of this address may have used up its tries while this one waited.
      if (!this.#limit.admits(remoteAddress)) throw tokenRateLimited();
      return this.#hash.matches(secret, record?.hash ?? '');
    });
    if (matches === undefined) throw tokenRateLimited();
    if (record === null || !matches) return this.#refuse('token_unknown', record, remoteAddress);
    this.#verified.add(digest, record, revision);
    // Read again if something has changed while the hash was computed: it may have been revoked.
    return (await this.#verified.find(digest)) ?? record;
  }

  /** Counts and records a refusal, as long as the address has tries left. */
  async #refuse(code: TokenRefusal, record: TokenRecord | null, remoteAddress: string): Promise<never> {
    if (!this.#limit.admits(remoteAddress)) throw tokenRateLimited();
    this.#limit.failed(remoteAddress);
    await this.#recordRefusal(code, record, remoteAddress);
    throw tokenRefused(code);
  }

  async #recordRefusal(
    reason: TokenRefusal,
    record: TokenRecord | null,
    remoteAddress: string,
  ): Promise<void> {
    const { audit, log, store } = this.#deps;
    const workspace = record?.workspace ?? (await store.workspaces.findByName(DEFAULT_WORKSPACE))?.id;
    const data = { reason, remoteAddress, token: record?.id ?? null, agent: record?.agent ?? null };
    log.warn('token.refused', data);
    if (workspace === undefined) return;
    try {
      await audit.append({
        workspace,
        type: 'token.refused',
        actor: { kind: 'system', id: 'gateway' },
        data,
      });
    } catch (error) {
      // The refusal holds whether or not it can be recorded.
      log.error('token.refusal_not_audited', { reason: codeOf(error) });
    }
  }

  async #recordCreated(caller: Caller, { id, profile, agent, expiresAt }: TokenRecord): Promise<void> {
    const { workspace, actor } = caller;
    const data = { token: id, profile, agent, expiresAt };
    await this.#deps.audit.append({ workspace, type: 'token.created', actor, data });
  }

  async #recordRevoked(caller: Caller, { id, profile, agent }: TokenRecord): Promise<void> {
    const { workspace, actor } = caller;
    await this.#deps.audit.append({
      workspace,
      type: 'token.revoked',
      actor,
      data: { token: id, profile, agent },
    });
  }

  /** For display: nobody waits for it. */
  #recordUse({ workspace, id }: TokenRecord, now: number): void {
    this.#deps.store.tokens.touch(workspace, id, now).catch((error: unknown) => {
      this.#deps.log.warn('token.last_use_not_recorded', { token: id, reason: codeOf(error) });
    });
  }
}

const codeOf = (error: unknown): AppError['code'] => (isAppError(error) ? error.code : 'internal_error');
