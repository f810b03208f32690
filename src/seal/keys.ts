/**
 * Keys as the rest of the product sees them: an identifier that may be shown, and bytes that may not.
 * Three levels: a value is sealed under a data key of its own, the data key is wrapped by the tenant key of
 * its workspace, and the tenant key by the master key, which comes from a `KeyProvider`.
 */
import type { Secret } from '../kernel/index.ts';

/** A 256-bit key and the name that an envelope's header knows it by. */
export interface SealingKey {
  /**
   * 1 to 32 characters of `[a-z0-9-]`: `mk-` and a fingerprint for a master key, `tk-` and the version within
   * (workspace, purpose) for a tenant key, `dk-` and the row's version for a data key. Not a secret.
   */
  readonly id: string;
  /** 32 bytes. */
  readonly secret: Secret;
}

/** Where `open` finds the key that an envelope names. A `Map` is one. */
export interface KeyLookup {
  get(id: string): SealingKey | undefined;
}

/** A master key without its bytes. */
export interface MasterKeyInfo {
  readonly id: string;
  /** Milliseconds since the Unix epoch; 0 where the provider does not know (a key from the environment). */
  readonly createdAt: number;
  /** The one key that wraps from now on. */
  readonly current: boolean;
}

/**
 * Source of the master keys. Exactly one key is current; older ones stay until nothing is wrapped by them.
 * The keys that it hands out stay the provider's: use them before the next `await`, and never destroy them.
 */
export interface KeyProvider {
  /** `file` or `env`; `aws-kms` and others in time. */
  readonly kind: string;
  /** As the source has it now. @throws AppError `seal_master_key_missing`, `seal_master_key_wrong`, `seal_master_key_file_*` */
  current(): Promise<SealingKey>;
  /** Looks again at the source before it gives up on an id. @throws AppError `seal_key_unknown`, and as `current` */
  byId(id: string): Promise<SealingKey>;
  /** Every key, oldest first. */
  all(): Promise<readonly MasterKeyInfo[]>;
  /**
   * Runs `work`, which wraps something by the current key and stores it. No process adds or retires a key
   * meanwhile, so that what was wrapped is never left without its key. Not re-entrant.
   */
  withCurrent<T>(work: (current: SealingKey) => Promise<T>): Promise<T>;
  /** Adds a new current key and keeps the old ones. @throws AppError `seal_master_key_readonly` */
  rotate(): Promise<SealingKey>;
  /**
   * Removes an old key for good if `unused` says so, asked while nothing can be wrapped by any key.
   * The current key stays, and so does one that is not the provider's to remove.
   *
   * @returns whether the key is gone
   */
  retire(id: string, unused: () => Promise<boolean>): Promise<boolean>;
}
