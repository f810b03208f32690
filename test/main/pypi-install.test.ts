/** Packages of Python's, installed by the system's pip in real cells from an index on this machine. */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLog, systemClock } from '../../src/kernel/index.ts';
import {
  createPackageStore,
  createPypiInstaller,
  type InstalledPackage,
  type PackageStore,
  pypiSettings,
} from '../../src/sandbox/index.ts';
import { findPip, pinnedPip } from '../../src/sandbox/packages/python-tools.ts';
import { type LocalIndex, makeSources, makeWheel, startIndex } from '../sandbox/local-index.ts';
import { install, makePackageWorld } from '../sandbox/package-world.ts';

/** Generous: several installations in a row, on a machine that may be busy. */
const LONG_MS = 120_000;
const PYTHON = '/usr/bin/python3';
const python = existsSync(PYTHON)
  ? execFileSync(PYTHON, ['-c', 'import sys; print("%d.%d" % sys.version_info[:2])'], {
      encoding: 'utf8',
    }).trim()
  : '';
const hasPip = python !== '' && findPip({ path: PYTHON, version: python }) !== null;

/** Runs when Python starts with it in its library folder. */
const AT_START = 'import os; open(os.environ.get("MARK", "/package/venv/ran"), "w").close()\n';
const gate = {
  name: 'Gate.Door',
  version: '1.2',
  files: {
    'gate/__init__.py': 'def main():\n    print("one door at a time")\n',
    'gate.pth': AT_START,
  },
  programs: { gate: 'gate:main' },
};
/** A build backend that puts what it sees into the wheel that it makes. */
const BACKEND = `
import os, socket, zipfile
def attempt(act):
    try: return repr(act())
    except Exception as error: return type(error).__name__
def build_wheel(folder, config_settings=None, metadata_directory=None):
    seen = "seen = %r\\n" % {
        "variables": sorted("%s=%s" % one for one in os.environ.items()), "home": attempt(lambda: os.listdir("/root")), "etc": attempt(lambda: os.listdir("/etc")),
        "network": attempt(lambda: socket.create_connection(("192.0.2.1", 22), 5)),
    }
    info, name = "built-1.0.dist-info", "built-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        wheel.writestr("built.py", seen)
        wheel.writestr(info + "/METADATA", "Metadata-Version: 2.1\\nName: built\\nVersion: 1.0\\n")
        wheel.writestr(info + "/WHEEL", "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(info + "/RECORD", "")
    return name
`;
const built = makeSources('built', '1.0', {
  'pyproject.toml': '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
  'backend.py': BACKEND,
  'PKG-INFO': 'Metadata-Version: 2.1\nName: built\nVersion: 1.0\n',
});

const altered = { path: '', status: 0 };
let index: LocalIndex;
let world: ReturnType<typeof makePackageWorld>;
let store: PackageStore;
let stores = 0;

const openStore = async (
  environment: Readonly<Record<string, string>> = {},
  system = '/usr',
): Promise<PackageStore> =>
  createPackageStore({
    dir: join(world.root, `store-${stores++}`),
    log: silentLog,
    clock: systemClock,
    cell: await world.cell(),
    installers: [
      createPypiInstaller({
        settings: () => pypiSettings({ environment: { PIP_INDEX_URL: index.url, ...environment } }),
        system,
      }),
    ],
  });

beforeAll(async () => {
  index = await startIndex(
    [
      makeWheel({ ...gate, requires: ['hinge>=2'] }),
      makeWheel({ name: 'hinge', version: '2.0', files: { 'hinge.py': 'turns = True\n' } }),
      makeWheel({ name: 'hinge', version: '1.0' }),
      makeWheel({ name: 'future', version: '3.0', requiresPython: '>=4' }),
      makeWheel({ name: 'lost', version: '1.0', requires: ['nowhere-to-be-found'] }),
      makeWheel({ name: 'thief', version: '1.0', files: { 'thief-1.0.data/scripts/python': '#!/bin/sh\n' } }),
      built,
    ],
    (path, body) => {
      if (path !== altered.path) return body;
      return altered.status === 0 ? Buffer.concat([body, Buffer.from('x')]) : altered.status;
    },
  );
  index.put(
    makeWheel({
      name: 'direct',
      version: '1.0',
      requires: [
        `hinge @ ${new URL('/files/hinge-2.0-py3-none-any.whl', index.url).href.replace('127.0.0.1', 'ip4-127-0-0-1-x.sallyport.internal')}`,
      ],
    }),
  );
  world = makePackageWorld(() => 'https://registry.test.example/');
  store = await openStore();
});

afterAll(async () => {
  await index?.close();
  rmSync(world?.root ?? '', { recursive: true, force: true });
});

const fails = (spec: string, options: Parameters<typeof install>[2] = {}, from = store) =>
  expect(install(from, spec, options)).rejects;

describe.skipIf(!hasPip)(
  "a package of Python's (waits for /usr/bin/python3 and pip's wheel)",
  { timeout: LONG_MS },
  () => {
    const said: string[] = [];
    let first: InstalledPackage;

    beforeAll(async () => {
      first = await install(store, 'pypi:gate-door', {}, (step) => said.push(step));
    });

    it('is installed with all that it needs, and all of it is on record', async () => {
      const hash = expect.stringMatching(/^sha256:[0-9a-f]{64}$/);
      expect(first).toMatchObject({
        kind: 'pypi',
        spec: 'pypi:gate-door==1.2',
        bins: { gate: 'venv/bin/gate' },
        parts: [
          { name: 'gate-door', version: '1.2', integrity: hash, scripts: false },
          { name: 'hinge', version: '2.0', integrity: hash, scripts: false },
        ],
        scriptsSkipped: [],
        scriptsRun: [],
        python,
        lockfile: expect.stringMatching(
          /^gate-door==1\.2 --hash=sha256:\w{64}\nhinge==2\.0 --hash=sha256:\w{64}\n$/,
        ),
      });
      expect(said).toEqual(
        expect.arrayContaining(['fetching gate-door', 'unpacking gate-door', 'checking gate-door']),
      );
      expect(readdirSync(first.dir).sort()).toEqual(['sallyport.json', 'venv']);
      expect(readlinkSync(join(first.dir, 'venv/bin/python'))).toBe(`/usr/bin/python${python}`);
      expect((await store.open(first)).dir).toBe(first.dir);
    });

    it('is compiled, and nothing of it runs while it is installed', () => {
      const library = join(first.dir, `venv/lib/python${python}/site-packages`);
      expect(readdirSync(join(library, 'gate/__pycache__'))).toEqual([
        `__init__.cpython-${python.replace('.', '')}.pyc`,
      ]);
      expect(existsSync(join(first.dir, 'venv/ran'))).toBe(false);
      // The control: as soon as it is used, it does.
      const mark = join(world.root, 'mark');
      execFileSync(join(first.dir, 'venv/bin/python'), ['-c', 'import gate'], { env: { MARK: mark } });
      expect(existsSync(mark)).toBe(true);
    });

    it('is the same again from its lockfile, whatever is newest by then', async () => {
      index.put(makeWheel({ name: 'hinge', version: '2.5' }));
      const { spec, lockfile, integrity } = first;
      expect((await install(await openStore(), spec, { lockfile })).integrity).toBe(integrity);
      // The control: without it, the newest is taken.
      expect((await install(await openStore(), spec)).integrity).not.toBe(integrity);
    });

    it('is refused where the index sends other bytes than were pinned', async () => {
      index.put(
        makeWheel({ ...gate, requires: ['hinge>=2'], files: { 'gate/__init__.py': 'evil = True\n' } }),
      );
      const { spec, lockfile } = first;
      await fails(spec, { lockfile }, await openStore()).toMatchObject({ code: 'package_differs' });
      index.put(makeWheel({ ...gate, requires: ['hinge>=2'] }));
    });

    it('is refused where an archive is not what the index says it is', async () => {
      altered.path = '/files/hinge-1.0-py3-none-any.whl';
      await fails('pypi:hinge==1.0').toMatchObject({ code: 'package_differs' });
      altered.path = '';
    });

    it.each([
      ['pypi:nothing-like-it', 'package_not_found', /nothing-like-it/],
      ['pypi:gate-door==9.9', 'package_version_not_found', /gate-door==9\.9/],
      ['pypi:lost', 'package_not_found', /nowhere-to-be-found/],
      ['pypi:future', 'package_python_unsuitable', />=4/],
      ['pypi:built', 'package_wheel_missing', /sources only/],
      ['pypi:direct', 'package_source_refused', /hinge came from/],
      ['pypi:thief', 'package_install_failed', /interpreter/],
    ])('%s: %s', async (spec, code, message) => {
      await fails(spec).toMatchObject({ code, message: expect.stringMatching(message) });
    });

    it('says when the index does not answer', async () => {
      altered.path = '/simple/hinge/';
      altered.status = 503;
      await fails('pypi:hinge').toMatchObject({ code: 'package_registry_unreachable' });
      Object.assign(altered, { path: '', status: 0 });
    });

    it('is built from its sources only where that is allowed; that is recorded, and sees nothing', async () => {
      const { scriptsRun, parts, dir } = await install(store, 'pypi:built', { allowScripts: true });
      expect(scriptsRun).toEqual(['built==1.0']);
      expect(parts).toMatchObject([{ name: 'built', scripts: true }]);
      const said = readFileSync(join(dir, `venv/lib/python${python}/site-packages/built.py`), 'utf8');
      expect(said).toContain("'home': 'FileNotFoundError'");
      expect(said).toMatch(/'network': '(?:ConnectionRefusedError|TimeoutError|OSError)'/);
      expect(said).not.toContain('shadow');
      expect(said).not.toContain('SALLYPORT_');
      // The control: it did look.
      expect(said).toContain("'PATH=");
      expect(said).toContain('resolv.conf');
    });

    it('is not installed by a pip that is not the one named in the code', async () => {
      const without = await openStore({}, '/nowhere');
      await fails('pypi:hinge', {}, without).toMatchObject({
        code: 'package_pip_missing',
        message: expect.stringMatching(/pip could not be fetched: .*404/),
      });
      index.put({ file: pinnedPip.file, bytes: makeWheel({ name: 'pip', version: '25.3' }).bytes });
      await fails('pypi:hinge', {}, without).toMatchObject({
        code: 'package_pip_missing',
        message: expect.stringMatching(/is something else/),
      });
    });

    it('comes from an index that wants a login, which the cell never sees', async () => {
      const pair = Buffer.from('builder:s3cret/Gate').toString('base64');
      const closed = await startIndex(
        [built, makeWheel({ name: 'hinge', version: '2.0' })],
        undefined,
        `Basic ${pair}`,
      );
      try {
        const url = closed.url.replace('//', '//builder:s3cret%2FGate@');
        const own = await openStore({ PIP_INDEX_URL: url });
        const { dir } = await install(own, 'pypi:built', { allowScripts: true });
        const said = readFileSync(join(dir, `venv/lib/python${python}/site-packages/built.py`), 'utf8');
        expect(said).toContain('SALLYPORT_INDEX_LOGIN=slyreg_');
        expect(said).not.toContain('s3cret');
        await fails('pypi:latch', {}, own).toMatchObject({ code: 'package_not_found' });
        const stranger = await openStore({ PIP_INDEX_URL: closed.url });
        await fails('pypi:hinge', {}, stranger).toMatchObject({ code: 'package_login_refused' });
      } finally {
        await closed.close();
      }
    });

    it('comes from archives on this machine, and then nobody is asked', async () => {
      const folder = join(world.root, 'wheels');
      mkdirSync(folder);
      for (const wheel of [
        makeWheel({ ...gate, requires: ['hinge'] }),
        makeWheel({ name: 'hinge', version: '2.0' }),
      ])
        writeFileSync(join(folder, wheel.file), wheel.bytes);
      const asked = index.paths.length;
      const got = await install(store, 'pypi:gate-door', { from: [folder] });
      expect(got.parts.map(({ name, version }) => `${name} ${version}`)).toEqual([
        'gate-door 1.2',
        'hinge 2.0',
      ]);
      await fails('pypi:latch', { from: [folder] }).toMatchObject({ code: 'package_not_found' });
      expect(index.paths).toHaveLength(asked);
    });

    it('is not started any more once its interpreter leads elsewhere', async () => {
      const link = join(first.dir, 'venv/bin/python');
      rmSync(link);
      symlinkSync('/usr/bin/python3.99', link);
      expect(lstatSync(link).isSymbolicLink()).toBe(true);
      await expect(store.open(first)).rejects.toMatchObject({ code: 'package_tampered' });
      rmSync(link);
      symlinkSync('/tmp/python', link);
      await expect(store.open(first)).rejects.toMatchObject({ code: 'package_tree_unsafe' });
    });
  },
);
