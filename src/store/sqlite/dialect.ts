/**
 * Kysely on `node:sqlite`. Kysely's own driver is made for another library's statement object, and knows
 * nothing of the lock that the hot paths share; its compiler, adapter and introspector are used as they are.
 */
import {
  type CompiledQuery,
  type DatabaseConnection,
  type DatabaseIntrospector,
  type Dialect,
  type Driver,
  type Kysely,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import type { SQLInputValue } from 'node:sqlite';
import type { SqliteConnection } from './connection.ts';

export function sqliteDialect(connection: SqliteConnection): Dialect {
  return {
    createAdapter: () => new QueuingAdapter(),
    createDriver: () => new SqliteDriver(connection),
    createIntrospector: (db: Kysely<unknown>): DatabaseIntrospector => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
}

/** There is one connection, but the driver hands it out in turns by itself: no second queue before it. */
class QueuingAdapter extends SqliteAdapter {
  override get supportsMultipleConnections(): boolean {
    return true;
  }
}

class SqliteDriver implements Driver {
  readonly #connection: SqliteConnection;
  readonly #queries: Queries;

  constructor(connection: SqliteConnection) {
    this.#connection = connection;
    this.#queries = new Queries(connection);
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    await this.#connection.lock.acquire();
    return this.#queries;
  }

  async releaseConnection(): Promise<void> {
    this.#connection.lock.release();
  }

  /** Immediate: a transaction that starts by reading could otherwise fail when it comes to write. */
  async beginTransaction(): Promise<void> {
    this.#connection.exec('begin immediate');
  }

  async commitTransaction(): Promise<void> {
    this.#connection.exec('commit');
  }

  async rollbackTransaction(): Promise<void> {
    this.#connection.rollback();
  }

  /** The connection belongs to whoever opened it. */
  async destroy(): Promise<void> {}
}

class Queries implements DatabaseConnection {
  readonly #connection: SqliteConnection;

  constructor(connection: SqliteConnection) {
    this.#connection = connection;
  }

  async executeQuery<Result>(query: CompiledQuery): Promise<QueryResult<Result>> {
    const statement = this.#connection.cached(query.sql);
    const parameters = query.parameters.map(bindable);
    return this.#connection.guard(() => {
      if (statement.columns().length > 0) {
        // The query builder's types say what the rows are; its compiler wrote the statement.
        return { rows: statement.all(...parameters) as Result[] };
      }
      const { changes } = statement.run(...parameters);
      return { rows: [], numAffectedRows: BigInt(changes) };
    });
  }

  streamQuery<Result>(): AsyncIterableIterator<QueryResult<Result>> {
    throw new Error('the store reads in pages and does not stream');
  }
}

function bindable(value: unknown): SQLInputValue {
  if (
    value === null ||
    typeof value === 'string' ||
    typeof value === 'number' ||
    value instanceof Uint8Array
  ) {
    return value;
  }
  throw new TypeError(`a ${typeof value} cannot be stored`);
}
