import type { WorkspaceId } from '../../kernel/index.ts';
import type { CounterRecord } from '../records.ts';

/** Something in flight, and every key that it was entered under. */
export interface Flight {
  readonly id: string;
  readonly keys: readonly string[];
}

/** What one request is counted under. */
interface CounterKeys {
  readonly counters: readonly string[];
  /** What ended since, before it is asked how much is in flight. */
  readonly landed?: readonly Flight[];
  /** Where it would be in flight. */
  readonly flights: readonly string[];
}

/** What is kept under those keys, in their order. */
interface FoundCounters {
  readonly counts: readonly (Pick<CounterRecord, 'amount' | 'atMs'> | null)[];
  readonly flights: readonly number[];
}

/** What is to be kept. */
interface CounterChange {
  readonly counters: readonly CounterRecord[];
  /** Enters it under every key that was asked about. Null where nothing is in flight. */
  readonly flight: { readonly id: string; readonly untilMs: number } | null;
}

/**
 * How often something happened, and how much of it is under way. Processes take turns: what one has counted, the next one
 * finds. What was counted outlives the process, and not in every case the machine.
 */
export interface CounterRepository {
  /** What is kept, as it is now. */
  read(workspace: WorkspaceId, counters: readonly string[]): Promise<FoundCounters['counts']>;
  /**
   * Reads, asks and writes in one step. A flight whose `untilMs` is over counts as ended.
   *
   * @param decide must not wait for anything
   * @param now milliseconds since the Unix epoch
   */
  count(
    workspace: WorkspaceId,
    keys: CounterKeys,
    now: number,
    decide: (found: FoundCounters) => CounterChange,
  ): Promise<void>;
  /** They are still in flight. */
  renew(workspace: WorkspaceId, flights: readonly Flight[], untilMs: number): Promise<void>;
  land(workspace: WorkspaceId, flights: readonly Flight[]): Promise<void>;
  /** Removes what says nothing any more. */
  sweep(now: number): Promise<void>;
}
