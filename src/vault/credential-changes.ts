/**
 * Setting and deleting values: audit first, then row and index in one transaction. Several processes may do it at
 * once; whoever finds that another was faster reads again. Nothing here opens a value.
 */
import {
  type Clock,
  isAppError,
  limits,
  newId,
  type Random,
  type Secret,
  type WorkspaceId,
} from '../kernel/index.ts';
import type { AuditLog } from '../audit/index.ts';
import type { KeyRing } from '../seal/index.ts';
import type { CredentialRecord, Repositories, Store } from '../store/index.ts';
import {
  type CredentialIndex,
  type CredentialIndexes,
  entryOf,
  withEntry,
  withoutEntry,
} from './credential-index.ts';
import { credentialContext } from './row-context.ts';
import type { Caller, CredentialInfo, CredentialRef } from './types.ts';
import { credentialMissing, slotInvalid, valueInvalid } from './vault-error.ts';

export interface ChangeDeps {
  readonly store: Store;
  readonly audit: Pick<AuditLog, 'append'>;
  readonly ring: KeyRing;
  readonly indexes: CredentialIndexes;
  readonly clock: Clock;
  readonly random: Random;
}

/** What is there before a change. */
interface Before {
  readonly index: CredentialIndex;
  readonly row: CredentialRecord | null;
}

export class CredentialChanges {
  readonly #deps: ChangeDeps;
  /** The last change of each workspace that is under way: within a process they take turns. */
  readonly #turns = new Map<WorkspaceId, Promise<unknown>>();

  constructor(deps: ChangeDeps) {
    this.#deps = deps;
  }

  put(caller: Caller, ref: CredentialRef, value: Secret): Promise<CredentialInfo> {
    if (!isName(ref.name)) throw slotInvalid('a credential');
    // In the store, the empty string stands for the value that the workspace shares.
    if (ref.owner !== null && !isName(ref.owner)) throw slotInvalid('the owner of a credential');
    if (value.length === 0) throw valueInvalid('The value is empty.');
    if (value.length > limits.credentialBytesMax) {
      throw valueInvalid(`The value is longer than ${limits.credentialBytesMax} bytes.`);
    }
    return this.#inTurn(caller.workspace, (before) => this.#set(caller, ref, value, before), ref);
  }

  remove(caller: Caller, ref: CredentialRef): Promise<void> {
    return this.#inTurn(caller.workspace, (before) => this.#delete(caller, ref, before), ref);
  }

  async #set(
    caller: Caller,
    ref: CredentialRef,
    value: Secret,
    { index, row }: Before,
  ): Promise<CredentialInfo> {
    const { workspace, actor } = caller;
    const entry = entryOf(index, ref);
    // A row that the index does not know is not continued but replaced. Above both versions, so that no
    // envelope that ever existed fits the new row.
    const known = row !== null && entry?.id === row.id ? row : null;
    const place = {
      id: known?.id ?? newId<'credential'>('crd', this.#deps.random),
      server: ref.server,
      name: ref.name,
      owner: ref.owner,
      version: Math.max(row?.version ?? 0, entry?.version ?? 0) + 1,
    };
    const info = { updatedAt: this.#deps.clock.now(), updatedBy: `${actor.kind}:${actor.id}` };
    const record = {
      ...place,
      ...info,
      ...(await this.#deps.ring.sealValue(value, credentialContext(workspace, place))),
    };
    const nextIndex = await this.#deps.indexes.seal(workspace, withEntry(index, place));
    await this.#record('secret.set', caller, ref, { ...place, index: nextIndex.version });
    await this.#deps.store.transaction(async ({ credentials }) => {
      if (known !== null) {
        await credentials.update(workspace, record, known.version);
      } else {
        if (row !== null) await credentials.remove(workspace, row.id, row.version);
        await credentials.insert(workspace, record);
      }
      await credentials.replaceIndex(workspace, nextIndex);
    });
    this.#deps.indexes.written(workspace, nextIndex.version);
    return { name: place.name, owner: place.owner, version: place.version, ...info };
  }

  async #delete(caller: Caller, ref: CredentialRef, { index, row }: Before): Promise<void> {
    const { workspace } = caller;
    const entry = entryOf(index, ref);
    const gone = row ?? entry;
    if (gone === undefined) throw credentialMissing(ref);
    const nextIndex = await this.#deps.indexes.seal(workspace, withoutEntry(index, ref));
    const { id, version } = gone;
    await this.#record('secret.deleted', caller, ref, { id, version, index: nextIndex.version });
    await this.#deps.store.transaction(async ({ credentials }: Repositories) => {
      if (row !== null) await credentials.remove(workspace, row.id, row.version);
      await credentials.replaceIndex(workspace, nextIndex);
    });
    this.#deps.indexes.written(workspace, nextIndex.version);
  }

  async #record(
    type: 'secret.set' | 'secret.deleted',
    { workspace, actor }: Caller,
    { serverSlug, name, owner }: CredentialRef,
    { id, version, index }: { readonly id: string; readonly version: number; readonly index: number },
  ): Promise<void> {
    await this.#deps.audit.append({
      workspace,
      type,
      actor,
      server: serverSlug,
      data: { credential: id, name, owner, version, index },
    });
  }

  /** One change after the other, each tried again while other processes are faster. */
  #inTurn<T>(workspace: WorkspaceId, change: (before: Before) => Promise<T>, ref: CredentialRef): Promise<T> {
    const previous = this.#turns.get(workspace) ?? Promise.resolve();
    const turn = previous
      .catch(() => undefined)
      .then(async () => {
        for (let attempt = 1; ; attempt += 1) {
          const index = await this.#deps.indexes.current(workspace);
          const row = await this.#deps.store.credentials.find(workspace, ref);
          try {
            return await change({ index, row });
          } catch (error) {
            const another = isAppError(error) && error.code === 'store_conflict';
            if (!another || attempt >= limits.credentialChangeAttemptsMax) throw error;
          }
        }
      });
    this.#turns.set(workspace, turn);
    const forget = (): void => {
      if (this.#turns.get(workspace) === turn) this.#turns.delete(workspace);
    };
    turn.then(forget, forget);
    return turn;
  }
}

/** Whether it comes back from the store as it went in. */
const isName = (text: string): boolean =>
  text.length > 0 && text.length <= limits.credentialNameCharsMax && text.isWellFormed();
