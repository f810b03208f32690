/** The vault as its callers see it. */
import type { Actor } from '../audit/index.ts';
import type { JsonObject, Secret, ServerId, WorkspaceId } from '../kernel/index.ts';
import type { MasterKeyStatus, RotationReport } from '../seal/index.ts';

/** Who asks, as decided by the gateway and never by the asker. */
export interface Caller {
  readonly workspace: WorkspaceId;
  readonly actor: Actor;
}

/** One slot of a server. */
export interface CredentialRef {
  readonly server: ServerId;
  /** The server's slug: what the audit, the kill switch and error messages call it. Checked against the store. */
  readonly serverSlug: string;
  readonly name: string;
  /** The user whose value it is; null for the one that the workspace shares. */
  readonly owner: string | null;
}

/** What a value is wanted for. Becomes part of the audit event. */
export interface Purpose {
  /**
   * `inject`: into a request that leaves. `scrub`: to look for it in what comes back. `entrust`: into a cell. `deliver`: for
   * what the gateway itself tells its receivers, or hears from them.
   */
  readonly kind: 'inject' | 'scrub' | 'entrust' | 'deliver';
  readonly data: JsonObject;
}

/** What may be known of a stored value: neither the value, nor its length, nor a part of it. */
export interface CredentialInfo {
  readonly name: string;
  readonly owner: string | null;
  readonly version: number;
  /** Milliseconds since the Unix epoch. */
  readonly updatedAt: number;
  readonly updatedBy: string;
}

export interface Vault {
  /**
   * The only way to a plaintext: authorize, then record the use, then open. With an owner, that user's own value
   * wins over the shared one. The caller owns the result and destroys it after use.
   *
   * @throws AppError `kill_active`, `vault_denied`, `vault_credential_missing`, `audit_unavailable`,
   *   `vault_rolled_back`, `seal_tampered` and the other `seal_*`
   */
  use(caller: Caller, ref: CredentialRef, purpose: Purpose): Promise<Secret>;
  /**
   * Stores a new value, durable and audited on return. `value` stays the caller's.
   * @throws AppError `vault_denied`, `vault_slot_invalid`, `vault_value_invalid`, `vault_full`, `audit_unavailable`, `store_conflict`
   */
  put(caller: Caller, ref: CredentialRef, value: Secret): Promise<CredentialInfo>;
  /** Deletes exactly this owner's value. @throws AppError `vault_denied`, `vault_credential_missing`, `audit_unavailable` */
  remove(caller: Caller, ref: CredentialRef): Promise<void>;
  /** What is set for a server, as far as the caller may know of it. @throws AppError `vault_denied` */
  list(
    caller: Caller,
    server: { readonly id: ServerId; readonly slug: string },
  ): Promise<readonly CredentialInfo[]>;
  /** New master key, everything re-wrapped, old keys retired; finishes an interrupted one. @throws as `put`, and `seal_*` */
  rotateMasterKey(caller: Caller): Promise<RotationReport>;
  keyStatus(caller: Caller): Promise<MasterKeyStatus>;
  /** Forgets every opened value. It can still be used: it opens them anew. */
  clear(): void;
  /** Told after a value was set or deleted by this process. Returns the way to stop listening. */
  onChange(listener: (ref: CredentialRef) => void): () => void;
}
