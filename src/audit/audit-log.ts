/**
 * The audit log: append, read, verify. What is not durable was not done (guarantee G9): an append that fails is an
 * error for its author, who must not go on. One chain per workspace; several processes may append to the same one.
 */
import { AppError, type Clock, limits, type Log, type Secret, type WorkspaceId } from '../kernel/index.ts';
import { prepareEvent } from './canonical.ts';
import { type ChainKeys, chainKeys } from './chain-keys.ts';
import { ChainWriter, unavailable } from './chain-writer.ts';
import type { AuditEvent, RecordedEvent } from './events.ts';
import type { AuditSink, AuditStore, Checkpoint } from './ports.ts';
import { type ExportRange, exportEvents, type TailOptions, tailEvents } from './readers.ts';
import { verifyChain } from './verify.ts';
import type { VerifyOptions, VerifyReport } from './verify-report.ts';

export interface AuditLogDeps {
  readonly store: AuditStore;
  /** 32 random bytes that outlive every rotation. Stays the caller's, and may be destroyed once the log is made. */
  readonly key: Secret;
  readonly clock: Clock;
  readonly log: Log;
  readonly sinks?: readonly AuditSink[];
}

export interface AuditLog {
  /**
   * Resolves when the event is durable.
   *
   * @throws AppError `audit_unavailable` when it is not, or may not be; `audit_event_invalid`
   */
  append(event: AuditEvent): Promise<RecordedEvent>;
  verify(workspace: WorkspaceId, options?: VerifyOptions): Promise<VerifyReport>;
  export(workspace: WorkspaceId, range?: ExportRange): AsyncIterable<RecordedEvent>;
  tail(workspace: WorkspaceId, options?: TailOptions): AsyncIterable<RecordedEvent>;
  /** Signs and stores the chain's present end. Null while it is empty. @throws AppError `audit_unavailable` for a forged head */
  checkpoint(workspace: WorkspaceId): Promise<Checkpoint | null>;
  /** Writes what waits, signs a last checkpoint of each chain that grew, and refuses whatever comes later. */
  close(): Promise<void>;
}

export const createAuditLog = (deps: AuditLogDeps): AuditLog => new StoredAuditLog(deps);

class StoredAuditLog implements AuditLog {
  readonly #deps: AuditLogDeps;
  readonly #keys: ChainKeys;
  readonly #writers = new Map<WorkspaceId, ChainWriter>();
  /** Sequence of the last checkpoint that this process signed. */
  readonly #checkpointed = new Map<WorkspaceId, number>();
  /** Sequence of the last event that this process appended. */
  readonly #ends = new Map<WorkspaceId, number>();
  readonly #followers = new Set<() => void>();
  #waiting = 0;
  #closed = false;

  constructor(deps: AuditLogDeps) {
    this.#deps = deps;
    this.#keys = chainKeys(deps.key);
  }

  async append(event: AuditEvent): Promise<RecordedEvent> {
    if (this.#closed) throw unavailable(refusal('audit_closed', 'The audit log is closed.'));
    if (this.#waiting >= limits.auditQueueEventsMax) {
      throw unavailable(refusal('audit_queue_full', 'Too many audit events are waiting to be written.'));
    }
    const prepared = prepareEvent(event, Math.floor(this.#deps.clock.now()));
    this.#waiting += 1;
    return this.#writer(event.workspace).append(prepared);
  }

  verify(workspace: WorkspaceId, options?: VerifyOptions): Promise<VerifyReport> {
    const seen = this.#writers.get(workspace)?.seen ?? null;
    return verifyChain({ store: this.#deps.store, keys: this.#keys, seen }, workspace, options);
  }

  export(workspace: WorkspaceId, range: ExportRange = {}): AsyncIterable<RecordedEvent> {
    return exportEvents(this.#deps.store, workspace, range);
  }

  tail(workspace: WorkspaceId, options: TailOptions = {}): AsyncIterable<RecordedEvent> {
    return tailEvents(this.#deps.store, workspace, options, (_workspace, signal) => this.#more(signal));
  }

  async checkpoint(workspace: WorkspaceId): Promise<Checkpoint | null> {
    const head = await this.#deps.store.head(workspace);
    if (head === null) return null;
    if (!this.#keys.isHeadGenuine(workspace, head)) {
      throw unavailable(
        refusal('audit_head_forged', `The head of the audit log of workspace ${workspace} was changed.`),
      );
    }
    return this.#sign(workspace, head.sequence, head.hash);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#writers.values()].map((writer) => writer.drained()));
    for (const [workspace, end] of this.#ends) {
      if (end > (this.#checkpointed.get(workspace) ?? 0)) await this.#tryCheckpoint(workspace);
    }
    this.#keys.destroy();
    for (const wake of this.#followers) wake();
  }

  #writer(workspace: WorkspaceId): ChainWriter {
    const known = this.#writers.get(workspace);
    if (known !== undefined) return known;
    const writer = new ChainWriter({
      workspace,
      store: this.#deps.store,
      keys: this.#keys,
      onRecorded: (events) => this.#recorded(workspace, events),
      onLeft: (count) => {
        this.#waiting -= count;
      },
    });
    this.#writers.set(workspace, writer);
    return writer;
  }

  async #recorded(workspace: WorkspaceId, events: readonly RecordedEvent[]): Promise<void> {
    const [first] = events;
    const last = events.at(-1);
    if (first === undefined || last === undefined) return;
    this.#ends.set(workspace, last.sequence);
    this.#deliver(events, null);
    for (const wake of this.#followers) wake();
    const every = limits.auditCheckpointEvents;
    // Whoever writes past a multiple signs it, so that several processes do not each sign their own.
    if (Math.floor(last.sequence / every) > Math.floor((first.sequence - 1) / every)) {
      await this.#tryCheckpoint(workspace, last);
    }
  }

  /** A checkpoint that fails harms nothing that was recorded: the next one covers the same events. */
  async #tryCheckpoint(workspace: WorkspaceId, at?: RecordedEvent): Promise<void> {
    try {
      if (at === undefined) await this.checkpoint(workspace);
      else await this.#sign(workspace, at.sequence, at.hash);
    } catch (error) {
      this.#deps.log.error('audit_checkpoint_failed', { workspace, error: String(error) });
    }
  }

  async #sign(workspace: WorkspaceId, sequence: number, hash: string): Promise<Checkpoint> {
    const at = Math.floor(this.#deps.clock.now());
    const checkpoint = this.#keys.sign({ workspace, sequence, hash, at });
    await this.#deps.store.addCheckpoint(checkpoint);
    this.#checkpointed.set(workspace, sequence);
    this.#deliver([], checkpoint);
    return checkpoint;
  }

  #deliver(events: readonly RecordedEvent[], checkpoint: Checkpoint | null): void {
    for (const sink of this.#deps.sinks ?? []) {
      try {
        sink.deliver(events, checkpoint);
      } catch (error) {
        this.#deps.log.error('audit_sink_failed', { sink: sink.name, error: String(error) });
      }
    }
  }

  /** Until something was appended here, some time has passed (others may have appended), or the reader gives up. */
  #more(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#followers.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      const timer = setTimeout(wake, limits.auditTailPollMs);
      this.#followers.add(wake);
      signal.addEventListener('abort', wake);
      if (signal.aborted) wake();
    });
  }
}

const refusal = (code: string, message: string): AppError => new AppError(code, message, { kind: 'failed' });
