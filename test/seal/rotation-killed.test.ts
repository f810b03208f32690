import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Secret, systemClock, systemRandom, type WorkspaceId } from '../../src/kernel/index.ts';
import {
  createKeyRing,
  createLocalKeyFile,
  localKeyProvider,
  type RowContext,
  rotateMasterKey,
} from '../../src/seal/index.ts';
import { sqliteTenantKeys } from './sqlite-tenant-keys.ts';

const random = systemRandom;
const clock = systemClock;
const VICTIM = fileURLToPath(new URL('./rotation-victim.ts', import.meta.url));
const context: RowContext = {
  workspace: 'ws_a' as WorkspaceId,
  table: 'credentials',
  row: 'crd_1',
  version: 1,
  purpose: 'value',
};

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-seal-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Runs a rotation in a process of its own. */
function rotateAndDie(
  file: string,
  database: string,
  dieAt: number,
): Promise<{ signal: string | null; out: string }> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', VICTIM, file, database, String(dieAt)],
      { timeout: 30_000 },
      (error, stdout, stderr) => {
        if (error !== null && child.signalCode === null) reject(new Error(stderr, { cause: error }));
        else resolve({ signal: child.signalCode, out: stdout });
      },
    );
  });
}

/** Kills a rotation at one step, then checks that nothing is lost and that the next rotation ends it. */
async function surviveDeathAt(dieAt: number): Promise<boolean> {
  const home = await mkdtemp(join(folder, 'home-'));
  const file = join(home, 'master.key');
  const store = sqliteTenantKeys(join(home, 'store.db'));
  await createLocalKeyFile(file, { random, clock });
  const fresh = () => {
    const provider = localKeyProvider({ file, random, clock });
    return { provider, ring: createKeyRing({ provider, store, random, clock }) };
  };
  const before = fresh().ring;
  const sealed = await before.sealValue(Secret.fromString('s3cret'), context);
  const auditKey = await before.purposeKey(context.workspace, 'audit');
  const check = async (): Promise<void> => {
    const { ring } = fresh();
    expect((await ring.openValue(sealed, context)).reveal()).toBe('s3cret');
    expect((await ring.purposeKey(context.workspace, 'audit')).equals(auditKey)).toBe(true);
  };

  const { signal } = await rotateAndDie(file, join(home, 'store.db'), dieAt);
  await check();
  const { provider } = fresh();
  const report = await rotateMasterKey({ provider, store, random });
  await check();
  expect(await provider.all()).toMatchObject([{ id: report.to, current: true }]);
  expect(new Set((await store.list()).map((row) => row.masterKeyId))).toEqual(new Set([report.to]));
  expect((await readdir(home)).filter((name) => name.startsWith('master.key')).sort()).toEqual([
    'master.key',
    'master.key.lock',
  ]);
  store.close();
  return signal === 'SIGKILL';
}

it('loses nothing when the process is killed at any step, in the key file or in the store', {
  timeout: 180_000,
}, async () => {
  const home = await mkdtemp(join(folder, 'home-'));
  const file = join(home, 'master.key');
  await createLocalKeyFile(file, { random, clock });
  const store = sqliteTenantKeys(join(home, 'store.db'));
  const provider = localKeyProvider({ file, random, clock });
  const ring = createKeyRing({ provider, store, random, clock });
  await ring.sealValue(Secret.fromString('s3cret'), context);
  await ring.purposeKey(context.workspace, 'audit');
  store.close();
  const steps = Number((await rotateAndDie(file, join(home, 'store.db'), -1)).out);
  expect(steps).toBeGreaterThan(20);
  for (let dieAt = 0; dieAt < steps; dieAt += 2) {
    const pair = [dieAt, dieAt + 1].filter((at) => at < steps);
    expect(await Promise.all(pair.map(surviveDeathAt))).toEqual(pair.map(() => true));
  }
});
