/** Who takes events in for the audit log: a `direct` one that writes them to the chain itself, or one with a journal before it. */
import type { WorkspaceId } from '../kernel/index.ts';
import type { PreparedEvent } from './canonical.ts';
import type { ChainEnd } from './chain-writer.ts';
import type { Checkpoint, EventRow } from './ports.ts';

export interface RecorderListener {
  /** Something is on record that was not before. Must not throw. */
  readonly onRecorded: () => void;
  /** What has come into a chain, in order; null where nobody wants to know. Must not throw. */
  readonly onChained:
    | ((workspace: WorkspaceId, rows: readonly EventRow[], checkpoint: Checkpoint | null) => void)
    | null;
}

export interface Recorder {
  /**
   * Resolves when the event is on record. Whatever is handed in during one turn of the event loop shares a promise.
   *
   * @param prompt whether somebody waits; else it may wait for company, up to a limit
   * @throws AppError `audit_unavailable` (as a rejection)
   */
  record(workspace: WorkspaceId, event: PreparedEvent, prompt: boolean): Promise<void>;
  /** The same, and resolves when it is in its chain. */
  place(workspace: WorkspaceId, event: PreparedEvent): Promise<EventRow>;
  /** Resolves when everything that is on record is in its chain. @throws whatever keeps it from getting there */
  drained(): Promise<void>;
  /** Where a chain ended when this process saw it last; null when it has not. */
  seen(workspace: WorkspaceId): Promise<ChainEnd | null>;
  /** Before anything is recorded, and once. */
  listen(listener: RecorderListener): void;
  /** Writes what waits, and signs a last checkpoint of each chain that grew. Nothing is handed in afterwards. */
  close(): Promise<readonly Checkpoint[]>;
}
