/**
 * The open database file: one `node:sqlite` connection, its pragmas, and the one place where what SQLite
 * reports becomes an error of ours. Trusts the file's owner, not its contents.
 */
import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from 'node:sqlite';
import { isAppError, limits } from '../../kernel/index.ts';
import { storeClosed, storeConflict, storeCorrupt, storeLocked, storeUnavailable } from '../errors.ts';
import { ConnectionLock } from './lock.ts';

/** Primary result codes, https://sqlite.org/rescode.html */
const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;
const SQLITE_CORRUPT = 11;
const SQLITE_CONSTRAINT = 19;
const SQLITE_NOTADB = 26;

export type Row = Record<string, SQLOutputValue>;

/**
 * `full`: a commit that was reported is on the disk, in write-ahead mode too. `normal`: it is in the operating system's
 * hands and outlives the end of the process; what is on the disk is whole, and `sqliteAuditWriter` syncs it.
 */
export type Synchronous = 'full' | 'normal';

const PRAGMAS = `
  pragma journal_mode = wal;
  pragma foreign_keys = on;
  pragma secure_delete = on;
  pragma trusted_schema = off;
  pragma temp_store = memory;
  pragma wal_autocheckpoint = ${limits.storeCheckpointPages};
`;

export class SqliteConnection {
  readonly path: string;
  readonly lock = new ConnectionLock();
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #light: StatementSync;
  readonly #durable: StatementSync;

  private constructor(path: string, database: DatabaseSync, synchronous: Synchronous) {
    this.path = path;
    this.#database = database;
    this.#begin = this.prepare('begin immediate');
    this.#commit = this.prepare('commit');
    this.#light = this.prepare('pragma synchronous = normal');
    this.#durable = this.prepare(`pragma synchronous = ${synchronous}`);
  }

  /** @throws AppError `store_corrupt`, `store_locked`, `store_unavailable` */
  static open(
    path: string,
    busyTimeoutMs: number = limits.storeBusyTimeoutMs,
    synchronous: Synchronous = 'full',
  ): SqliteConnection {
    const database = translating(
      path,
      () =>
        new DatabaseSync(path, {
          timeout: busyTimeoutMs,
          allowExtension: false,
          defensive: true,
        }),
    );
    try {
      translating(path, () => database.exec(`${PRAGMAS} pragma synchronous = ${synchronous};`));
      return new SqliteConnection(path, database, synchronous);
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /** A statement that is compiled once and kept. Only for a fixed set of texts. */
  prepare(sql: string): StatementSync {
    return this.guard(() => this.#database.prepare(sql));
  }

  /** Like `prepare`, for the query builder's texts: those used last are kept, up to a bound. */
  cached(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.prepare(sql);
      if (this.#statements.size >= limits.storeStatementsMax) {
        const oldest = this.#statements.keys().next();
        if (!oldest.done) this.#statements.delete(oldest.value);
      }
    } else {
      this.#statements.delete(sql);
    }
    this.#statements.set(sql, statement);
    return statement;
  }

  exec(sql: string): void {
    this.guard(() => this.#database.exec(sql));
  }

  all(sql: string, ...parameters: SQLInputValue[]): Row[] {
    return this.guard(() => this.#database.prepare(sql).all(...parameters));
  }

  /** One column of one row, as a whole number. */
  number(sql: string): number {
    const [row] = this.all(sql);
    const [value] = Object.values(row ?? {});
    return Number(value ?? 0);
  }

  /** Synchronous reads in a turn of their own. */
  read<T>(work: () => T): Promise<T> {
    return this.lock.run(() => this.guard(work));
  }

  /** Synchronous writes in a turn and a transaction of their own. */
  write<T>(work: () => T): Promise<T> {
    return this.lock.run(() => this.immediate(work));
  }

  /** The same for what need not be on the disk at once: it outlives the end of the process, and not in every case the machine. */
  writeLightly<T>(work: () => T): Promise<T> {
    return this.lock.run(() => {
      // Not to be changed within a transaction; nobody else gets a turn meanwhile.
      this.guard(() => this.#light.run());
      try {
        return this.immediate(work);
      } finally {
        this.guard(() => this.#durable.run());
      }
    });
  }

  /** Synchronous work in one transaction that takes the write lock at its start. */
  immediate<T>(work: () => T): T {
    this.guard(() => this.#begin.run());
    try {
      const result = work();
      this.#commit.run();
      return result;
    } catch (error) {
      this.rollback();
      throw this.translated(error);
    }
  }

  /** Ends a transaction that SQLite may have ended by itself already (disk full, for one). */
  rollback(): void {
    try {
      this.#database.exec('rollback');
    } catch {
      // Nothing was open: the state that was asked for.
    }
  }

  guard<T>(work: () => T): T {
    return translating(this.path, work);
  }

  translated(error: unknown): unknown {
    return translate(this.path, error);
  }

  /** Moves what is in the write-ahead log into the file, then lets go of both. */
  close(): void {
    this.#statements.clear();
    try {
      this.#database.exec('pragma wal_checkpoint(truncate)');
    } catch {
      // Another process is reading: the log stays, complete, and the last one to close folds it in.
    }
    this.#database.close();
  }
}

function translating<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw translate(path, error);
  }
}

function translate(path: string, error: unknown): unknown {
  if (isAppError(error) || !(error instanceof Error)) return error;
  if ('code' in error && error.code === 'ERR_INVALID_STATE') return storeClosed();
  // A number that none of ours could be: the store writes safe integers only.
  if ('code' in error && error.code === 'ERR_OUT_OF_RANGE') return storeCorrupt(path, error.message, error);
  if (!('errcode' in error)) return error;
  const code = Number(error.errcode) & 0xff;
  switch (code) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return storeLocked(path, error);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return storeCorrupt(path, error.message, error);
    case SQLITE_CONSTRAINT:
      return storeConflict('It is already there, or something else still refers to it.', error);
    default:
      return storeUnavailable(path, error.message, error);
  }
}
