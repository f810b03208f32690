/** What a gateway's database shows to somebody who may open it, and what can be done to the past with it. */
import { copyFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

export interface History {
  /** As a backup would: also while a gateway runs. @returns where it is */
  backUp(name: string): string;
  /** Puts a backup in the database's place. */
  restore(path: string): void;
  edit(sql: string): void;
  /** How many calls that began were looked at for alerts. */
  watchedCalls(): number;
}

export function historyOf(home: string): History {
  const database = join(home, 'sallyport.db');
  const opened = <T>(work: (raw: DatabaseSync) => T): T => {
    const raw = new DatabaseSync(database);
    try {
      return work(raw);
    } finally {
      raw.close();
    }
  };
  return {
    backUp(name) {
      const path = join(home, name);
      opened((raw) => raw.exec(`vacuum into '${path}'`));
      return path;
    },
    restore(path) {
      for (const end of ['-wal', '-shm']) rmSync(database + end, { force: true });
      copyFileSync(path, database);
    },
    edit: (sql) => opened((raw) => raw.exec(sql)),
    watchedCalls: () =>
      opened((raw) => {
        const watched = `select sequence from streams where name = 'alerts'`;
        const calls = `select count(*) as n from audit_events where type = 'call.started' and sequence <= (${watched})`;
        return Number(raw.prepare(calls).get()?.['n']);
      }),
  };
}
