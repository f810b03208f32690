import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { InstalledPackage, PackageStore } from '../../src/sandbox/index.ts';
import { findNpm } from '../../src/sandbox/packages/npm.ts';
import { type LocalRegistry, startRegistry } from './local-registry.ts';
import { install, makePackageWorld } from './package-world.ts';

let registry: LocalRegistry;
const world = makePackageWorld(() => registry.url);
const { root } = world;
const storeAt = (dir: string, variables: Record<string, string> = {}): Promise<PackageStore> =>
  world.store(dir, { variables });

const silent = (): void => undefined;

beforeAll(async () => {
  registry = await startRegistry();
  const bin = '#!/usr/bin/env node\nconsole.log("hello from the package");\n';
  registry.publish({ name: 'helper', version: '1.2.0', files: { 'index.js': 'module.exports = 1;\n' } });
  registry.publish({
    name: 'scripted',
    version: '3.0.0',
    fields: { scripts: { postinstall: `touch ${join(root, 'script-ran')}` } },
  });
  for (const version of ['1.0.0', '1.1.0']) {
    registry.publish({
      name: '@acme/server',
      version,
      fields: { bin: { 'acme-server': 'cli.js' }, dependencies: { helper: '^1.0.0', scripted: '*' } },
      files: { 'cli.js': bin, 'lib/data.txt': 'data' },
    });
  }
  registry.publish({ name: 'plain', version: '0.1.0', fields: { bin: 'run.js' }, files: { 'run.js': bin } });
});
afterAll(() => {
  registry.close();
  rmSync(root, { recursive: true, force: true });
});

describe('installing', () => {
  const dir = join(root, 'store');
  let installed: InstalledPackage;

  it('fetches one exact version, pins what it depends on, runs no script and says so', async () => {
    const told: string[] = [];
    installed = await install(await storeAt(dir), 'npm:@acme/server@1.0.0', {}, (message) =>
      told.push(message),
    );
    expect(installed).toEqual({
      spec: 'npm:@acme/server@1.0.0',
      name: '@acme/server',
      version: '1.0.0',
      dir: join(dir, installed.integrity),
      integrity: expect.stringMatching(/^sha256-[0-9a-f]{64}$/),
      bins: { 'acme-server': 'node_modules/.bin/acme-server' },
      kind: 'npm',
      parts: [
        {
          name: '@acme/server',
          version: '1.0.0',
          integrity: expect.stringMatching(/^sha512-/),
          scripts: false,
        },
        { name: 'helper', version: '1.2.0', integrity: expect.stringMatching(/^sha512-/), scripts: false },
        { name: 'scripted', version: '3.0.0', integrity: expect.stringMatching(/^sha512-/), scripts: true },
      ],
      scriptsSkipped: ['scripted@3.0.0'],
      scriptsRun: [],
      lockfile: readFileSync(join(installed.dir, 'package-lock.json'), 'utf8'),
    });
    expect(existsSync(join(root, 'script-ran'))).toBe(false);
    expect(JSON.parse(readFileSync(join(installed.dir, 'package.json'), 'utf8'))).toMatchObject({
      dependencies: { '@acme/server': '1.0.0' },
    });
    expect(readFileSync(join(installed.dir, 'package-lock.json'), 'utf8')).toContain('sha512-');
    expect(told[0]).toBe('fetching @acme/server@1.0.0');
    expect(told.at(-1)).toBe('checking @acme/server@1.0.0');
    expect(told).toContain('fetching @acme/server@1.0.0: 1 done');
  });

  it('leaves files that every user can read and nobody can write, programs executable, no unfinished folder', () => {
    const mode = (path: string): number => statSync(join(installed.dir, path)).mode & 0o777;
    expect(mode('.')).toBe(0o755);
    expect(mode('node_modules/@acme/server/lib/data.txt')).toBe(0o444);
    expect(mode('node_modules/.bin/acme-server')).toBe(0o555);
    expect(statSync(dir).mode & 0o777).toBe(0o711);
    expect(readdirSync(dir)).toEqual([installed.integrity]);
  });

  it('without a version takes the latest and records which that was', async () => {
    const latest = await install(await storeAt(dir), 'npm:@acme/server');
    expect(latest.spec).toBe('npm:@acme/server@1.1.0');
    const exact = await install(await storeAt(dir), 'npm:@acme/server@1.1.0');
    expect(exact.integrity).toBe(latest.integrity);
  });

  it('names a single program after the package', async () => {
    const plain = await install(await storeAt(dir), 'npm:plain@0.1.0');
    expect(plain.bins).toEqual({ plain: 'node_modules/.bin/plain' });
    expect(plain.scriptsSkipped).toEqual([]);
  });

  it('does the same installation once when it is asked for twice at the same time', async () => {
    const store = await storeAt(join(root, 'coalesced'));
    const before = registry.requests.length;
    const [one, two] = await Promise.all([
      install(store, 'npm:plain@0.1.0'),
      install(store, 'npm:plain@0.1.0'),
    ]);
    expect(one).toBe(two);
    expect(registry.requests.slice(before).filter((path) => path.endsWith('.tgz'))).toHaveLength(1);
  });

  it('goes on as long as one of those who asked still wants it', async () => {
    const store = await storeAt(join(root, 'wanted'));
    const gone = new AbortController();
    const kept = store.install('npm:plain@0.1.0', {}, () => gone.abort(), new AbortController().signal);
    const left = store.install('npm:plain@0.1.0', {}, silent, gone.signal);
    expect((await kept).version).toBe('0.1.0');
    expect(await left).toBe(await kept);
  });

  it('ends at once when nobody wants it any more, and leaves nothing', async () => {
    const unwanted = join(root, 'unwanted');
    const store = await storeAt(unwanted);
    const [one, other] = [new AbortController(), new AbortController()];
    const both = [one, other].map(({ signal }) =>
      store.install('npm:plain@0.1.0', {}, () => [one, other].forEach((asked) => asked.abort()), signal),
    );
    for (const asked of both) await expect(asked).rejects.toMatchObject({ code: 'cancelled' });
    expect(readdirSync(unwanted)).toEqual([]);
  });

  it('begins anew for who asks while one ends that nobody wants any more', async () => {
    const store = await storeAt(join(root, 'anew'));
    const gone = new AbortController();
    let again: Promise<InstalledPackage> | undefined;
    const left = store.install(
      'npm:plain@0.1.0',
      {},
      () => {
        gone.abort();
        again ??= install(store, 'npm:plain@0.1.0');
      },
      gone.signal,
    );
    await expect(left).rejects.toMatchObject({ code: 'cancelled' });
    expect((await again)?.version).toBe('0.1.0');
  });

  it('two stores over one folder agree', async () => {
    const shared = join(root, 'shared');
    const [one, two] = await Promise.all([
      install(await storeAt(shared), 'npm:plain@0.1.0'),
      install(await storeAt(shared), 'npm:plain@0.1.0'),
    ]);
    expect(one).toEqual(two);
    expect(readdirSync(shared)).toEqual([one.integrity]);
  });

  it.each([
    ['npm:nothing-of-that-name@1.0.0', 'package_not_found'],
    ['npm:plain@9.9.9', 'package_version_not_found'],
    ['npm:plain@latest', 'package_version_required'],
    ['npm:plain@^0.1.0', 'package_version_required'],
    ['npm:../plain@1.0.0', 'package_spec_invalid'],
    ['plain@0.1.0', 'package_spec_invalid'],
    ['pypi:plain==0.1.0', 'package_kind_unsupported'],
  ])('%s: %s', async (spec, code) => {
    await expect(install(await storeAt(dir), spec)).rejects.toMatchObject({ name: 'AppError', code });
    expect(readdirSync(dir).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('says when the registry cannot be reached', async () => {
    // Port 1 of loopback: nobody listens there.
    const store = await storeAt(join(root, 'unreachable'), {
      npm_config_registry: 'http://127.0.0.1:1/',
    });
    await expect(install(store, 'npm:plain@0.1.0')).rejects.toMatchObject({
      code: 'package_registry_unreachable',
      message: expect.stringMatching(/ECONNREFUSED\)\.$/) as string,
    });
  });

  it('says when there is no npm', async () => {
    const lonely = join(root, 'lonely/bin');
    mkdirSync(lonely, { recursive: true });
    const found = findNpm(join(lonely, 'node'), lonely);
    // Where the system itself has npm, that one is found.
    expect(found === null || found.cli.startsWith('/usr/')).toBe(true);
  });
});

describe('opening', () => {
  const dir = join(root, 'opened');
  let installed: InstalledPackage;
  beforeAll(async () => {
    installed = await install(await storeAt(dir), 'npm:@acme/server@1.0.0');
  });

  it('gives the same package again, also to a new store', async () => {
    const store = await storeAt(dir);
    expect(await store.open(installed)).toEqual({ dir: installed.dir });
    expect(await store.open(installed)).toEqual({ dir: installed.dir });
  });

  /** What somebody may do to an installed tree, and how it is undone. */
  const changes: readonly (readonly [string, (file: string) => () => void])[] = [
    [
      'a byte of a file',
      (file) => {
        const before = readFileSync(file);
        chmodSync(file, 0o644);
        writeFileSync(file, `${before.toString()} `);
        return () => {
          writeFileSync(file, before);
          chmodSync(file, 0o444);
        };
      },
    ],
    [
      'a file of the same size and time',
      (file) => {
        const before = readFileSync(file);
        const { atime, mtime } = statSync(file);
        chmodSync(file, 0o644);
        writeFileSync(file, 'atad');
        utimesSync(file, atime, mtime);
        chmodSync(file, 0o444);
        return () => {
          chmodSync(file, 0o644);
          writeFileSync(file, before);
          chmodSync(file, 0o444);
        };
      },
    ],
    ['a new file', (file) => (writeFileSync(`${file}.new`, 'x'), () => unlinkSync(`${file}.new`))],
    ['a new folder', (file) => (mkdirSync(`${file}.d`), () => rmSync(`${file}.d`, { recursive: true }))],
    [
      'a missing file',
      (file) => (renameSync(file, join(root, 'kept')), () => renameSync(join(root, 'kept'), file)),
    ],
    ['a renamed file', (file) => (renameSync(file, `${file}2`), () => renameSync(`${file}2`, file))],
    ['a file made executable', (file) => (chmodSync(file, 0o755), () => chmodSync(file, 0o444))],
    [
      'a file replaced by a link to itself',
      (file) => {
        renameSync(file, `${file}.real`);
        symlinkSync('data.txt.real', file);
        return () => renameSync(`${file}.real`, file);
      },
    ],
  ];

  it.each(changes)('refuses %s, whether or not the store saw the package before', async (_what, change) => {
    const seen = await storeAt(dir);
    await seen.open(installed);
    const undo = change(join(installed.dir, 'node_modules/@acme/server/lib/data.txt'));
    const tampered = { name: 'AppError', code: 'package_tampered', kind: 'denied' };
    await expect(seen.open(installed)).rejects.toMatchObject(tampered);
    await expect((await storeAt(dir)).open(installed)).rejects.toMatchObject(tampered);
    undo();
    expect(await seen.open(installed)).toEqual({ dir: installed.dir });
  });

  it('refuses a link that leads out of the package', async () => {
    const link = join(installed.dir, 'node_modules/way-out');
    symlinkSync('/etc', link);
    await expect((await storeAt(dir)).open(installed)).rejects.toMatchObject({ code: 'package_tree_unsafe' });
    unlinkSync(link);
  });

  it('repairs a tampered package when it is installed again', async () => {
    const file = join(installed.dir, 'node_modules/helper/index.js');
    chmodSync(file, 0o644);
    writeFileSync(file, 'evil');
    const again = await install(await storeAt(dir), 'npm:@acme/server@1.0.0');
    expect(again).toEqual(installed);
    expect(readFileSync(file, 'utf8')).toBe('module.exports = 1;\n');
  });

  it.each([
    ['another version', { version: '1.1.0' }],
    ['another name', { name: '@acme/other' }],
    ['a package that is not there', { integrity: `sha256-${'0'.repeat(64)}` }],
    ['a path in place of a hash', { integrity: '../store' }],
  ])('does not know %s', async (_what, wrong) => {
    await expect((await storeAt(dir)).open({ ...installed, ...wrong })).rejects.toMatchObject({
      code: 'package_missing',
    });
  });
});

describe('sweeping', () => {
  it('removes what a process that is gone left unfinished, and nothing else', async () => {
    const dir = join(root, 'swept');
    const store = await storeAt(dir);
    mkdirSync(join(dir, '.staging-1-999999999999-0/node_modules'), { recursive: true });
    const own = `.staging-${process.pid}-${readFileSync('/proc/self/stat', 'latin1').split(' ')[21]}-0`;
    mkdirSync(join(dir, own));
    mkdirSync(join(dir, `sha256-${'1'.repeat(64)}`));
    expect(await store.sweep()).toBe(1);
    expect(readdirSync(dir).sort()).toEqual([own, `sha256-${'1'.repeat(64)}`]);
  });
});
