/**
 * The audit log: append, read, verify. What is not recorded was not done (guarantee G9): an append that fails is an
 * error for its author, who must not go on. One chain per workspace; several processes may append to the same one.
 * What "recorded" means is the scribe's `Durability`.
 */
import {
  AppError,
  type Clock,
  type JsonObject,
  limits,
  type Log,
  type Secret,
  type WorkspaceId,
} from '../kernel/index.ts';
import { type PreparedEvent, prepareEvent } from './canonical.ts';
import { type ChainKeys, chainKeys } from './chain-keys.ts';
import type { AuditEvent, RecordedEvent } from './events.ts';
import { Outbox } from './outbox.ts';
import type { AuditSink, AuditStore, Checkpoint } from './ports.ts';
import { type ExportRange, exportEvents, type TailOptions, tailEvents } from './readers.ts';
import { createScribe, type Scribe, unavailable, type Written } from './scribe.ts';
import { verifyChain } from './verify.ts';
import type { VerifyOptions, VerifyReport } from './verify-report.ts';

export interface AuditLogDeps {
  /** For reading; and for writing where there is no other scribe. */
  readonly store: AuditStore;
  /** 32 random bytes that outlive every rotation. Stays the caller's, and may be destroyed once the log is made. */
  readonly key: Secret;
  readonly clock: Clock;
  readonly log: Log;
  readonly sinks?: readonly AuditSink[];
  /** Who writes. Default: this thread, on `store`, acknowledged when it is on the disk. Closed with the log. */
  readonly scribe?: Scribe;
}

export interface AuditLog {
  /**
   * Resolves when the event is recorded.
   *
   * @throws AppError `audit_unavailable` when it is not, or may not be; `audit_event_invalid`
   */
  append(event: AuditEvent): Promise<RecordedEvent>;
  /** The same for who does not need the event back: everything of one turn of the event loop shares a promise. */
  record(event: AuditEvent): Promise<void>;
  /** The same for what has happened already: it may wait a few milliseconds, so that it is written with others. */
  note(event: AuditEvent): Promise<void>;
  verify(workspace: WorkspaceId, options?: VerifyOptions): Promise<VerifyReport>;
  export(workspace: WorkspaceId, range?: ExportRange): AsyncIterable<RecordedEvent>;
  tail(workspace: WorkspaceId, options?: TailOptions): AsyncIterable<RecordedEvent>;
  /** Signs and stores the chain's present end. Null while it is empty. @throws AppError `audit_unavailable` for a forged head */
  checkpoint(workspace: WorkspaceId): Promise<Checkpoint | null>;
  /** Writes what waits, signs a last checkpoint of each chain that grew, and refuses whatever comes later. */
  close(): Promise<void>;
}

export const createAuditLog = (deps: AuditLogDeps): AuditLog => new ScribedAuditLog(deps);

class ScribedAuditLog implements AuditLog {
  readonly #deps: AuditLogDeps;
  readonly #keys: ChainKeys;
  readonly #scribe: Scribe;
  readonly #outboxes = new Map<WorkspaceId, Outbox>();
  readonly #followers = new Set<() => void>();
  #waiting = 0;
  #closed = false;

  constructor(deps: AuditLogDeps) {
    this.#deps = deps;
    this.#keys = chainKeys(deps.key);
    const { store, key, clock, log } = deps;
    this.#scribe = deps.scribe ?? createScribe({ store, key, clock, log, durability: 'strict' });
  }

  async append(event: AuditEvent): Promise<RecordedEvent> {
    const { workspace } = event;
    const prepared = this.#prepare(event);
    const { written, index } = this.#outbox(workspace).add(prepared, true, true);
    return recordedEvent(workspace, prepared, await written, index);
  }

  record(event: AuditEvent): Promise<void> {
    return this.#add(event, true);
  }

  note(event: AuditEvent): Promise<void> {
    return this.#add(event, false);
  }

  async verify(workspace: WorkspaceId, options?: VerifyOptions): Promise<VerifyReport> {
    const seen = await this.#scribe.seen(workspace);
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
    const { sequence, hash } = head;
    const at = Math.floor(this.#deps.clock.now());
    const checkpoint = this.#keys.sign({ workspace, sequence, hash, at });
    await this.#deps.store.addCheckpoint(checkpoint);
    this.#deliver([], checkpoint);
    return checkpoint;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.all([...this.#outboxes.values()].map((outbox) => outbox.drained()));
    for (const checkpoint of await this.#scribe.close()) this.#deliver([], checkpoint);
    this.#keys.destroy();
    for (const wake of this.#followers) wake();
  }

  #add(event: AuditEvent, prompt: boolean): Promise<void> {
    try {
      return this.#outbox(event.workspace).add(this.#prepare(event), prompt, false).recorded;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #prepare(event: AuditEvent): PreparedEvent {
    if (this.#closed) throw unavailable(refusal('audit_closed', 'The audit log is closed.'));
    if (this.#waiting >= limits.auditQueueEventsMax) {
      throw unavailable(refusal('audit_queue_full', 'Too many audit events are waiting to be written.'));
    }
    const prepared = prepareEvent(event, Math.floor(this.#deps.clock.now()));
    this.#waiting += 1;
    return prepared;
  }

  #outbox(workspace: WorkspaceId): Outbox {
    const known = this.#outboxes.get(workspace);
    if (known !== undefined) return known;
    const outbox = new Outbox({
      workspace,
      scribe: this.#scribe,
      wantsAll: (this.#deps.sinks ?? []).length > 0,
      onRecorded: (batch, written) => this.#recorded(workspace, batch, written),
      onLeft: (count) => {
        this.#waiting -= count;
      },
    });
    this.#outboxes.set(workspace, outbox);
    return outbox;
  }

  #recorded(workspace: WorkspaceId, batch: readonly PreparedEvent[], written: Written): void {
    if ((this.#deps.sinks ?? []).length > 0) {
      const events = batch.map((prepared, index) => recordedEvent(workspace, prepared, written, index));
      this.#deliver(events, null);
      if (written.checkpoint !== null) this.#deliver([], written.checkpoint);
    }
    for (const wake of this.#followers) wake();
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

/** A batch's event in its place, which needs the hashes. */
function recordedEvent(
  workspace: WorkspaceId,
  prepared: PreparedEvent,
  { sequence, previous, hashes }: Written,
  index: number,
): RecordedEvent {
  const hash = hashes?.[index];
  const before = index === 0 ? previous : hashes?.[index - 1];
  if (hash === undefined || before === undefined) throw new Error('the scribe gave no hash back');
  const { at, type, actorKind, actorId, server, data } = prepared;
  return {
    workspace,
    type,
    actor: { kind: actorKind, id: actorId },
    ...(server === null ? {} : { server }),
    data: JSON.parse(data) as JsonObject, // `prepareEvent` wrote it from one
    sequence: sequence + index,
    at,
    previous: before,
    hash,
  };
}
