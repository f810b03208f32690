import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../src/kernel/index.ts';
import { homeFiles, loadConfig } from '../../src/main/config.ts';
import { diagnose } from '../../src/main/doctor.ts';
import { lockGateway } from '../../src/main/gateway-lock.ts';
import { initHome } from '../../src/main/init.ts';
import { openServices } from '../../src/main/services.ts';

let folder: string;
let home: string;
const config = () => loadConfig({ SALLYPORT_HOME: home });
const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-init-'));
  home = join(folder, 'home');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('init', () => {
  it('makes a home for its owner only, says what it made, and leaves it alone the second time', async () => {
    const files = homeFiles(home);
    const made = await initHome(config());
    expect(made.map((sentence) => sentence.split(' ', 1)[0])).toEqual(['Made', 'Wrote', 'Made', 'Made']);
    expect(modeOf(home)).toBe('700');
    for (const file of [files.config, files.database, files.masterKey]) expect(modeOf(file)).toBe('600');
    expect(await initHome(config())).toEqual([]);
    await (await openServices(config(), silentLog)).close();
  });

  it('closes a folder to others that is empty or a home already', async () => {
    mkdirSync(home, { mode: 0o755 });
    chmodSync(home, 0o755);
    await initHome(config());
    expect(modeOf(home)).toBe('700');
    chmodSync(home, 0o755);
    await initHome(config());
    expect(modeOf(home)).toBe('700');
  });

  it('closes a home to others whatever else it holds by then: logs, certificates, files that settings name', async () => {
    await initHome(config());
    for (const folder of [homeFiles(home).logs, homeFiles(home).proxy]) mkdirSync(folder);
    for (const name of ['policy.yaml', 'audit.jsonl']) writeFileSync(join(home, name), '');
    chmodSync(home, 0o2770); // as Kubernetes makes it, for `fsGroup`
    expect(await initHome(config())).toEqual([]);
    expect(modeOf(home)).toBe('700');
  });

  it('says where the settings are that it does not write down', async () => {
    const made = await initHome(config());
    expect(made).toContain(
      `Wrote ${homeFiles(home).config} with some of the settings. All of them: docs/configuration.md.`,
    );
  });

  it('does not close a folder to others that holds other things', async () => {
    mkdirSync(home);
    chmodSync(home, 0o755);
    writeFileSync(join(home, 'thesis.tex'), '');
    await expect(initHome(config())).rejects.toMatchObject({ code: 'home_not_private' });
    expect(modeOf(home)).toBe('755');
    expect(existsSync(homeFiles(home).database)).toBe(false);
  });

  it('does not say that all is well where the master key is gone, and makes no other', async () => {
    await initHome(config());
    rmSync(homeFiles(home).masterKey);
    await expect(initHome(config())).rejects.toMatchObject({ code: 'seal_master_key_missing' });
    expect(existsSync(homeFiles(home).masterKey)).toBe(false);
  });

  it('needs no key file where the key comes from the environment', async () => {
    const fromEnvironment = loadConfig({ SALLYPORT_HOME: home, SALLYPORT_MASTER_KEY: 'a'.repeat(64) });
    await initHome(fromEnvironment);
    expect(existsSync(homeFiles(home).masterKey)).toBe(false);
    await expect(openServices(config(), silentLog)).rejects.toMatchObject({
      code: 'seal_master_key_missing',
    });
  });

  it('finishes what an interrupted one began', async () => {
    await initHome(config());
    writeFileSync(homeFiles(home).database, '');
    expect((await initHome(config())).at(-1)).toContain('sallyport.db');
  });
});

describe('a home that is not there', () => {
  it('is an error with the way out', async () => {
    await expect(openServices(config(), silentLog)).rejects.toMatchObject({
      code: 'home_missing',
      hint: 'Make one: `sallyport init`.',
    });
  });

  it('is not made by looking', async () => {
    const checks = await diagnose({ SALLYPORT_HOME: home });
    expect(checks.at(-1)).toEqual({
      name: 'home',
      ok: false,
      found: `${home} is not there`,
      fix: 'sallyport init',
    });
    expect(existsSync(home)).toBe(false);
  });
});

describe('doctor', () => {
  const check = async (name: string) =>
    (await diagnose({ SALLYPORT_HOME: home, SALLYPORT_LISTEN: '127.0.0.1:0' })).find(
      (one) => one.name === name,
    );

  it('opens the database with the key', async () => {
    await initHome(config());
    expect(await check('database and master key')).toMatchObject({ ok: true });
    expect(await check('gateway')).toMatchObject({ ok: true, found: 'not running' });
    rmSync(homeFiles(home).masterKey);
    expect(await check('database and master key')).toMatchObject({
      ok: false,
      fix: expect.any(String) as string,
    });
    expect(await check('master key')).toMatchObject({ ok: false });
  });

  it('finds a home that is open to others, with the command that closes it', async () => {
    await initHome(config());
    chmodSync(home, 0o755);
    expect(await check('home')).toMatchObject({ ok: false, fix: `chmod 700 ${home}` });
  });

  it('stops at a configuration that is wrong', async () => {
    mkdirSync(home);
    writeFileSync(homeFiles(home).config, 'lisen: 1');
    expect(await check('configuration')).toMatchObject({ ok: false });
    expect(await check('gateway')).toBeUndefined();
  });
});

describe('the lock of the gateway', () => {
  it('lets one in at a time', () => {
    mkdirSync(home);
    const path = homeFiles(home).gatewayLock;
    const unlock = lockGateway(path);
    expect(() => lockGateway(path)).toThrow(
      expect.objectContaining({ code: 'gateway_running', kind: 'conflict' }),
    );
    unlock();
    lockGateway(path)();
  });
});
