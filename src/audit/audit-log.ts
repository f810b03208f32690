/**
 * The audit log: append, read, verify. What is not recorded was not done (guarantee G9): an append that fails is an
 * error for its author, who must not go on. One chain per workspace; several processes may append to the same one.
 * What "recorded" means is the recorder's to say.
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
import { directRecorder } from './direct-recorder.ts';
import type { Actor, AuditEvent, AuditEventType, RecordedEvent } from './events.ts';
import type { AuditSink, AuditStore, Checkpoint, EventRow } from './ports.ts';
import { type ExportRange, exportEvents, type TailOptions, tailEvents } from './readers.ts';
import type { Recorder } from './recorder.ts';
import { createScribe, unavailable } from './scribe.ts';
import { verifyChain } from './verify.ts';
import type { VerifyOptions, VerifyReport } from './verify-report.ts';

export interface AuditLogDeps {
  /** For reading; and for writing where there is no other recorder. */
  readonly store: AuditStore;
  /** 32 random bytes that outlive every rotation. Stays the caller's, and may be destroyed once the log is made. */
  readonly key: Secret;
  readonly clock: Clock;
  readonly log: Log;
  readonly sinks?: readonly AuditSink[];
  /** Who takes events in. Default: this thread writes them to `store`, each on the disk before anybody goes on. Closed with the log. */
  readonly recorder?: Recorder;
}

export interface AuditLog {
  /**
   * Resolves when the event is recorded and has its place.
   *
   * @throws AppError `audit_unavailable` when it is not, or may not be; `audit_event_invalid`
   */
  append(event: AuditEvent): Promise<RecordedEvent>;
  /** Resolves when the event is recorded, which is sooner. Everything of one turn of the event loop shares a promise. */
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

export const createAuditLog = (deps: AuditLogDeps): AuditLog => new RecordedAuditLog(deps);

class RecordedAuditLog implements AuditLog {
  readonly #deps: AuditLogDeps;
  readonly #keys: ChainKeys;
  readonly #recorder: Recorder;
  readonly #followers = new Set<() => void>();
  #closed = false;

  constructor(deps: AuditLogDeps) {
    this.#deps = deps;
    this.#keys = chainKeys(deps.key);
    this.#recorder = deps.recorder ?? directRecorder(createScribe(deps));
    this.#recorder.listen({
      onRecorded: () => {
        for (const wake of this.#followers) wake();
      },
      onChained:
        (deps.sinks ?? []).length === 0
          ? null
          : (workspace, rows, checkpoint) => {
              this.#deliver(
                rows.map((row) => eventOf(workspace, row)),
                null,
              );
              if (checkpoint !== null) this.#deliver([], checkpoint);
            },
    });
  }

  async append(event: AuditEvent): Promise<RecordedEvent> {
    const { workspace } = event;
    const prepared = this.#prepare(event);
    return eventOf(workspace, await this.#recorder.place(workspace, prepared));
  }

  record(event: AuditEvent): Promise<void> {
    return this.#add(event, true);
  }

  note(event: AuditEvent): Promise<void> {
    return this.#add(event, false);
  }

  async verify(workspace: WorkspaceId, options?: VerifyOptions): Promise<VerifyReport> {
    const obstacle = await this.#drain();
    const seen = await this.#recorder.seen(workspace);
    return verifyChain({ store: this.#deps.store, keys: this.#keys, seen, obstacle }, workspace, options);
  }

  async *export(workspace: WorkspaceId, range: ExportRange = {}): AsyncGenerator<RecordedEvent, void, void> {
    await this.#drain();
    yield* exportEvents(this.#deps.store, workspace, range);
  }

  async *tail(workspace: WorkspaceId, options: TailOptions = {}): AsyncGenerator<RecordedEvent, void, void> {
    await this.#drain();
    yield* tailEvents(this.#deps.store, workspace, options, async (_workspace, signal) => {
      await this.#more(signal);
      await this.#drain();
    });
  }

  async checkpoint(workspace: WorkspaceId): Promise<Checkpoint | null> {
    await this.#drain();
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
    for (const checkpoint of await this.#recorder.close()) this.#deliver([], checkpoint);
    this.#keys.destroy();
    for (const wake of this.#followers) wake();
  }

  #add(event: AuditEvent, prompt: boolean): Promise<void> {
    try {
      return this.#recorder.record(event.workspace, this.#prepare(event), prompt);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #prepare(event: AuditEvent): PreparedEvent {
    if (this.#closed) throw unavailable(refusal('audit_closed', 'The audit log is closed.'));
    return prepareEvent(event, Math.floor(this.#deps.clock.now()));
  }

  /** @returns what keeps events from their chain: whoever reads may want to find out just that */
  async #drain(): Promise<unknown> {
    if (this.#closed) return null;
    try {
      await this.#recorder.drained();
      return null;
    } catch (error) {
      this.#deps.log.warn('audit_read_behind', { error: String(error) });
      return error;
    }
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

/** An event as it comes back. */
function eventOf(
  workspace: WorkspaceId,
  { sequence, at, type, actor, server, data, previous, hash }: EventRow,
): RecordedEvent {
  return {
    workspace,
    type: type as AuditEventType, // here and below: `prepareEvent` had them from an event
    actor: JSON.parse(actor) as Actor,
    ...(server === null ? {} : { server }),
    data: JSON.parse(data) as JsonObject,
    sequence,
    at,
    previous,
    hash,
  };
}
