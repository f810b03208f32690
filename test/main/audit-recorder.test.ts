/** The audit log as a gateway writes it: a journal, and a thread that brings it into the home's database. Nothing stands in. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AuditEvent, Durability, RecordedEvent } from '../../src/audit/index.ts';
import { type Log, Secret, silentLog, type WorkspaceId } from '../../src/kernel/index.ts';
import { loadConfig } from '../../src/main/index.ts';
import { openServices, type Services } from '../../src/main/services.ts';
import { makeProductHome, type ProductHome } from '../attacks/product-home.ts';
import { ownProgram } from '../own-process.ts';

const CHILD = fileURLToPath(new URL('recording-child.ts', import.meta.url));
const CRASHES = 6;
/** Between the first numbers of two gateways: more than one records. */
const STRIDE = 1_000_000;
const event = (workspace: WorkspaceId, n: number): AuditEvent => ({
  workspace,
  type: 'egress.finished',
  actor: { kind: 'cell', id: 'cel_1' },
  data: { n },
});

let home: ProductHome;
const folder = (): string => join(home.directory, 'audit-journal');
/** Files of journals. */
const segments = (): string[] => readdirSync(folder()).filter((name) => /\.\d{6}$/.test(name));
const numbersOf = (events: readonly RecordedEvent[]): number[] =>
  events.flatMap(({ data }) => (typeof data['n'] === 'number' ? [data['n']] : []));

async function exported(services: Pick<Services, 'audit' | 'workspace'>): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = [];
  for await (const one of services.audit.export(services.workspace)) events.push(one);
  return events;
}

const gateway = (durability: Durability = 'grouped', log: Log = silentLog): Promise<Services> =>
  openServices(loadConfig({ SALLYPORT_HOME: home.directory, SALLYPORT_AUDIT_DURABILITY: durability }), log, {
    auditWriter: 'journal',
  });

/**
 * A gateway records until it is killed, which is at whatever moment it has acknowledged so many.
 * @returns the last number that it acknowledged
 */
async function killed(durability: Durability, first: number, count: number): Promise<number> {
  // Every other time, events so long that the journal goes on in another file several times.
  const chars = (first / STRIDE) % 2 === 0 ? 0 : 40_000;
  const args = [home.directory, durability, first, 0, chars].map(String);
  const child = spawn(process.execPath, [...ownProgram(CHILD), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let last = first - 1;
  for await (const line of createInterface({ input: child.stdout })) {
    last = Number(line);
    if (last >= first + count) child.kill('SIGKILL');
  }
  if (child.signalCode === null) await once(child, 'exit');
  expect(child.signalCode).toBe('SIGKILL');
  return last;
}

beforeEach(async () => {
  home = await makeProductHome();
});

afterEach(async () => {
  await home.dispose();
});

describe.each(['grouped', 'strict'] as const)('an audit log behind a journal, %s', (durability) => {
  let services: Services;

  beforeEach(async () => {
    services = await gateway(durability);
  });

  afterEach(async () => {
    await services.close();
  });

  it('records in order, beside a process that records as well', async () => {
    const { audit, workspace } = services;
    const before = (await home.events()).length;
    const mine = Array.from({ length: 50 }, (_, n) => audit.append(event(workspace, n)));
    const theirs = Array.from({ length: 50 }, (_, n) => home.audit.append(event(workspace, 100 + n)));
    const sequences = (await Promise.all([...mine, ...theirs])).map(({ sequence }) => sequence);
    expect(sequences.toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 100 }, (_, n) => before + 1 + n),
    );
    const numbers = numbersOf((await home.events()).slice(before));
    expect(numbers.filter((n) => n < 100)).toEqual(Array.from({ length: 50 }, (_, n) => n));
    for (const log of [audit, home.audit]) expect((await log.verify(workspace)).problems).toEqual([]);
  });

  it('has a use of a credential on record when the value comes out', async () => {
    const server = await home.addServer('github');
    const ref = { server, serverSlug: 'github', name: 'TOKEN', owner: null };
    await home.vault.put(home.local, ref, Secret.fromString('ghp_first'));
    for (let use = 1; use <= 3; use++) {
      using secret = await services.vault.use(home.agent, ref, { kind: 'inject', data: { use } });
      expect(secret.reveal()).toBe('ghp_first');
      const used = (await exported(services)).filter(({ type }) => type === 'credential.used');
      expect(used.map(({ data }) => data['for'])).toEqual(
        Array.from({ length: use }, (_, n) => ({ use: n + 1 })),
      );
    }
  });

  it('leaves this thread to do other things', async () => {
    const { audit, store, workspace } = services;
    Object.assign(store.audit, { append: () => Promise.reject(new Error('written by this thread')) });
    expect(await audit.append(event(workspace, 1))).toMatchObject({ data: { n: 1 } });
  });

  it('signs a checkpoint at its end, and refuses what comes later', async () => {
    const { audit, workspace } = services;
    await audit.record(event(workspace, 1));
    await services.close();
    const head = await home.store.audit.head(workspace);
    expect((await home.store.audit.checkpoints(workspace)).at(-1)?.sequence).toBe(head?.sequence);
    await expect(audit.record(event(workspace, 2))).rejects.toMatchObject({
      code: 'audit_unavailable',
      detail: { reason: 'audit_closed' },
    });
  });

  it('leaves nothing behind when it is closed', async () => {
    expect(segments()).toHaveLength(1);
    await services.audit.append(event(services.workspace, 1));
    await services.close();
    expect(readdirSync(folder())).toEqual(['lock']);
    expect(await home.store.audit.journals()).toEqual([]);
    expect(existsSync(`${home.database}-wal`)).toBe(true); // the other process is there
    await home.close();
    expect(existsSync(`${home.database}-wal`)).toBe(false);
  });

  it('has everything that it acknowledged after kill -9, once, at whatever moment that comes', async () => {
    const { workspace } = services;
    const acknowledged: number[] = [];
    for (let crash = 0; crash < CRASHES; crash++) {
      const first = crash * STRIDE;
      const last = await killed(durability, first, 50 + Math.floor(Math.random() * 800));
      for (let n = first; n <= last; n++) acknowledged.push(n);
    }
    const after = await home.another();
    const numbers = numbersOf(await exported(after));
    expect(numbers).toEqual([...new Set(numbers)]);
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    const recorded = new Set(numbers);
    expect(acknowledged.filter((n) => !recorded.has(n))).toEqual([]);
    expect((await after.audit.verify(workspace)).problems).toEqual([]);
    // The log goes on from there, here as well, and what is left is what is in use.
    await services.audit.record(event(workspace, -1));
    expect((await services.audit.verify(workspace)).problems).toEqual([]);
    expect([segments().length, (await home.store.audit.journals()).length]).toEqual([1, 1]);
  });
});

describe('journals on disk', () => {
  it('are for the eyes of their owner only', async () => {
    const services = await gateway();
    await services.audit.record(event(services.workspace, 1));
    expect(statSync(folder()).mode & 0o777).toBe(0o700);
    for (const name of readdirSync(folder())) {
      expect(statSync(join(folder(), name)).mode & 0o777, name).toBe(0o600);
    }
    await services.close();
  });

  it('are left alone by commands while their gateways live', async () => {
    const [one, two] = [await gateway(), await gateway()];
    for (const [n, { audit, workspace }] of [one, two].entries()) await audit.record(event(workspace, n));
    await home.another();
    expect(segments()).toHaveLength(2);
    await Promise.all([one, two].map(({ audit, workspace }) => audit.append(event(workspace, 9))));
    expect(numbersOf(await exported(home)).toSorted((a, b) => a - b)).toEqual([0, 1, 9, 9]);
    for (const services of [one, two]) await services.close();
    expect((await home.audit.verify(home.workspace)).problems).toEqual([]);
    expect(segments()).toEqual([]);
  });

  it('go on in another file when one is full, and do not grow', async () => {
    const services = await gateway();
    const { audit, workspace } = services;
    const text = 'x'.repeat(60_000);
    const most: number[] = [];
    for (let n = 0; n < 400; n++) {
      await audit.record({ ...event(workspace, n), data: { n, text } });
      most.push(segments().length);
    }
    expect(Math.max(...most)).toBeGreaterThan(1);
    expect(numbersOf(await exported(services))).toEqual(Array.from({ length: 400 }, (_, n) => n));
    expect(segments().length).toBe(1);
    expect(segments()[0]).toMatch(/\.00000[3-9]$/);
    await services.close();
  });
});

describe('a journal that a killed gateway left behind', () => {
  /** One whose records are all still in it: nothing brings them into the chain. */
  async function leftBehind(): Promise<string> {
    const locked = new DatabaseSync(home.database);
    const child = spawn(process.execPath, [...ownProgram(CHILD), home.directory, 'grouped', '0', '1'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let isLocked = false;
    for await (const line of createInterface({ input: child.stdout })) {
      if (!isLocked) locked.exec('begin immediate');
      isLocked = true;
      if (Number(line) >= 400) child.kill('SIGKILL');
    }
    if (child.signalCode === null) await once(child, 'exit');
    locked.exec('rollback');
    locked.close();
    const [name] = segments();
    if (name === undefined) throw new Error('nothing was left');
    return join(folder(), name);
  }

  it('comes into the chain with the next command, torn or not', async () => {
    const path = await leftBehind();
    truncateSync(path, statSync(path).size - 5);
    const { audit } = await home.another();
    const numbers = numbersOf(await exported(home));
    expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, n) => n));
    expect(numbers.length).toBeGreaterThan(300);
    expect((await audit.verify(home.workspace)).problems).toEqual([]);
    expect(segments()).toEqual([]);
  });

  it('is set aside where it was edited, and the log says so', async () => {
    const path = await leftBehind();
    const bytes = readFileSync(path);
    bytes[bytes.length - 50] = (bytes[bytes.length - 50] ?? 0) ^ 1;
    writeFileSync(path, bytes);
    const after = await home.another();
    const { problems } = await after.audit.verify(home.workspace);
    expect(problems.map(({ code }) => code)).toEqual(['audit_journal_forged']);
    expect((await exported(after)).at(-1)).toMatchObject({
      type: 'audit.journal_forged',
      data: { fault: 'forged' },
    });
    expect(existsSync(`${path}.rejected`)).toBe(true);
    expect(segments()).toEqual([]);
    // Nobody is told of it again, and the log goes on.
    const later = await home.another();
    await later.audit.append(event(home.workspace, -1));
    expect((await later.audit.verify(home.workspace)).problems).toHaveLength(1);
  });

  it('is missed where it was deleted', async () => {
    rmSync(await leftBehind());
    const { audit } = await home.another();
    expect((await audit.verify(home.workspace)).problems).toMatchObject([{ code: 'audit_journal_forged' }]);
  });

  it('is not taken from another home', async () => {
    const foreign = await leftBehind();
    const bytes = readFileSync(foreign);
    await home.dispose();
    home = await makeProductHome();
    mkdirSync(folder(), { mode: 0o700 });
    appendFileSync(join(folder(), '000000000000001-0123456789abcdef.000001'), bytes, { mode: 0o600 });
    const { audit } = await home.another();
    expect(numbersOf(await exported(home))).toEqual([]);
    expect((await audit.verify(home.workspace)).problems).toMatchObject([{ code: 'audit_journal_forged' }]);
  });

  it('waits while the chain itself cannot be trusted, and verification runs', async () => {
    await home.audit.append(event(home.workspace, -1));
    const path = await leftBehind();
    const raw = new DatabaseSync(home.database);
    const mac = raw.prepare('select mac from audit_heads').get()?.['mac'] ?? null;
    raw.exec('update audit_heads set mac = zeroblob(32)');
    const lines: string[] = [];
    const services = await gateway('grouped', { ...silentLog, error: (what) => void lines.push(what) });
    expect(lines).toEqual(['audit_journal_left']);
    expect((await services.audit.verify(home.workspace)).problems).toMatchObject([
      { code: 'head_mac_wrong' },
    ]);
    await expect(services.audit.append(event(home.workspace, 1))).rejects.toMatchObject({
      detail: { reason: 'audit_head_forged' },
    });
    await services.close();
    expect(existsSync(path)).toBe(true);
    raw.prepare('update audit_heads set mac = ?').run(mac);
    raw.close();
    const after = await home.another();
    expect(numbersOf(await exported(after)).length).toBeGreaterThan(300);
    expect((await after.audit.verify(home.workspace)).problems).toEqual([]);
  });
});

describe('a gateway whose database is locked by somebody else', () => {
  it('goes on recording for a moment, then refuses, then goes on', async () => {
    const services = await gateway();
    const { audit, workspace } = services;
    const raw = new DatabaseSync(home.database);
    raw.exec('begin immediate');
    const waiting = audit.append(event(workspace, 1));
    await audit.record(event(workspace, 2));
    await expect(waiting).rejects.toMatchObject({ detail: { reason: 'store_locked' } });
    await expect(audit.record(event(workspace, 3))).rejects.toMatchObject({
      code: 'audit_unavailable',
      detail: { reason: 'store_locked' },
    });
    raw.exec('rollback');
    raw.close();
    await audit.verify(workspace);
    await audit.record(event(workspace, 4));
    expect(numbersOf(await exported(services))).toEqual([1, 2, 4]);
    await services.close();
  });
});

describe('an audit log whose thread cannot start', () => {
  it('records nothing, and says so, until it can', async () => {
    const services = await gateway();
    await services.close();
    const { journaledRecorder } = await import('../../src/main/audit-recorder.ts');
    const { createAuditLog } = await import('../../src/audit/index.ts');
    const { systemClock: clock, systemRandom: random } = await import('../../src/kernel/index.ts');
    const gone = Promise.withResolvers<string>();
    const key = Secret.fromBytes(Buffer.alloc(32));
    // Its chain begins here, with this key.
    const { store, other: workspace } = home;
    const log = { ...silentLog, error: (what: string) => gone.resolve(what) };
    const database = join(home.directory, 'later', basename(home.database));
    const recording = { database, folder: folder(), store, workspace, key, clock, random, log };
    const recorder = await journaledRecorder(recording, 'grouped');
    const audit = createAuditLog({ store: store.audit, key, clock, log, recorder });
    key.destroy();
    expect(await gone.promise).toBe('audit_writer_gone');
    await expect(audit.record(event(workspace, 1))).rejects.toMatchObject({
      code: 'audit_unavailable',
      detail: { reason: 'audit_writer_gone' },
    });
    symlinkSync(home.directory, join(home.directory, 'later'));
    await expect
      .poll(() => audit.append(event(workspace, 2)).catch(() => null), { timeout: 20_000 })
      .toMatchObject({ data: { n: 2 } });
    await audit.close();
    expect(segments()).toEqual([]);
  });
});
