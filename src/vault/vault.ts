/**
 * The choke point. Nothing else in the product opens a stored credential, and this does so in one order only:
 * authorize, append to the audit log, open. Whatever fails before the opening leaves it undone. It trusts the
 * audit log to have recorded what it says it has, and nothing that the database returns.
 */
import type { AuditLog } from '../audit/index.ts';
import {
  type AppError,
  type Clock,
  isAppError,
  type Log,
  type Random,
  type Secret,
  type ServerId,
  type WorkspaceId,
} from '../kernel/index.ts';
import {
  type KeyProvider,
  type KeyRing,
  type MasterKeyStatus,
  masterKeyStatus,
  type RotationReport,
  rotateMasterKey,
  type Suite,
} from '../seal/index.ts';
import type { CredentialRecord, Store } from '../store/index.ts';
import { type Deed, mayDo } from './authority.ts';
import { CredentialChanges } from './credential-changes.ts';
import { type CredentialIndex, CredentialIndexes, entryOf, type IndexEntry } from './credential-index.ts';
import { Gate, type GateSubject } from './gate.ts';
import type { KillState } from './kill-state.ts';
import { OpenedValues } from './opened-values.ts';
import { credentialContext } from './row-context.ts';
import type { Caller, CredentialInfo, CredentialRef, Purpose, Vault } from './types.ts';
import { credentialMissing, foreignRow, rolledBack } from './vault-error.ts';

export interface VaultDeps {
  readonly store: Store;
  readonly audit: Pick<AuditLog, 'append' | 'record'>;
  readonly ring: KeyRing;
  /** The one that the ring was made with. */
  readonly provider: KeyProvider;
  readonly kills: KillState;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** For tenant keys that a rotation wraps again. Default 1. */
  readonly suite?: Suite;
}

export const createVault = (deps: VaultDeps): Vault => new AuditedVault(deps);

class AuditedVault implements Vault {
  readonly #deps: VaultDeps;
  readonly #gate: Gate;
  readonly #indexes: CredentialIndexes;
  readonly #changes: CredentialChanges;
  readonly #values = new OpenedValues();
  readonly #listeners = new Set<(ref: CredentialRef) => void>();

  constructor(deps: VaultDeps) {
    this.#deps = deps;
    this.#gate = new Gate(deps.kills, deps.store);
    this.#indexes = new CredentialIndexes(deps.store, deps.ring);
    this.#changes = new CredentialChanges({ ...deps, indexes: this.#indexes });
  }

  async use(caller: Caller, ref: CredentialRef, purpose: Purpose): Promise<Secret> {
    const { workspace, actor } = caller;
    try {
      // Taken before anything is read: a change in between makes what was found out good for this use only.
      const revision = this.#deps.store.revision();
      const row =
        this.#values.permitted(revision, caller, ref, purpose) ??
        (await this.#permit(revision, caller, ref, purpose));
      const { id: credential, name, owner, version } = row;
      await this.#deps.audit.record({
        workspace,
        type: 'credential.used',
        actor,
        server: ref.serverSlug,
        data: { credential, for: purpose.data, name, owner, purpose: purpose.kind, version },
      });
      return (
        this.#values.copyOf(this.#deps.store.revision(), row) ??
        (await this.#open(revision, caller, { ...ref, ...leaving(ref, purpose) }, row))
      );
    } catch (error) {
      await this.#refused(caller, ref, error, { purpose: purpose.kind, for: purpose.data });
      throw error;
    }
  }

  async put(caller: Caller, ref: CredentialRef, value: Secret): Promise<CredentialInfo> {
    await this.#admitChange(caller, ref);
    const info = await this.#changes.put(caller, ref, value);
    this.#values.clear();
    this.#changed(ref);
    return info;
  }

  async remove(caller: Caller, ref: CredentialRef): Promise<void> {
    await this.#admitChange(caller, ref);
    await this.#changes.remove(caller, ref);
    this.#values.clear();
    this.#changed(ref);
  }

  async list(
    caller: Caller,
    server: { readonly id: ServerId; readonly slug: string },
  ): Promise<readonly CredentialInfo[]> {
    await this.#gate.admit(caller, 'list', { server: server.id, serverSlug: server.slug, owner: null });
    const rows = await this.#deps.store.credentials.list(caller.workspace, server.id);
    return rows
      .filter(({ owner }) => mayDo(caller.actor, 'list', owner).ok)
      .map(({ name, owner, version, updatedAt, updatedBy }) => ({
        name,
        owner,
        version,
        updatedAt,
        updatedBy,
      }));
  }

  async rotateMasterKey(caller: Caller): Promise<RotationReport> {
    this.#gate.allow(caller, 'keys', null);
    const { store, provider, random, suite, audit } = this.#deps;
    const { workspace, actor } = caller;
    const { id: from } = await provider.current();
    await audit.append({ workspace, type: 'key.rotated', actor, data: { state: 'started', from } });
    const report = await rotateMasterKey({
      provider,
      store: store.tenantKeys,
      random,
      ...(suite === undefined ? {} : { suite }),
    });
    await audit.append({ workspace, type: 'key.rotated', actor, data: { state: 'finished', ...report } });
    return report;
  }

  async keyStatus(caller: Caller): Promise<MasterKeyStatus> {
    this.#gate.allow(caller, 'keys', null);
    return masterKeyStatus(this.#deps.provider, this.#deps.store.tenantKeys);
  }

  clear(): void {
    this.#values.clear();
  }

  onChange(listener: (ref: CredentialRef) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** @throws as `use` */
  async #permit(
    revision: number,
    caller: Caller,
    ref: CredentialRef,
    purpose: Purpose,
  ): Promise<CredentialRecord> {
    await this.#gate.admit(caller, 'use', { ...ref, ...leaving(ref, purpose) });
    const row = await this.#find(caller.workspace, ref);
    this.#values.permit(revision, caller, ref, row, purpose);
    return row;
  }

  /** @param revision at which the row was found. @throws as `use` */
  async #open(
    revision: number,
    caller: Caller,
    ref: CredentialRef & GateSubject,
    row: CredentialRecord,
  ): Promise<Secret> {
    // A switch that was set while the event was being written stops this use too.
    await this.#gate.stopIfKilled(caller, ref);
    const value = await this.#deps.ring.openValue(row, credentialContext(caller.workspace, row));
    this.#values.keep(revision, row, value);
    return value;
  }

  /** The owner's own row, else the shared one. @throws AppError `vault_credential_missing`, `vault_rolled_back`, `seal_tampered` */
  async #find(workspace: WorkspaceId, ref: CredentialRef): Promise<CredentialRecord> {
    const own = await this.#newest(workspace, ref);
    if (own !== null) return own;
    const shared = ref.owner === null ? null : await this.#newest(workspace, { ...ref, owner: null });
    if (shared === null) throw credentialMissing(ref);
    return shared;
  }

  /** Exactly this slot's row, which the index says is the newest. */
  async #newest(workspace: WorkspaceId, ref: CredentialRef): Promise<CredentialRecord | null> {
    const { store } = this.#deps;
    const entry = entryOf(await this.#indexes.current(workspace), ref);
    const row = await store.credentials.find(workspace, ref);
    if (agree(entry, row)) return row;
    // Somebody may have changed both between the two reads. From one moment, they must agree.
    const floor = this.#indexes.floor(workspace);
    const [record, rowNow] = await store.transaction(
      async ({ credentials }) =>
        [await credentials.index(workspace), await credentials.find(workspace, ref)] as const,
    );
    const index = await this.#indexes.open(workspace, record, floor);
    const entryNow = entryOf(index, ref);
    if (agree(entryNow, rowNow)) return rowNow;
    throw disagreement(ref, index, entryNow, rowNow);
  }

  async #admitChange(caller: Caller, ref: CredentialRef): Promise<void> {
    const deed: Deed = 'change';
    try {
      await this.#gate.admit(caller, deed, ref);
    } catch (error) {
      await this.#refused(caller, ref, error, { purpose: deed });
      throw error;
    }
  }

  /** A refusal is recorded where that is possible, and holds where it is not. */
  async #refused(
    { workspace, actor }: Caller,
    { serverSlug, name, owner }: CredentialRef,
    error: unknown,
    data: { readonly purpose: string; readonly for?: Purpose['data'] },
  ): Promise<void> {
    const code = isAppError(error) ? error.code : 'internal_error';
    const detail = isAppError(error) && error.detail !== undefined ? { detail: error.detail } : {};
    try {
      await this.#deps.audit.append({
        workspace,
        type: 'credential.refused',
        actor,
        server: serverSlug,
        data: { name, owner, reason: code, ...detail, ...data },
      });
    } catch (failure) {
      const cause = isAppError(failure) ? failure.code : 'internal_error';
      this.#deps.log.error('vault.refusal_not_audited', { workspace, server: serverSlug, name, code, cause });
    }
  }

  #changed(ref: CredentialRef): void {
    for (const listener of this.#listeners) {
      try {
        listener(ref);
      } catch (error) {
        // The value is stored: a listener's trouble is not the caller's.
        const message = error instanceof Error ? error.message : 'unknown';
        this.#deps.log.error('vault.listener_failed', { server: ref.serverSlug, name: ref.name, message });
      }
    }
  }
}

/** Row and index are of one moment and do not fit: somebody else than the vault has written to the database. */
function disagreement(
  ref: CredentialRef,
  index: CredentialIndex,
  entry: IndexEntry | undefined,
  row: CredentialRecord | null,
): AppError {
  if (row === null) return rolledBack(ref, 'the row is gone');
  if (entry !== undefined && entry.id !== row.id) return foreignRow(ref, 'the row of another credential');
  if (entry === undefined) {
    return [...index.entries.values()].some(({ id }) => id === row.id)
      ? foreignRow(ref, 'the row of another credential')
      : rolledBack(ref, 'a row that was deleted, or never written');
  }
  if (row.version > entry.version) return foreignRow(ref, 'a version that was never written');
  return rolledBack(ref, `version ${row.version} in place of ${entry.version}`);
}

/** What is only looked for in answers goes nowhere: a switch on the credential itself must not leave it unseen. */
const leaving = ({ name }: CredentialRef, { kind }: Purpose): Pick<GateSubject, 'credential'> =>
  kind === 'scrub' ? {} : { credential: name };

const agree = (entry: IndexEntry | undefined, row: CredentialRecord | null): boolean =>
  entry?.id === row?.id && entry?.version === row?.version;
