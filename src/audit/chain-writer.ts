/**
 * The one writer of a workspace's chain in this process. Events that arrive while a transaction is running, or in
 * the same turn of the event loop, go out together in the next one (group commit). It never drops an event: each
 * is durable, or its author is told that it is not. It never extends a head whose MAC is wrong, because that would
 * put our MAC on somebody else's history; nor one that does not continue what it has seen before, because a head that
 * was genuine once stays so, and whoever copied it can put it back.
 */
import { AppError, isAppError, limits, type WorkspaceId } from '../kernel/index.ts';
import { chainEvent, NO_PREVIOUS, type PreparedEvent } from './canonical.ts';
import type { ChainKeys } from './chain-keys.ts';
import type { RecordedEvent } from './events.ts';
import type { AuditStore } from './ports.ts';

export interface ChainWriterDeps {
  readonly workspace: WorkspaceId;
  readonly store: AuditStore;
  readonly keys: ChainKeys;
  /** After each transaction, with its events. Must not throw. */
  readonly onRecorded: (events: readonly RecordedEvent[]) => Promise<void>;
  /** After events left the queue, recorded or refused. */
  readonly onLeft: (count: number) => void;
}

interface Waiting {
  readonly prepared: PreparedEvent;
  readonly resolve: (event: RecordedEvent) => void;
  readonly reject: (error: AppError) => void;
}

/** Where a chain ends, or ended once. */
export interface ChainEnd {
  readonly sequence: number;
  readonly hash: string;
}

export class ChainWriter {
  readonly #deps: ChainWriterDeps;
  #queue: Waiting[] = [];
  /** As of our last transaction; null when it has to be read. */
  #end: ChainEnd | null = null;
  /** The furthest end that was ours or genuine: what is stored must continue it for as long as this process lives. */
  #seen: ChainEnd | null = null;
  #running: Promise<void> | null = null;

  constructor(deps: ChainWriterDeps) {
    this.#deps = deps;
  }

  /** Resolves when the event is durable. @throws AppError `audit_unavailable` */
  append(prepared: PreparedEvent): Promise<RecordedEvent> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ prepared, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /** Null before the first event. */
  get seen(): ChainEnd | null {
    return this.#seen;
  }

  /** Resolves when nothing is waiting any more. */
  async drained(): Promise<void> {
    while (this.#running !== null) await this.#running;
  }

  async #run(): Promise<void> {
    // Everything that this turn of the event loop appends shares the first transaction.
    await new Promise(setImmediate);
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, limits.auditBatchEventsMax);
      try {
        const recorded = await this.#commit(batch.map((waiting) => waiting.prepared));
        this.#deps.onLeft(batch.length);
        for (const [i, event] of recorded.entries()) batch[i]?.resolve(event);
        await this.#deps.onRecorded(recorded);
      } catch (cause) {
        this.#refuse([...batch, ...this.#queue.splice(0)], cause);
      }
    }
    this.#running = null;
  }

  #refuse(refused: readonly Waiting[], cause: unknown): void {
    this.#deps.onLeft(refused.length);
    const error = unavailable(cause);
    for (const { reject } of refused) reject(error);
  }

  async #commit(batch: readonly PreparedEvent[]): Promise<readonly RecordedEvent[]> {
    const { workspace, store, keys } = this.#deps;
    for (let attempt = 0; ; attempt++) {
      const events = chain(batch, this.#end ?? (await this.#readEnd()));
      const last = events.at(-1);
      if (last === undefined) return events;
      try {
        await store.append(workspace, events, keys.headMac(workspace, last.sequence, last.hash));
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

function chain(batch: readonly PreparedEvent[], end: ChainEnd): readonly RecordedEvent[] {
  let { sequence, hash } = end;
  return batch.map((prepared) => {
    const event = chainEvent(prepared, sequence + 1, hash);
    ({ sequence, hash } = event);
    return event;
  });
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
