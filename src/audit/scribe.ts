/**
 * The writing half of the audit log: a chain for each workspace, and its checkpoints. It runs in the thread of whoever
 * appends, or in one of its own behind a journal (`journal/`), because the database is synchronous and a thread that
 * speaks TLS has better things to do. It holds the audit key.
 */
import {
  AppError,
  type Clock,
  isAppError,
  limits,
  type Log,
  type Secret,
  type WorkspaceId,
} from '../kernel/index.ts';
import type { PreparedEvent } from './canonical.ts';
import { type ChainKeys, chainKeys } from './chain-keys.ts';
import { type ChainEnd, ChainWriter } from './chain-writer.ts';
import type { AuditStore, Checkpoint, EventRow, JournalProgress } from './ports.ts';

export interface Written {
  /** In the order of the batch. */
  readonly rows: readonly EventRow[];
  /** The one that was signed because of this batch. */
  readonly checkpoint: Checkpoint | null;
}

export interface Scribe {
  /**
   * Records a batch of one workspace, and how far a journal has come, all or nothing.
   * @throws AppError with the code of whatever was in the way
   */
  write(
    workspace: WorkspaceId,
    batch: readonly PreparedEvent[],
    progress?: JournalProgress,
  ): Promise<Written>;
  /** Where the chain ended when this process saw it last; null when it has not. */
  seen(workspace: WorkspaceId): ChainEnd | null;
  /** Signs a last checkpoint of each chain that grew. */
  close(): Promise<readonly Checkpoint[]>;
}

export interface ScribeDeps {
  readonly store: AuditStore;
  /** The audit key. Stays the caller's, and may be destroyed once the scribe is made. */
  readonly key: Secret;
  readonly clock: Clock;
  readonly log: Log;
}

export const createScribe = (deps: ScribeDeps): Scribe => new StoreScribe(deps);

interface Chain {
  readonly writer: ChainWriter;
  /** Sequence and hash of the last event written here; null while there is none. */
  end: ChainEnd | null;
  /** Sequence of the last checkpoint signed here. */
  checkpointed: number;
}

class StoreScribe implements Scribe {
  readonly #deps: ScribeDeps;
  readonly #keys: ChainKeys;
  readonly #chains = new Map<WorkspaceId, Chain>();

  constructor(deps: ScribeDeps) {
    this.#deps = deps;
    this.#keys = chainKeys(deps.key);
  }

  async write(
    workspace: WorkspaceId,
    batch: readonly PreparedEvent[],
    progress?: JournalProgress,
  ): Promise<Written> {
    const chain = this.#chain(workspace);
    const rows = await chain.writer.append(batch, progress);
    const [first] = rows;
    const last = rows.at(-1);
    if (first === undefined || last === undefined) throw new Error('an empty batch');
    chain.end = { sequence: last.sequence, hash: last.hash };
    return { rows, checkpoint: await this.#checkpointAfter(workspace, chain, first, last) };
  }

  seen(workspace: WorkspaceId): ChainEnd | null {
    return this.#chains.get(workspace)?.writer.seen ?? null;
  }

  async close(): Promise<readonly Checkpoint[]> {
    const signed: Checkpoint[] = [];
    for (const [workspace, chain] of this.#chains) {
      if (chain.end === null || chain.end.sequence <= chain.checkpointed) continue;
      const checkpoint = await this.#sign(workspace, chain, chain.end);
      if (checkpoint !== null) signed.push(checkpoint);
    }
    this.#keys.destroy();
    return signed;
  }

  #chain(workspace: WorkspaceId): Chain {
    let chain = this.#chains.get(workspace);
    if (chain === undefined) {
      const { store } = this.#deps;
      const writer = new ChainWriter({ workspace, store, keys: this.#keys });
      chain = { writer, end: null, checkpointed: 0 };
      this.#chains.set(workspace, chain);
    }
    return chain;
  }

  /** Whoever writes past a multiple signs it, so that several processes do not each sign their own. */
  async #checkpointAfter(
    workspace: WorkspaceId,
    chain: Chain,
    first: EventRow,
    last: EventRow,
  ): Promise<Checkpoint | null> {
    const every = limits.auditCheckpointEvents;
    if (Math.floor(last.sequence / every) <= Math.floor((first.sequence - 1) / every)) return null;
    return this.#sign(workspace, chain, last);
  }

  /** A checkpoint that fails harms nothing that was recorded: the next one covers the same events. */
  async #sign(
    workspace: WorkspaceId,
    chain: Chain,
    { sequence, hash }: ChainEnd,
  ): Promise<Checkpoint | null> {
    const { clock, store, log } = this.#deps;
    const checkpoint = this.#keys.sign({ workspace, sequence, hash, at: Math.floor(clock.now()) });
    try {
      await store.addCheckpoint(checkpoint);
    } catch (error) {
      log.error('audit_checkpoint_failed', { workspace, error: String(error) });
      return null;
    }
    chain.checkpointed = sequence;
    return checkpoint;
  }
}

/** What an author is told whose event could not be recorded. */
export function unavailable(cause: unknown): AppError {
  const hint = isAppError(cause) ? cause.hint : undefined;
  return new AppError('audit_unavailable', 'The audit log could not record this, so it was not done.', {
    kind: 'failed',
    hint: hint ?? "The gateway's log says why; often the disk is full.",
    detail: { reason: isAppError(cause) ? cause.code : String(cause) },
    cause,
  });
}
