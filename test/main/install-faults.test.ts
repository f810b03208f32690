/** Installations that break: a disk without room, and a gateway that is killed at each step. Nothing is left of them. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { descendantsOf } from '../catalog/cell-processes.ts';
import { waitFor } from '../e2e/harness.ts';
import { ownProgram } from '../own-process.ts';
import { type LocalRegistry, startRegistry } from '../sandbox/local-registry.ts';
import { install, makePackageWorld } from '../sandbox/package-world.ts';

let registry: LocalRegistry;
const world = makePackageWorld(() => registry.url);
const { root } = world;
const DRIVER = join(import.meta.dirname, 'install-driver.ts');
const drivers = new Set<ChildProcess>();

beforeAll(async () => {
  registry = await startRegistry();
  registry.publish({ name: 'small', version: '1.0.0', files: { 'index.js': 'x' } });
  registry.publish({ name: 'large', version: '1.0.0', files: { data: 'x'.repeat(6_000_000) } });
  registry.publish({
    name: 'hog',
    version: '1.0.0',
    fields: { scripts: { postinstall: 'node hog.js' } },
    files: { 'hog.js': HOG },
  });
  registry.publish({
    name: 'maker',
    version: '1.0.0',
    fields: { scripts: { postinstall: 'node maker.js' } },
    files: { 'maker.js': MAKER },
  });
});
afterAll(() => {
  for (const driver of drivers) driver.kill('SIGKILL');
  registry.close();
  rmSync(root, { recursive: true, force: true });
});

const environment = () => ({ PATH: process.env['PATH'] ?? '', npm_config_registry: registry.url });

/** Writes to a file that has no name any more, and minds no error; then all is well. */
const HOG = `
  const { openSync, unlinkSync, writeSync } = require('node:fs');
  const file = openSync('hog', 'w');
  unlinkSync('hog');
  const write = (left) => {
    try { writeSync(file, Buffer.alloc(1_000_000)); } catch {}
    if (left > 0) setTimeout(write, 100, left - 1);
  };
  write(90);`;

/** Makes files for as long as there can be more; then removes them, and all is well. */
const MAKER = `
  const { closeSync, openSync, unlinkSync } = require('node:fs');
  const made = [];
  const make = (left) => {
    try { for (;;) { closeSync(openSync('made-' + made.length, 'w')); made.push('made-' + made.length); } } catch {}
    if (left > 0) return setTimeout(make, 100, left - 1);
    for (const name of made) unlinkSync(name);
  };
  make(90);`;

describe('a disk without room', () => {
  const asRoot = process.geteuid?.() === 0;
  const mounting = spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'x', '/mnt']).status === 0;

  it.skipIf(!asRoot || !mounting).each([
    ['is said to be full', '3m', 'large', ''],
    ['is not filled with what is in no folder', '64m', 'hog', 'scripts'],
    ['is not filled with files that hold nothing', '64m,nr_inodes=4000', 'maker', 'scripts'],
  ])('%s, and keeps nothing (waits for root, who may mount)', async (_, size, name, scripts) => {
    const dir = join(root, name);
    mkdirSync(dir);
    const script = 'mount -t tmpfs -o size="$6",mode=0700 x "$1" && exec "$2" "$3" "$4" "$5" "$1" "$7" "$8"';
    const spec = `npm:${name}@1.0.0`;
    const args = [
      '--mount',
      'sh',
      '-c',
      script,
      'sh',
      dir,
      process.execPath,
      ...ownProgram(DRIVER),
      size,
      spec,
      scripts,
    ];
    const driver = spawn('unshare', args, { env: environment(), stdio: ['ignore', 'pipe', 'inherit'] });
    drivers.add(driver);
    const lines: string[] = [];
    createInterface({ input: driver.stdout }).on('line', (line) => lines.push(line));
    await once(driver, 'close');
    expect(JSON.parse(lines.at(-1) ?? '')).toEqual({ code: 'package_store_full', left: [] });
  });
});

describe('a gateway that is killed while it installs', () => {
  it.each([
    ['when the cell is about to be built', 'fetching small@1.0.0'],
    ['while npm fetches', ': 1 done'],
    ['when npm is done', 'checking'],
  ])('%s: every process ends, and the next one removes what is left', async (what, step) => {
    const dir = join(root, what.replaceAll(/\W+/g, '-'));
    const driver = spawn(process.execPath, [...ownProgram(DRIVER), dir, 'npm:small@1.0.0', '', step], {
      env: environment(),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    drivers.add(driver);
    const closed = once(driver, 'close');
    let cell: readonly number[] = [];
    createInterface({ input: driver.stdout }).on('line', (line) => {
      if (!line.includes(step) || driver.killed) return;
      cell = descendantsOf(driver.pid ?? 0);
      driver.kill('SIGKILL');
    });
    await closed;
    expect(driver.signalCode).toBe('SIGKILL');
    await waitFor(() => cell.every((pid) => !isThere(pid)));
    const store = await world.store(dir);
    await store.sweep();
    expect(readdirSync(dir).filter((name) => name.startsWith('.'))).toEqual([]);
    expect((await install(store, 'npm:small@1.0.0')).version).toBe('1.0.0');
  });
});

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
