/** A journal in memory, and its two ends in one thread: files that a test can cut, edit and have fail, and a chain behind. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  type AuditLog,
  type AuditSink,
  type Channel,
  channelLog,
  createAuditLog,
  createScribe,
  type Durability,
  endJournal,
  ingestedIn,
  ingestLink,
  type JournalFile,
  JournalIngester,
  journalKeys,
  type JournalFolder,
  journalRecorder,
  type JournalSource,
  recoverJournals,
  serveIngester,
  sharedNumbers,
} from '../../../src/audit/index.ts';
import { fixedClock, type Log, Secret, silentLog, type WorkspaceId } from '../../../src/kernel/index.ts';
import { MemoryAuditStore } from '../memory-audit-store.ts';

export const A = 'ws_a' as WorkspaceId;
export const B = 'ws_b' as WorkspaceId;
export const auditKey = (): Secret => Secret.fromBytes(Buffer.alloc(32, 5));

/** The files of one journal. */
export class MemoryJournal implements JournalFile {
  readonly segments = new Map<number, Buffer>([[1, Buffer.alloc(0)]]);
  /** Bytes of all segments at each sync that succeeded. */
  readonly synced: number[] = [];
  /** How many bytes the next writes may take; what is over is refused, after a part was written. */
  room = Infinity;
  beforeSync: () => Promise<void> = async () => {};
  #current = 1;
  #length = 0;

  get bytes(): number {
    return this.#length;
  }

  append(bytes: Uint8Array): void {
    const whole = this.now().subarray(0, this.#length);
    const part = bytes.subarray(0, Math.max(0, this.room));
    this.segments.set(this.#current, Buffer.concat([whole, part]));
    if (part.length < bytes.length) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
    this.room -= bytes.length;
    this.#length += bytes.length;
  }

  rotate(): void {
    this.#current += 1;
    this.#length = 0;
    this.segments.set(this.#current, Buffer.alloc(0));
  }

  async sync(): Promise<void> {
    const bytes = [...this.segments.values()].reduce((sum, segment) => sum + segment.length, 0);
    await this.beforeSync();
    this.synced.push(bytes);
  }

  close(): void {}

  /** The segment that is written to. */
  now(): Buffer {
    return this.segments.get(this.#current) ?? Buffer.alloc(0);
  }

  source(): JournalSource {
    return {
      segments: () => [...this.segments.keys()].toSorted((a, b) => a - b),
      read: (segment, offset, length) =>
        Buffer.from((this.segments.get(segment) ?? Buffer.alloc(0)).subarray(offset, offset + length)),
      remove: (segment) => void this.segments.delete(segment),
    };
  }
}

/** Two ends that pass structured clones in later turns, and can be cut. */
function channels(): { near: Channel; far: Channel; cut: (error: Error | null) => void } {
  const listeners = { near: [] as ((message: unknown) => void)[], far: [] as ((message: unknown) => void)[] };
  let onEnd: (error: Error | null) => void = () => undefined;
  const end = (mine: 'near' | 'far', other: 'near' | 'far'): Channel => ({
    post(message) {
      const copy: unknown = structuredClone(message);
      setImmediate(() => {
        for (const listener of listeners[other]) listener(copy);
      });
    },
    onMessage: (listener) => void listeners[mine].push(listener),
    onEnd(listener) {
      onEnd = listener;
    },
  });
  const near = end('near', 'far');
  return { far: end('far', 'near'), near, cut: (error) => onEnd(error) };
}

const noCut = (_error: Error | null): void => undefined;

/** One home: a store, its journals, and gateways that come and go. */
export class JournalWorld {
  readonly store = new MemoryAuditStore();
  readonly clock = fixedClock(1000);
  readonly files = new Map<string, MemoryJournal>();
  /** Journals whose gateway is alive. */
  readonly alive = new Set<string>();
  readonly setAside: string[] = [];
  readonly lines: string[] = [];
  /** How many far ends cannot begin. */
  startFailures = 0;
  readonly log: Log = {
    ...silentLog,
    error: (what) => void this.lines.push(what),
  };

  readonly folder: JournalFolder = {
    isName: (journal) => /^jrn_\d{1,9}$/.test(journal),
    journals: () => this.left,
    source: (journal) => this.fileOf(journal).source(),
    claim: (journal) => (this.alive.has(journal) ? null : { release: () => undefined }),
    setAside: (journal) => {
      this.setAside.push(journal);
      return this.files.delete(journal) ? journal : null;
    },
  };

  /** Journals of which there is something. */
  get left(): readonly string[] {
    return [...this.files]
      .flatMap(([journal, { segments }]) => (segments.size > 0 ? [journal] : []))
      .toSorted();
  }

  fileOf(journal: string): MemoryJournal {
    const known = this.files.get(journal);
    if (known !== undefined) return known;
    const none = new MemoryJournal();
    none.segments.clear();
    return none;
  }

  /** A gateway begins its journal. */
  async gateway(
    journal: string,
    options: { durability?: Durability; sinks?: readonly AuditSink[]; serve?: boolean } = {},
  ): Promise<Gateway> {
    const { store, clock, log } = this;
    const file = new MemoryJournal();
    this.files.set(journal, file);
    this.alive.add(journal);
    const keys = journalKeys(auditKey());
    await store.putJournal(keys.signRow({ id: journal, records: 0, closed: false }));
    const numbers = sharedNumbers();
    const source = file.source();
    let served = Promise.resolve();
    let cut = noCut;
    const begin = (): Channel => {
      if (this.startFailures > 0) {
        this.startFailures -= 1;
        throw new Error('no thread');
      }
      const ends = channels();
      const isFirst = cut === noCut;
      ({ cut } = ends);
      if (isFirst && options.serve === false) return ends.near;
      const farLog = channelLog(ends.far);
      const scribe = createScribe({ store, key: auditKey(), clock, log: farLog });
      const farKeys = journalKeys(auditKey());
      const before = ingestedIn(numbers);
      served = serveIngester({
        channel: ends.far,
        numbers,
        store,
        scribe,
        log: farLog,
        ingester: (onIngested) =>
          new JournalIngester({ journal, source, keys: farKeys, store, scribe, before, onIngested }),
        end: (records) => endJournal({ source, store, keys: farKeys }, journal, records),
        onClosed: async () => farKeys.destroy(),
      });
      return ends.near;
    };
    const recorder = journalRecorder({
      journal,
      file,
      keys,
      link: ingestLink(begin, numbers, log),
      durability: options.durability ?? 'grouped',
      clock,
      log,
      onClosed: () => {
        this.alive.delete(journal);
      },
    });
    const audit = createAuditLog({
      store,
      key: auditKey(),
      clock,
      log,
      recorder,
      ...(options.sinks === undefined ? {} : { sinks: options.sinks }),
    });
    return {
      audit,
      file,
      get served() {
        return served;
      },
      cut: (error) => cut(error),
    };
  }

  /** What the next process does first. */
  async recover(): Promise<void> {
    const { folder, store, clock, log } = this;
    const scribe = createScribe({ store, key: auditKey(), clock, log });
    await recoverJournals({ folder, store, scribe, keys: journalKeys(auditKey()), workspace: A, clock, log });
  }

  /** Numbers of the events in a chain, in order. */
  chained(workspace = A): unknown[] {
    return this.store.chain(workspace).events.map(({ data }) => data['n']);
  }
}

export interface Gateway {
  readonly audit: AuditLog;
  readonly file: MemoryJournal;
  /** Resolves when the far end is done. */
  readonly served: Promise<void>;
  /** The far end dies. */
  readonly cut: (error: Error | null) => void;
}

/** Lets everything happen that needs no time to pass. */
export const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn++) await nextTurn();
};
