/** Counters on prepared statements: a request that is limited waits for this. */
import { limits } from '../../kernel/index.ts';
import type { CounterRepository, Flight } from '../repositories/counters.ts';
import type { SqliteConnection } from './connection.ts';

export function sqliteCounters(connection: SqliteConnection): CounterRepository {
  let prepared: ReturnType<typeof prepare> | undefined;
  const statements = (): ReturnType<typeof prepare> => (prepared ??= prepare(connection));
  const found = (workspace: string, keys: readonly string[]) =>
    keys.map((key) => {
      const row = statements().find.get(workspace, key);
      return row === undefined ? null : { amount: Number(row['amount']), atMs: Number(row['at']) };
    });

  const land = (workspace: string, flights: readonly Flight[]): void => {
    for (const { id, keys } of flights) for (const key of keys) statements().land.run(workspace, key, id);
  };

  return {
    read: (workspace, keys) => connection.read(() => found(workspace, keys)),
    count: (workspace, keys, now, decide) =>
      connection.writeLightly(() => {
        const { save, flying, enter } = statements();
        land(workspace, keys.landed ?? []);
        const counts = found(workspace, keys.counters);
        const flights = keys.flights.map((key) => Number(flying.get(workspace, key, now)?.['found'] ?? 0));
        const change = decide({ counts, flights });
        for (const { key, amount, atMs, forgetMs } of change.counters)
          save.run(workspace, key, amount, atMs, forgetMs);
        if (change.flight === null) return;
        for (const key of keys.flights) enter.run(workspace, key, change.flight.id, change.flight.untilMs);
      }),
    renew: (workspace, flights, untilMs) =>
      connection.writeLightly(() => {
        const { renew } = statements();
        for (const { id, keys } of flights) for (const key of keys) renew.run(untilMs, workspace, key, id);
      }),
    land: (workspace, flights) => connection.writeLightly(() => land(workspace, flights)),
    sweep: (now) =>
      connection.writeLightly(() => {
        const { forget, ground } = statements();
        // The clock may go back: what says nothing now may say something then.
        forget.run(now - limits.counterKeptMs);
        ground.run(now - limits.counterKeptMs);
      }),
  };
}

const prepare = (connection: SqliteConnection) => ({
  find: connection.prepare('select amount, at from counters where workspace = ? and key = ?'),
  save: connection.prepare(
    `insert into counters (workspace, key, amount, at, forget_at) values (?, ?, ?, ?, ?)
     on conflict (workspace, key) do update set amount = excluded.amount, at = excluded.at, forget_at = excluded.forget_at`,
  ),
  flying: connection.prepare(
    'select count(*) as found from flights where workspace = ? and key = ? and until > ?',
  ),
  enter: connection.prepare('insert into flights (workspace, key, id, until) values (?, ?, ?, ?)'),
  renew: connection.prepare('update flights set until = ? where workspace = ? and key = ? and id = ?'),
  land: connection.prepare('delete from flights where workspace = ? and key = ? and id = ?'),
  forget: connection.prepare('delete from counters where forget_at < ?'),
  ground: connection.prepare('delete from flights where until < ?'),
});
