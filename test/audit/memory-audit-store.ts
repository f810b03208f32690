import type {
  AuditHead,
  AuditStore,
  Checkpoint,
  EventRow,
  JournalProgress,
  JournalRow,
  RecordedEvent,
} from '../../src/audit/index.ts';
import { AppError, type WorkspaceId } from '../../src/kernel/index.ts';

interface Chain {
  events: RecordedEvent[];
  head: AuditHead | null;
  checkpoints: Checkpoint[];
}

/** An AuditStore in memory whose rows a test can tamper with, and that can be told to fail. */
export class MemoryAuditStore implements AuditStore {
  readonly chains = new Map<string, Chain>();
  readonly journalRows = new Map<string, JournalRow>();
  /** Transactions that were committed. */
  transactions = 0;
  /** Runs inside of each append, before anything is written; may throw, or take its time. */
  beforeAppend: () => Promise<void> = async () => {};
  /** How many events were there at each sync that succeeded. */
  readonly synced: number[] = [];
  /** Runs inside of each sync; may throw, or take its time. */
  beforeSync: () => Promise<void> = async () => {};

  chain(workspace: WorkspaceId): Chain {
    let chain = this.chains.get(workspace);
    if (chain === undefined) {
      chain = { events: [], head: null, checkpoints: [] };
      this.chains.set(workspace, chain);
    }
    return chain;
  }

  async head(workspace: WorkspaceId): Promise<AuditHead | null> {
    return this.chain(workspace).head;
  }

  async append(
    workspace: WorkspaceId,
    events: readonly EventRow[],
    headMac: Buffer,
    progress?: JournalProgress,
  ): Promise<void> {
    await this.beforeAppend();
    if (progress !== undefined) {
      const row = this.journalRows.get(progress.row.id);
      if (row === undefined || row.closed || row.records !== progress.from) {
        throw new AppError('audit_journal_moved', 'moved', { kind: 'conflict' });
      }
    }
    const chain = this.chain(workspace);
    const last = events.at(-1);
    if (last === undefined) return;
    if ((chain.head?.hash ?? '0'.repeat(64)) !== events[0]?.previous) {
      throw new AppError('audit_chain_moved', 'moved', { kind: 'conflict' });
    }
    for (const { actor, server, data, ...rest } of events) {
      const json = { actor: JSON.parse(actor), data: JSON.parse(data) };
      chain.events.push({
        workspace,
        ...rest,
        ...json,
        ...(server === null ? {} : { server }),
      } as RecordedEvent);
    }
    if (progress !== undefined) this.journalRows.set(progress.row.id, progress.row);
    chain.head = { sequence: last.sequence, hash: last.hash, mac: headMac };
    this.transactions += 1;
  }

  async sync(): Promise<void> {
    const written = [...this.chains.values()].reduce((sum, { events }) => sum + events.length, 0);
    await this.beforeSync();
    this.synced.push(written);
  }

  async read(workspace: WorkspaceId, fromSequence: number, limit: number): Promise<readonly RecordedEvent[]> {
    return this.chain(workspace)
      .events.filter((event) => event.sequence >= fromSequence)
      .toSorted((a, b) => a.sequence - b.sequence)
      .slice(0, limit);
  }

  async addCheckpoint(checkpoint: Checkpoint): Promise<void> {
    this.chain(checkpoint.workspace).checkpoints.push(checkpoint);
  }

  async checkpoints(workspace: WorkspaceId): Promise<readonly Checkpoint[]> {
    return this.chain(workspace).checkpoints;
  }

  async journals(): Promise<readonly JournalRow[]> {
    return [...this.journalRows.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1));
  }

  async putJournal(row: JournalRow): Promise<void> {
    this.journalRows.set(row.id, row);
  }

  async forgetJournal(id: string): Promise<void> {
    this.journalRows.delete(id);
  }
}
