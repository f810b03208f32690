/** Packages that nobody needs any more. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { limits, type Log, silentLog, systemClock } from '../../src/kernel/index.ts';
import {
  createPackageStore,
  giveAway,
  isWithin,
  type PackageStore,
  takeBack,
} from '../../src/sandbox/index.ts';
import { removeAll } from '../../src/sandbox/packages/collect.ts';
import { removeTree } from '../../src/sandbox/packages/removal.ts';
import { treeBytes } from '../../src/sandbox/packages/staging.ts';
import { walk } from '../../src/sandbox/packages/walk.ts';

const root = mkdtempSync(join(tmpdir(), 'sallyport-collect-'));
let dir: string;
let now: number;
let store: PackageStore;
const HOUR_MS = 60 * 60 * 1_000;
const hash = (letter: string): string => `sha256-${letter.repeat(64)}`;

function put(name: string, ageMs: number): void {
  mkdirSync(join(dir, name, 'node_modules'), { recursive: true });
  writeFileSync(join(dir, name, 'node_modules/file'), 'x'.repeat(10_000), { mode: 0o444 });
  const used = new Date(now - ageMs);
  utimesSync(join(dir, name), used, used);
}

beforeEach(() => {
  dir = join(mkdtempSync(join(root, 'home-')), 'packages');
  now = systemClock.now();
  store = createPackageStore({
    dir,
    log: silentLog,
    clock: { ...systemClock, now: () => now },
    cell: { run: () => Promise.reject(new Error('nothing is installed here')) },
    installers: [],
  });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A chain of folders whose path is longer than the system takes (4096 bytes), as a program makes it that goes down step by step. */
function nest(top: string, inner = ''): void {
  const script = `
    const { chmodSync, mkdirSync, writeFileSync } = require('node:fs');
    const name = 'x'.repeat(200);
    for (let depth = 0; depth < 60; depth += 1) {
      mkdirSync(name);
      process.chdir(name);
      writeFileSync('file', 'x');
    }
    ${inner}`;
  execFileSync(process.execPath, ['-e', script], { cwd: top });
}

describe('collecting', () => {
  it('removes what is in nobody\u2019s keep and was not used for an hour, and says what that was', async () => {
    put(hash('a'), 2 * HOUR_MS);
    put(hash('b'), 2 * HOUR_MS);
    put(hash('c'), HOUR_MS - 1_000);
    const { removed, bytes } = await store.collect(new Set([hash('a')]));
    expect(removed).toEqual([hash('b')]);
    expect(bytes).toBeGreaterThan(10_000);
    expect(readdirSync(dir).sort()).toEqual([hash('a'), hash('c')]);
  });

  it('leaves alone what is no package', async () => {
    const others = ['.staging-1-2-3', 'notes', 'sha256-short'];
    for (const other of others) put(other, 2 * HOUR_MS);
    expect(await store.collect(new Set())).toEqual({ removed: [], bytes: 0 });
    expect(readdirSync(dir).sort()).toEqual(others);
  });

  it('finishes what another process left half removed', async () => {
    put('.trash-0123456789abcdef', 0);
    expect(await store.sweep()).toBe(1);
    expect(readdirSync(dir)).toEqual([]);
  });
});

describe('what cannot be removed', () => {
  it('is in the log, and keeps nothing else from being removed', async () => {
    const warned: string[] = [];
    const log: Log = { ...silentLog, warn: (event) => void warned.push(event) };
    put('.trash-11', 0);
    expect(await removeAll(dir, ['no\0name', '.trash-11'], log)).toBe(1);
    expect(readdirSync(dir)).toEqual([]);
    expect(warned).toEqual(['package.left_behind']);
  });
});

describe('a tree that hostile programs left', () => {
  const tree = (): string => {
    const made = mkdtempSync(join(root, 'tree-'));
    mkdirSync(join(made, 'deep/closed'), { recursive: true });
    writeFileSync(join(made, 'deep/closed/file'), 'x');
    writeFileSync(join(root, 'outside'), 'outside');
    chmodSync(join(root, 'outside'), 0o640);
    symlinkSync(join(root, 'outside'), join(made, 'deep/link'));
    symlinkSync(root, join(made, 'deep/folder'));
    chmodSync(join(made, 'deep/closed'), 0);
    chmodSync(join(made, 'deep'), 0o100);
    return made;
  };

  it('is taken back and removed, whatever its modes, without following a link', async () => {
    const made = tree();
    expect(await takeBack(made, 1_000_000)).toBe(true);
    expect(statSync(join(made, 'deep/closed')).mode & 0o700).toBe(0o700);
    await removeTree(tree());
    await removeTree(made);
    await removeTree(join(root, 'nothing'));
    expect(existsSync(made)).toBe(false);
    expect(statSync(join(root, 'outside')).mode & 0o777).toBe(0o640);
  });

  it('is removed although its path is longer than any can be, at the next start too', async () => {
    const made = mkdtempSync(join(root, 'nested-'));
    nest(made, "mkdirSync('closed/in', { recursive: true }); chmodSync('closed', 0); chmodSync('.', 0o100);");
    await removeTree(made);
    expect(existsSync(made)).toBe(false);

    const left = join(dir, '.staging-999999999-1-abc');
    mkdirSync(left);
    nest(left);
    expect(await store.sweep()).toBe(1);
    expect(readdirSync(dir)).toEqual([]);
  });

  it('is removed with names that are no text, and more folders than are held at a time', async () => {
    const made = mkdtempSync(join(root, 'many-'));
    writeFileSync(Buffer.concat([Buffer.from(`${made}/`), Buffer.from([0x61, 0xff, 0xfe])]), 'x');
    for (let index = 0; index < 1_500; index += 1) mkdirSync(join(made, `folder-${index}`));
    await removeTree(made);
    expect(existsSync(made)).toBe(false);
  });

  it('is too large where its paths are too long to be looked at', async () => {
    const nested = mkdtempSync(join(root, 'nested-'));
    expect(await isWithin(nested, 1_000_000)).toBe(true);
    nest(nested);
    expect(await isWithin(nested, 1_000_000_000)).toBe(false);
    expect(await takeBack(nested, 1_000_000_000)).toBe(false);
    await removeTree(nested);
  });

  it('is too large where its files say so, although nothing of them is on the disk', async () => {
    const made = mkdtempSync(join(root, 'sparse-'));
    writeFileSync(join(made, 'file'), '');
    truncateSync(join(made, 'file'), 1_000_000);
    expect(await takeBack(made, 1_010_000)).toBe(true);
    expect(await takeBack(made, 999_999)).toBe(false);
    expect(await isWithin(made, 999_999)).toBe(false);
  });

  it('is too large where its paths are, all together', async () => {
    const made = mkdtempSync(join(root, 'paths-'));
    const folder = join(made, ...Array.from({ length: 1_000 }, () => 'x'));
    mkdirSync(folder, { recursive: true });
    const count = Math.ceil(limits.packagePathsBytesMax / 2_000);
    for (let index = 0; index < count; index += 1) writeFileSync(join(folder, `${index}`), '');
    expect(await isWithin(made, 2 ** 40)).toBe(false);
    expect(await takeBack(made, 2 ** 40)).toBe(false);
    await removeTree(made);
  });

  it.each([
    ['a file', (path: Buffer) => writeFileSync(path, '')],
    ['a link to itself', (path: Buffer) => symlinkSync(path, path)],
    ['nothing', () => undefined],
  ])('is looked at to its end, although a folder becomes %s meanwhile', async (_what, become) => {
    const made = mkdtempSync(join(root, 'swapped-'));
    for (const name of ['one', 'two', 'three']) mkdirSync(join(made, name));
    writeFileSync(join(made, 'file'), '');
    const seen: string[] = [];
    await walk(Buffer.from(made), async (path) => {
      seen.push(basename(path.toString()));
      if (!lstatSync(path).isDirectory()) return false;
      rmdirSync(path);
      become(path);
      return true;
    });
    expect(seen.sort()).toEqual(['file', 'one', 'three', 'two']);
  });

  it('is given away without following a link, and keeps what can be executed so', async () => {
    const made = tree();
    expect(await takeBack(made, 1_000_000)).toBe(true);
    writeFileSync(join(made, 'program'), '', { mode: 0o755 });
    await giveAway(made);
    expect(statSync(join(root, 'outside')).mode & 0o777).toBe(0o640);
    expect(statSync(join(made, 'deep/closed')).mode & 0o777).toBe(0o777);
    expect(statSync(join(made, 'deep/closed/file')).mode & 0o777).toBe(0o666);
    expect(statSync(join(made, 'program')).mode & 0o777).toBe(0o777);
  });

  it('is measured without what its links lead to', async () => {
    const made = mkdtempSync(join(root, 'measured-'));
    writeFileSync(join(root, 'large'), 'x'.repeat(1_000_000));
    symlinkSync(join(root, 'large'), join(made, 'link'));
    writeFileSync(join(made, 'file'), 'x'.repeat(8_192));
    expect(await treeBytes(made)).toBeGreaterThanOrEqual(8_192);
    expect(await treeBytes(made)).toBeLessThan(100_000);
  });
});
