/**
 * ATTACKS 24, the audit journal: what a thief of the folder reads in what a gateway has recorded and not brought into the
 * database yet, and what `sallyport audit verify` says when it was changed there.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Secret, silentLog, systemRandom } from '../../src/kernel/index.ts';
import { loadConfig } from '../../src/main/index.ts';
import { openServices } from '../../src/main/services.ts';
import { needlesOf, tracesIn } from '../catalog/secret-traces.ts';
import { ownProgram } from '../own-process.ts';
import { makeProductHome, type ProductHome } from './product-home.ts';

const PROGRAM = join(import.meta.dirname, '../../bin/sallyport.mjs');
const CHILD = join(import.meta.dirname, '../main/recording-child.ts');
const SECRET = 'ghp_old+Value/of=the?Token&"1234567890"';
const KEY_BYTES = 32;

let home: ProductHome;
const folder = (): string => join(home.directory, 'audit-journal');
const journals = (): string[] =>
  readdirSync(folder())
    .filter((name) => /\.\d{6}$/.test(name))
    .map((name) => join(folder(), name));

afterEach(async () => {
  vi.restoreAllMocks();
  await home.dispose();
});

describe('a journal at rest', () => {
  it('holds events, and no secret, no token and no key', async () => {
    const keys: Buffer[] = [];
    const draw = systemRandom.bytes.bind(systemRandom);
    vi.spyOn(systemRandom, 'bytes').mockImplementation((length) => {
      const bytes = draw(length);
      if (length === KEY_BYTES) keys.push(Buffer.from(bytes));
      return bytes;
    });
    home = await makeProductHome();
    const server = await home.addServer('github');
    const ref = { server, serverSlug: 'github', name: 'TOKEN', owner: null };
    await home.vault.put(home.local, ref, Secret.fromString(SECRET));
    const { token } = await home.tokens.create(home.local, { profile: 'default', agent: 'a' });
    const text = token.reveal();
    const gateway = await openServices(loadConfig({ SALLYPORT_HOME: home.directory }), silentLog, {
      auditWriter: 'journal',
    });
    // As long as somebody has the database, everything stays in the journal.
    const raw = new DatabaseSync(home.database);
    raw.exec('begin immediate');
    (
      await gateway.vault.use(home.agent, ref, { kind: 'inject', data: { host: 'api.github.com' } })
    ).destroy();
    // A mistyped token, which is refused and recorded.
    void gateway.tokens.verify(`${text}x`, '127.0.0.1').catch(() => undefined);
    await vi.waitFor(() => {
      const bytes = Buffer.concat(journals().map((path) => readFileSync(path)));
      expect(bytes.includes('credential.used')).toBe(true);
      expect(bytes.includes('token.refused')).toBe(true);
    }, 10_000);
    const bytes = Buffer.concat(journals().map((path) => readFileSync(path)));
    const needles = [
      ...needlesOf(SECRET, 'ghp_'),
      ...needlesOf(text.slice(text.lastIndexOf('_') + 1)),
      ...keys.map((key) => ({ encoding: 'raw', bytes: key })),
      ...keys.map((key) => ({ encoding: 'hex', bytes: Buffer.from(key.toString('hex')) })),
    ];
    expect(keys.length).toBeGreaterThan(3);
    expect(tracesIn(bytes, needles)).toEqual([]);
    // The control: it would be found.
    expect(tracesIn(Buffer.concat([bytes, Buffer.from(SECRET)]), needles)).toContain('raw');
    raw.exec('rollback');
    raw.close();
    await gateway.close();
    expect(journals()).toEqual([]);
  });
});

describe('a journal that a killed gateway left behind', () => {
  const verify = (): Promise<{ code: number | string | null | undefined; out: string }> =>
    new Promise((resolve) => {
      const env = { PATH: process.env['PATH'], SALLYPORT_HOME: home.directory };
      execFile(process.execPath, [PROGRAM, 'audit', 'verify'], { env }, (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : error.code, out: stdout + stderr }),
      );
    });

  beforeEach(async () => {
    home = await makeProductHome();
    const raw = new DatabaseSync(home.database);
    const child = spawn(process.execPath, [...ownProgram(CHILD), home.directory, 'grouped', '0', '1'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let isHeld = false;
    for await (const line of createInterface({ input: child.stdout })) {
      if (!isHeld) raw.exec('begin immediate');
      isHeld = true;
      if (Number(line) >= 200) child.kill('SIGKILL');
    }
    if (child.signalCode === null) await once(child, 'exit');
    raw.close();
  });

  it('verifies as long as nobody touches it (the control)', async () => {
    expect(await verify()).toMatchObject({ code: 0 });
    expect(journals()).toEqual([]);
  });

  it.each<[string, (path: string) => void]>([
    [
      'an event edited',
      (path) => {
        const text = readFileSync(path, 'latin1');
        expect(text).toContain('{"n":100,');
        writeFileSync(path, text.replace('{"n":100,', '{"n":900,'), 'latin1');
      },
    ],
    [
      'a record cut out',
      (path) => {
        const records = readFileSync(path, 'latin1').split(/(?=SJ1\n)/);
        records.splice(-3, 1);
        writeFileSync(path, records.join(''), 'latin1');
      },
    ],
    ['the file deleted', (path) => rmSync(path)],
  ])('shows %s, with exit code 1', async (_what, change) => {
    for (const path of journals()) change(path);
    expect(await verify()).toMatchObject({
      code: 1,
      out: expect.stringContaining('says that a journal of a gateway was changed, or is gone') as string,
    });
  });
});

describe('a journal that somebody has written into the database', () => {
  it('is told of, and names no file outside of its folder: none is made, locked or removed', async () => {
    home = await makeProductHome();
    const directory = home.directory;
    writeFileSync(join(directory, 'victim.lock'), '');
    const before = readdirSync(directory).toSorted();
    const raw = new DatabaseSync(home.database);
    const add = raw.prepare('insert into audit_journals (id, records, closed, mac) values (?, 0, 0, ?)');
    for (const id of ['../victim', '../made', `${directory}/victim`]) add.run(id, Buffer.alloc(32));
    raw.close();
    const gateway = await openServices(loadConfig({ SALLYPORT_HOME: directory }), silentLog);
    const report = await gateway.audit.verify(gateway.workspace);
    await gateway.close();
    expect(report.problems.map(({ code }) => code)).toEqual(Array(3).fill('audit_journal_forged'));
    const after = readdirSync(directory).filter((name) => name !== 'audit-journal');
    expect(after.toSorted()).toEqual(before.filter((name) => name !== 'audit-journal'));
  });
});
