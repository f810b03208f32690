/** ATTACKS 24, rotation: the master key rotated half-way and the process killed, at every step there is. */
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Secret, systemClock, systemRandom } from '../../src/kernel/index.ts';
import { createLocalKeyFile } from '../../src/seal/index.ts';
import type { Services } from '../../src/main/services.ts';
import type { CredentialRef } from '../../src/vault/index.ts';
import { ownProgram } from '../own-process.ts';
import { makeProductHome, openHome, type ProductHome } from './product-home.ts';

const VICTIM = fileURLToPath(new URL('./rotation-victim.ts', import.meta.url));

let template: ProductHome;
let ref: CredentialRef;
let folder: string;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-attack-'));
  template = await makeProductHome();
  ref = { server: await template.addServer('github'), serverSlug: 'github', name: 'TOKEN', owner: null };
  await template.vault.put(template.local, ref, Secret.fromString('s3cret'));
  await template.close();
});

afterEach(async () => {
  await template.dispose();
  rmSync(folder, { recursive: true });
});

/** A copy of the home, as it was before any rotation. */
function copyHome(): string {
  const home = mkdtempSync(join(folder, 'home-'));
  cpSync(template.directory, home, { recursive: true });
  return home;
}

/** Runs a rotation in a process of its own. */
function rotateAndDie(home: string, dieAt: number): Promise<{ signal: string | null; out: string }> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', ...ownProgram(VICTIM), home, String(dieAt)],
      { timeout: 30_000 },
      (error, stdout, stderr) => {
        if (error !== null && child.signalCode === null) reject(new Error(stderr, { cause: error }));
        else resolve({ signal: child.signalCode, out: stdout });
      },
    );
  });
}

async function inHome<T>(home: string, work: (services: Services) => Promise<T>): Promise<T> {
  const services = await openHome(home);
  try {
    return await work(services);
  } finally {
    await services.close();
  }
}

/** What a process that starts now finds: the value opens, and the audit log, whose key is wrapped too, is whole. */
const check = (home: string): Promise<void> =>
  inHome(home, async ({ vault, audit, workspace }) => {
    const secret = await vault.use(template.agent, ref, { kind: 'scrub', data: {} });
    expect(secret.reveal()).toBe('s3cret');
    expect((await audit.verify(workspace)).problems).toEqual([]);
  });

/** Kills a rotation at one step, then checks that nothing is lost and that the next rotation ends it. */
async function surviveDeathAt(dieAt: number): Promise<boolean> {
  const home = copyHome();
  const { signal } = await rotateAndDie(home, dieAt);
  await check(home);
  const [report, status] = await inHome(home, async ({ vault }) => [
    await vault.rotateMasterKey(template.local),
    await vault.keyStatus(template.local),
  ]);
  await check(home);
  expect(status).toMatchObject({ keys: [{ id: report.to, current: true, wraps: 2 }], missing: [] });
  expect(
    readdirSync(home)
      .filter((name) => name.startsWith('master.key'))
      .toSorted(),
  ).toEqual(['master.key', 'master.key.lock']);
  return signal === 'SIGKILL';
}

it('loses nothing when the process is killed at any step, in the key file, the store or the audit log', {
  timeout: 240_000,
}, async () => {
  const steps = Number((await rotateAndDie(copyHome(), -1)).out);
  expect(steps).toBeGreaterThan(20);
  for (let dieAt = 0; dieAt < steps; dieAt += 2) {
    const pair = [dieAt, dieAt + 1].filter((at) => at < steps);
    expect(await Promise.all(pair.map(surviveDeathAt))).toEqual(pair.map(() => true));
  }
});

it('leaves a key file of before the rotation worth nothing, and one of another home too', async () => {
  const home = copyHome();
  const old = readFileSync(join(home, 'master.key'));
  await inHome(home, ({ vault }) => vault.rotateMasterKey(template.local));
  await check(home);

  const stolen = copyHome();
  cpSync(join(home, 'sallyport.db'), join(stolen, 'sallyport.db'));
  expect(readFileSync(join(stolen, 'master.key'))).toEqual(old);
  await expect(openHome(stolen)).rejects.toMatchObject({ code: 'seal_key_unknown' });
  rmSync(join(stolen, 'master.key'));
  await createLocalKeyFile(join(stolen, 'master.key'), { random: systemRandom, clock: systemClock });
  await expect(openHome(stolen)).rejects.toMatchObject({ code: 'seal_key_unknown' });
  // The control: with the key of now, the same file opens.
  cpSync(join(home, 'master.key'), join(stolen, 'master.key'));
  await check(stolen);
});
