/**
 * The audit log and the vault against bare inserts of the same rows into SQLite, in one run on one machine: so many
 * authors at a time who each wait for their event, or for a credential, before they go on. `main` is what one costs the
 * thread that the gateway speaks TLS in, `all` what it costs all threads. Prints a table.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AuditEvent } from '../src/audit/index.ts';
import { newId, Secret, silentLog, systemClock, systemRandom } from '../src/kernel/index.ts';
import { initHome, loadConfig } from '../src/main/index.ts';
import { openServices, type ServicesOptions } from '../src/main/services.ts';
import type { Purpose } from '../src/vault/index.ts';

const ROUNDS = 3;
const AUTHORS = [1, 32, 256];
const events = (authors: number): number => (authors === 1 ? 10_000 : 60_000);

const FOR = {
  calls: [{ actor: 'token:bench', id: 'call_0123456789abcdef', tool: 'search_repositories' }],
  host: 'api.github.com',
  method: 'GET',
  path: '/search/repositories',
  port: 443,
  request: 'req_0123456789abcdef',
  scheme: 'https',
};
const DATA = { credential: 'crd_0123456789abcdef', for: FOR, name: 'TOKEN', owner: null, version: 1 };

interface Measured {
  readonly perSecond: number;
  /** Microseconds of processor time for each. */
  readonly mainUs: number;
  readonly allUs: number;
}

/** The best of several rounds: other programs only ever make it slower. */
async function measure(count: number, work: () => Promise<void>): Promise<Measured> {
  let best: Measured | null = null;
  for (let round = 0; round < ROUNDS; round += 1) {
    const [main, all, start] = [process.threadCpuUsage(), process.cpuUsage(), performance.now()];
    await work();
    const perSecond = (count / (performance.now() - start)) * 1_000;
    const [mainUsed, allUsed] = [process.threadCpuUsage(main), process.cpuUsage(all)];
    const mainUs = (mainUsed.user + mainUsed.system) / count;
    const allUs = (allUsed.user + allUsed.system) / count;
    if (best === null || perSecond > best.perSecond) best = { perSecond, mainUs, allUs };
  }
  if (best === null) throw new Error('no round');
  return best;
}

async function byAuthors(authors: number, one: () => Promise<unknown>): Promise<Measured> {
  const each = Math.ceil(events(authors) / authors);
  return measure(each * authors, async () => {
    await Promise.all(
      Array.from({ length: authors }, async () => {
        for (let n = 0; n < each; n += 1) await one();
      }),
    );
  });
}

const folder = mkdtempSync(join(tmpdir(), 'sallyport-bench-'));

/** Rows like those of the log, as many in a transaction as there are authors. */
async function bareInserts(authors: number, synchronous: 'normal' | 'full'): Promise<Measured> {
  const database = new DatabaseSync(join(folder, `bare-${authors}-${synchronous}.db`));
  database.exec(`pragma journal_mode = wal; pragma synchronous = ${synchronous};
    create table events (workspace text, sequence integer, at integer, type text, actor text, server text, data text,
      previous text, hash text, primary key (workspace, sequence)) strict, without rowid`);
  const insert = database.prepare('insert into events values (?, ?, ?, ?, ?, ?, ?, ?, ?)');
  const begin = database.prepare('begin immediate');
  const commit = database.prepare('commit');
  const [data, hash] = [JSON.stringify(DATA), 'a'.repeat(64)];
  const each = Math.ceil(events(authors) / authors);
  let sequence = 0;
  const measured = await measure(each * authors, async () => {
    for (let n = 0; n < each; n += 1) {
      begin.run();
      for (let author = 0; author < authors; author += 1) {
        sequence += 1;
        insert.run('ws', sequence, sequence, 'credential.used', '{"kind":"cell"}', 'api', data, hash, hash);
      }
      commit.run();
    }
  });
  database.close();
  return measured;
}

const print = (line: string): void => void process.stdout.write(`${line}\n`);
const row = (...cells: readonly string[]): string =>
  cells.map((cell, index) => cell.padEnd(index === 0 ? 38 : 13)).join('');
const report = (what: string, authors: number, measured: Measured, bare: Measured): void =>
  print(
    row(
      what,
      String(authors),
      Math.round(measured.perSecond).toLocaleString('en'),
      `${measured.mainUs.toFixed(1)} µs`,
      `${measured.allUs.toFixed(1)} µs`,
      `${(measured.perSecond / bare.perSecond).toFixed(2)}x`,
    ),
  );

const WRITERS: readonly (readonly [
  string,
  'grouped' | 'strict',
  NonNullable<ServicesOptions['auditWriter']>,
])[] = [
  ['grouped', 'grouped', 'journal'],
  ['strict', 'strict', 'journal'],
  ['strict, in a command', 'strict', 'own'],
];

print(row('', 'authors', 'per second', 'main', 'all', 'of bare'));
for (const [name, durability, auditWriter] of WRITERS) {
  const home = join(folder, name.replaceAll(/[^a-z]/g, ''));
  mkdirSync(home, { mode: 0o700 });
  const config = loadConfig({ SALLYPORT_HOME: home, SALLYPORT_AUDIT_DURABILITY: durability });
  await initHome(config);
  const services = await openServices(config, silentLog, { auditWriter });
  const { workspace, store, vault, audit } = services;
  const server = { id: newId<'server'>('srv', systemRandom), slug: 'api' };
  const now = systemClock.now();
  await store.servers.insert(workspace, {
    ...server,
    manifest: {},
    manifestHash: '',
    source: 'bench',
    package: null,
    enabled: true,
    createdAt: now,
    updatedAt: now,
  });
  const ref = { server: server.id, serverSlug: server.slug, name: 'TOKEN', owner: null };
  const operator = { workspace, actor: { kind: 'local' as const, id: '0' } };
  await vault.put(operator, ref, Secret.fromString('ghp_0123456789abcdefghij0123456789abcdef'));
  const caller = { workspace, actor: { kind: 'cell' as const, id: 'cel_0123456789abcdef' } };
  const purpose: Purpose = { kind: 'inject', data: FOR };
  const event: AuditEvent = {
    workspace,
    type: 'egress.finished',
    actor: caller.actor,
    server: server.slug,
    data: DATA,
  };

  for (const authors of AUTHORS) {
    const bare = await bareInserts(authors, durability === 'grouped' ? 'normal' : 'full');
    report(`bare inserts, synchronous ${durability === 'grouped' ? 'normal' : 'full'}`, authors, bare, bare);
    report(`events, ${name}`, authors, await byAuthors(authors, () => audit.record(event)), bare);
    const used = await byAuthors(authors, async () => {
      (await vault.use(caller, ref, purpose)).destroy();
    });
    report(`audited uses of a credential, ${name}`, authors, used, bare);
    rmSync(join(folder, `bare-${authors}-full.db`), { force: true });
    rmSync(join(folder, `bare-${authors}-normal.db`), { force: true });
  }
  const verified = await audit.verify(workspace);
  if (!verified.ok) throw new Error('the chain does not verify');
  await services.close();
}
rmSync(folder, { recursive: true });
