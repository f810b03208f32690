/**
 * The one writer of a workspace's chain in this process: gives events their places and commits them, one batch after
 * the other. It never extends a head whose MAC is wrong, because that would put our MAC on somebody else's history;
 * nor one that does not continue what it has seen before, because a head that was genuine once stays so, and whoever
 * copied it can put it back.
 */
import { AppError, isAppError, limits, type WorkspaceId } from '../kernel/index.ts';
import { chainEvent, NO_PREVIOUS, type PreparedEvent } from './canonical.ts';
import type { ChainKeys } from './chain-keys.ts';
import type { AuditStore, EventRow, JournalProgress } from './ports.ts';

export interface ChainWriterDeps {
  readonly workspace: WorkspaceId;
  readonly store: AuditStore;
  readonly keys: ChainKeys;
}

/** Where a chain ends, or ended once. */
export interface ChainEnd {
  readonly sequence: number;
  readonly hash: string;
}

export class ChainWriter {
  readonly #deps: ChainWriterDeps;
  /** As of our last transaction; null when it has to be read. */
  #end: ChainEnd | null = null;
  /** The furthest end that was ours or genuine: what is stored must continue it for as long as this process lives. */
  #seen: ChainEnd | null = null;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(deps: ChainWriterDeps) {
    this.#deps = deps;
  }

  /** All of the batch in one transaction, or nothing of it. @throws whatever the store does, `audit_head_forged`, `audit_rolled_back` */
  append(batch: readonly PreparedEvent[], progress?: JournalProgress): Promise<readonly EventRow[]> {
    const commit = (): Promise<readonly EventRow[]> => this.#commit(batch, progress);
    const turn = this.#turn.then(commit, commit);
    this.#turn = turn;
    return turn;
  }

  /** Null before the first event. */
  get seen(): ChainEnd | null {
    return this.#seen;
  }

  async #commit(
    batch: readonly PreparedEvent[],
    progress: JournalProgress | undefined,
  ): Promise<readonly EventRow[]> {
    const { workspace, store, keys } = this.#deps;
    for (let attempt = 0; ; attempt++) {
      const events = chain(workspace, batch, this.#end ?? (await this.#readEnd()));
      const last = events.at(-1);
      if (last === undefined) return events;
      try {
        await store.append(workspace, events, keys.headMac(workspace, last.sequence, last.hash), progress);
        this.#end = this.#seen = { sequence: last.sequence, hash: last.hash };
        return events;
      } catch (error) {
        // What is stored now is not known: the transaction may have come through all the same.
        this.#end = null;
        const moved = isAppError(error) && error.code === 'audit_chain_moved';
        if (!moved || attempt >= limits.auditChainRetriesMax) throw error;
      }
    }
  }

  async #readEnd(): Promise<ChainEnd> {
    const { workspace, store, keys } = this.#deps;
    const head = await store.head(workspace);
    if (head !== null && !keys.isHeadGenuine(workspace, head)) {
      throw new AppError(
        'audit_head_forged',
        `The head of the audit log of workspace ${workspace} was changed.`,
        {
          kind: 'failed',
          hint: 'Run `sallyport audit verify`, and restore the database from a backup.',
          detail: { workspace, sequence: head.sequence },
        },
      );
    }
    if (!(await this.#continuesSeen(head))) {
      throw new AppError(
        'audit_rolled_back',
        `The audit log of workspace ${workspace} was put back to an older state.`,
        {
          kind: 'failed',
          hint: 'Run `sallyport audit verify`. If you restored a backup on purpose, restart Sallyport.',
          detail: { workspace, seen: this.#seen?.sequence ?? 0, found: head?.sequence ?? 0 },
        },
      );
    }
    if (head === null) return { sequence: 0, hash: NO_PREVIOUS };
    this.#seen = { sequence: head.sequence, hash: head.hash };
    return head;
  }

  /** Whether the chain that ends here still has the event that this process saw last. */
  async #continuesSeen(head: ChainEnd | null): Promise<boolean> {
    const seen = this.#seen;
    if (seen === null) return true;
    if (head === null || head.sequence < seen.sequence) return false;
    if (head.sequence === seen.sequence) return head.hash === seen.hash;
    const [event] = await this.#deps.store.read(this.#deps.workspace, seen.sequence, 1);
    return event?.sequence === seen.sequence && event.hash === seen.hash;
  }
}

function chain(workspace: WorkspaceId, batch: readonly PreparedEvent[], end: ChainEnd): readonly EventRow[] {
  let { sequence, hash } = end;
  return batch.map((prepared) => {
    const event = chainEvent(workspace, prepared, sequence + 1, hash);
    ({ sequence, hash } = event);
    return event;
  });
}
