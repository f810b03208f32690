/**
 * Takes events in by appending them to a journal, which costs microseconds, and leaves bringing them into the chain to
 * somebody else. What is handed in during one turn of the event loop goes out as one record. It trusts its file to keep
 * what was written to it, and acknowledges nothing while that is in doubt, or while the journal does not get into the
 * chain: then what is recorded would not be what the log shows.
 */
import { AppError, type Clock, limits, type Log, type WorkspaceId } from '../../kernel/index.ts';
import type { PreparedEvent } from '../canonical.ts';
import type { ChainEnd } from '../chain-writer.ts';
import type { Checkpoint, EventRow } from '../ports.ts';
import type { Recorder, RecorderListener } from '../recorder.ts';
import { unavailable } from '../scribe.ts';
import { type Durability, Syncer } from './durability.ts';
import type { JournalKeys } from './keys.ts';
import type { IngestLink } from './link.ts';
import type { JournalFile } from './ports.ts';
import { lineOf, RecordEncoder } from './record.ts';

export interface JournalRecorderDeps {
  /** Its id. */
  readonly journal: string;
  readonly file: JournalFile;
  /** Destroyed with the recorder. */
  readonly keys: JournalKeys;
  readonly link: IngestLink;
  readonly durability: Durability;
  readonly clock: Clock;
  readonly log: Log;
  /** Last of all: nothing is written any more, and what was is in the chain, or will be by whoever opens the home next. */
  readonly onClosed: () => void;
}

/** What goes out as one record. */
interface Batch {
  readonly workspace: WorkspaceId;
  /** A line for each event. Joined only where they are written: joining one by one costs more than all else here. */
  readonly lines: string[];
  chars: number;
  readonly recorded: PromiseWithResolvers<void>;
  /** Of those who wait for the event with this index to be in its chain. */
  places: Map<number, PromiseWithResolvers<EventRow>> | null;
}

const noop = (): void => undefined;

export const journalRecorder = (deps: JournalRecorderDeps): Recorder => new JournalRecorder(deps);

class JournalRecorder implements Recorder {
  readonly #deps: JournalRecorderDeps;
  readonly #encoder: RecordEncoder;
  readonly #syncer: Syncer;
  /** Still being filled; the last of its workspace. */
  #open: Batch[] = [];
  #flushIsDue = false;
  #timer: NodeJS.Timeout | null = null;
  /** Whether a sync has failed: then the disk may lack what was written, and only the chain can vouch for it. */
  #isInDoubt = false;
  readonly #written = { records: 0, events: 0, bytes: 0 };
  /** What is not written yet because of what is before it, and whoever will write it. */
  readonly #held = { events: 0, chars: 0 };
  readonly #holding = new Set<Promise<void>>();
  /** When the chain was last seen to come nearer, or to be level: monotonic milliseconds. */
  #nearedAt = -Infinity;
  #nearedTo = -1;
  /** By the number of the record. */
  readonly #places = new Map<number, Map<number, PromiseWithResolvers<EventRow>>>();
  #listener: RecorderListener | null = null;

  constructor(deps: JournalRecorderDeps) {
    this.#deps = deps;
    this.#encoder = new RecordEncoder(deps.journal, deps.keys);
    this.#syncer = new Syncer({
      durability: deps.durability,
      sync: () => this.#sync(),
      onFailure: (error) => deps.log.error('audit_sync_failed', { error: String(error) }),
    });
  }

  listen(listener: RecorderListener): void {
    this.#listener = listener;
    this.#deps.link.listen({
      onChained: listener.onChained,
      onPlaced: (record, rows) => {
        for (const [index, place] of this.#placesOf(record)) {
          const row = rows[index];
          if (row === undefined) place.reject(unavailable('the journal gave no place back'));
          else place.resolve(row);
        }
      },
      onFailed: (cause) => {
        for (const record of this.#places.keys()) {
          for (const place of this.#placesOf(record).values()) place.reject(unavailable(cause));
        }
      },
    });
  }

  record(workspace: WorkspaceId, event: PreparedEvent, prompt: boolean): Promise<void> {
    const batch = this.#add(workspace, event);
    if (prompt) this.#flushSoon();
    else this.#timer ??= setTimeout(this.#flushInTime, limits.auditNoteDelayMs);
    return batch.recorded.promise;
  }

  async place(workspace: WorkspaceId, event: PreparedEvent): Promise<EventRow> {
    const batch = this.#add(workspace, event);
    const place = Promise.withResolvers<EventRow>();
    place.promise.catch(noop);
    batch.places ??= new Map();
    batch.places.set(batch.lines.length - 1, place);
    this.#flushSoon();
    await batch.recorded.promise;
    return place.promise;
  }

  async drained(): Promise<void> {
    this.#flush();
    await this.#deps.link.settle(false);
  }

  seen(workspace: WorkspaceId): Promise<ChainEnd | null> {
    return this.#deps.link.seen(workspace);
  }

  async close(): Promise<readonly Checkpoint[]> {
    const { file, keys, link, log, onClosed } = this.#deps;
    const waiting = this.#open.map(({ recorded }) => recorded.promise.catch(noop));
    this.#flush();
    if (this.#timer !== null) clearTimeout(this.#timer);
    // What is held is written when it may be, and the journal must not end before that.
    await Promise.all([...waiting, ...this.#holding]);
    await this.#syncer.close().catch((error: unknown) => {
      log.error('audit_sync_failed', { error: String(error) });
    });
    try {
      return await link.close();
    } catch (error) {
      // What is in the journal is there for whoever opens the home next.
      log.error('audit_journal_not_ended', { error: String(error) });
      return [];
    } finally {
      file.close();
      keys.destroy();
      onClosed();
    }
  }

  #add(workspace: WorkspaceId, event: PreparedEvent): Batch {
    const batch = this.#batchOf(workspace);
    const line = lineOf(event);
    batch.lines.push(line);
    batch.chars += line.length;
    return batch;
  }

  #batchOf(workspace: WorkspaceId): Batch {
    const last = this.#open.findLast((batch) => batch.workspace === workspace);
    if (
      last !== undefined &&
      last.lines.length < limits.auditBatchEventsMax &&
      last.chars < limits.auditJournalBatchCharsMax
    ) {
      return last;
    }
    const recorded = Promise.withResolvers<void>();
    // Of those who share it, some may not look.
    recorded.promise.catch(noop);
    const batch = { workspace, lines: [], chars: 0, recorded, places: null };
    this.#open.push(batch);
    return batch;
  }

  #flushSoon(): void {
    if (this.#flushIsDue) return;
    this.#flushIsDue = true;
    setImmediate(this.#flush);
  }

  /** It is not put off when something else was flushed meanwhile: that would be a timer for each event. */
  readonly #flushInTime = (): void => {
    this.#timer = null;
    this.#flush();
  };

  readonly #flush = (): void => {
    this.#flushIsDue = false;
    const batches = this.#open;
    if (batches.length === 0) return;
    this.#open = [];
    if (this.#syncer.failed || this.#mustHold()) {
      const writing = this.#writeLater(batches).finally(() => this.#holding.delete(writing));
      this.#holding.add(writing);
    } else {
      this.#writeAll(batches);
    }
  };

  /** Nothing is written behind what may be lost, and authors who are faster than the chain are slowed down to it. */
  async #writeLater(batches: readonly Batch[]): Promise<void> {
    const events = batches.reduce((sum, batch) => sum + batch.lines.length, 0);
    const chars = batches.reduce((sum, batch) => sum + batch.chars, 0);
    const held = this.#held;
    held.events += events;
    held.chars += chars;
    try {
      this.#requireProgress();
      if (held.events > limits.auditQueueEventsMax || held.chars > limits.auditJournalLagBytesMax)
        throw behind(this.#lag());
      if (this.#syncer.failed) await this.#syncer.flush();
      // Those who waited together are not written together where that would be too much again.
      do await this.#deps.link.settle(false);
      while (this.#mustHold());
    } catch (cause) {
      for (const { recorded } of batches) recorded.reject(unavailable(cause));
      return;
    } finally {
      held.events -= events;
      held.chars -= chars;
    }
    this.#writeAll(batches);
  }

  #mustHold(): boolean {
    const { events, bytes } = this.#lag();
    return events >= limits.auditJournalHoldEventsMax || bytes >= limits.auditJournalHoldBytesMax;
  }

  #writeAll(batches: readonly Batch[]): void {
    for (const batch of batches) {
      try {
        this.#write(batch);
      } catch (cause) {
        batch.recorded.reject(unavailable(cause));
        continue;
      }
      const synced = this.#syncer.written();
      if (synced === null) batch.recorded.resolve();
      else synced.then(batch.recorded.resolve, (cause: unknown) => batch.recorded.reject(unavailable(cause)));
    }
    this.#listener?.onRecorded();
  }

  /** @throws AppError when the chain is too far behind; whatever the file does */
  #write({ workspace, lines, places }: Batch): void {
    const { file, link } = this.#deps;
    this.#requireProgress();
    if (file.bytes >= limits.auditJournalSegmentBytes) file.rotate();
    const number = this.#written.records;
    const bytes = this.#encoder.encode({ number, workspace, lines, isPlaceWanted: places !== null });
    file.append(bytes);
    this.#written.records += 1;
    this.#written.events += lines.length;
    this.#written.bytes += bytes.length;
    if (places !== null) this.#places.set(number, places);
    link.written(this.#written.records, places !== null);
  }

  #requireProgress(): void {
    const { clock, link } = this.#deps;
    if (link.failure !== null) throw link.failure;
    const ingested = link.ingested();
    const now = clock.monotonic();
    if (ingested.records !== this.#nearedTo || ingested.records === this.#written.records) {
      this.#nearedTo = ingested.records;
      this.#nearedAt = now;
    }
    const lag = this.#lag();
    const isFar =
      lag.events >= limits.auditJournalLagEventsMax ||
      lag.bytes >= limits.auditJournalLagBytesMax ||
      now - this.#nearedAt >= limits.auditJournalLagMs;
    if (isFar) throw behind(lag);
  }

  /** What is in the journal and not in the chain. */
  #lag(): { readonly events: number; readonly bytes: number } {
    const ingested = this.#deps.link.ingested();
    return {
      events: this.#written.events - ingested.events,
      bytes: this.#written.bytes - ingested.bytes,
    };
  }

  /**
   * After a sync that failed, the operating system may hold for written what is not (it tells only once). What was
   * appended can still be read, though: it goes into the chain, and that to the disk.
   */
  async #sync(): Promise<void> {
    const { file, link } = this.#deps;
    try {
      if (this.#isInDoubt) {
        if (file.bytes > 0) file.rotate();
        await link.settle(true);
      } else {
        await file.sync();
      }
    } catch (error) {
      this.#isInDoubt = true;
      throw error;
    }
    this.#isInDoubt = false;
  }

  #placesOf(record: number): ReadonlyMap<number, PromiseWithResolvers<EventRow>> {
    const places = this.#places.get(record);
    this.#places.delete(record);
    return places ?? new Map<number, PromiseWithResolvers<EventRow>>();
  }
}

const behind = (lag: { readonly events: number; readonly bytes: number }): AppError =>
  new AppError('audit_journal_behind', 'The audit log does not keep up with its journal.', {
    kind: 'unavailable',
    hint: 'Try again. If it stays so, the disk that holds the database is too slow or full.',
    detail: { ...lag },
  });
