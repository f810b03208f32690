/**
 * What every use of a credential would otherwise find out anew: that this caller may have this value, which row it is,
 * and the value itself. All of it holds for one revision of the store and is forgotten with the next, so that a
 * switch, a new value, a disabled server or an edited row count from the next look on; and after a time even if
 * nothing changes, so that no value lies in memory because it was used once.
 *
 * The values never leave: whoever asks gets a copy.
 */
import { limits, type Secret } from '../kernel/index.ts';
import type { CredentialRecord } from '../store/index.ts';
import type { Caller, CredentialRef, Purpose } from './types.ts';

export class OpenedValues {
  #revision = Number.NaN;
  readonly #permitted = new Map<string, CredentialRecord>();
  /** By the very row that was found for this caller, so that no two callers or workspaces meet here. */
  readonly #opened = new Map<CredentialRecord, Secret>();
  #timer: NodeJS.Timeout | null = null;

  /** The row that this caller may have opened, if that was found out at this revision. */
  permitted(
    revision: number,
    caller: Caller,
    ref: CredentialRef,
    purpose: Pick<Purpose, 'kind'>,
  ): CredentialRecord | undefined {
    return this.#isAt(revision) ? this.#permitted.get(keyOf(caller, ref, purpose)) : undefined;
  }

  /** @param revision of the store from before it was asked */
  permit(
    revision: number,
    caller: Caller,
    ref: CredentialRef,
    row: CredentialRecord,
    purpose: Pick<Purpose, 'kind'>,
  ): void {
    if (revision < this.#revision) return;
    if (!this.#isAt(revision) || this.#permitted.size >= limits.vaultOpenedMax) this.clear();
    this.#revision = revision;
    this.#permitted.set(keyOf(caller, ref, purpose), row);
  }

  /** A copy of the row's value, if it was opened at this revision. */
  copyOf(revision: number, row: CredentialRecord): Secret | undefined {
    return this.#isAt(revision) ? this.#opened.get(row)?.copy() : undefined;
  }

  /** Keeps a copy. @param revision at which the row was found to be the newest */
  keep(revision: number, row: CredentialRecord, value: Secret): void {
    if (!this.#isAt(revision) || this.#opened.has(row) || this.#opened.size >= limits.vaultOpenedMax) return;
    this.#opened.set(row, value.copy());
    this.#timer ??= setTimeout(() => this.clear(), limits.vaultOpenedTtlMs).unref();
  }

  clear(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#revision = Number.NaN;
    this.#permitted.clear();
    for (const value of this.#opened.values()) value.destroy();
    this.#opened.clear();
  }

  #isAt(revision: number): boolean {
    if (this.#revision === revision) return true;
    // What is forgotten is forgotten at once, not when the next value takes its place.
    if (revision > this.#revision) this.clear();
    return false;
  }
}

/** Everything that the decision depends on. Lengths keep texts of any content apart. */
const keyOf = (
  { workspace, actor }: Caller,
  { server, serverSlug, name, owner }: CredentialRef,
  { kind }: Pick<Purpose, 'kind'>,
): string =>
  `${kind} ${workspace} ${server} ${serverSlug} ${actor.kind} ${actor.id.length} ${actor.id} ${name.length} ${name}${owner === null ? '' : ` ${owner}`}`;
