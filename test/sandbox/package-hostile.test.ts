/** Packages that try to run something, or to reach something of this machine, while they are installed. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PackageStore } from '../../src/sandbox/index.ts';
import { npmFailure } from '../../src/sandbox/packages/failure.ts';
import { WITHOUT_PROGRAMS } from '../../src/sandbox/packages/npm.ts';
import { checkSources, isRegistrySpec } from '../../src/sandbox/packages/sources.ts';
import { type LocalRegistry, startRegistry } from './local-registry.ts';
import { install as installIn, makePackageWorld } from './package-world.ts';

let registry: LocalRegistry;
const world = makePackageWorld(() => registry.url);
const { root } = world;
const ran = join(root, 'ran');
const dir = join(root, 'store');
let store: PackageStore;

beforeAll(async () => {
  registry = await startRegistry();
  store = await world.store(dir);
});
afterAll(() => {
  registry.close();
  rmSync(root, { recursive: true, force: true });
});

const install = (name: string) => installIn(store, `npm:${name}@1.0.0`);
const refused = { name: 'AppError', code: 'package_source_refused', kind: 'denied' };

/** A lockfile that comes with a package, for one dependency called `part`. */
const shrinkwrap = (entry: object): Record<string, string> => ({
  'npm-shrinkwrap.json': JSON.stringify({
    name: 'x',
    version: '1.0.0',
    lockfileVersion: 3,
    requires: true,
    packages: {
      '': { name: 'x', version: '1.0.0', dependencies: { part: '1.0.0' } },
      'node_modules/part': entry,
    },
  }),
});

const hasGit = existsSync('/usr/bin/git');

describe.skipIf(!hasGit)('a part that comes by git (waits for /usr/bin/git)', () => {
  const repository = join(root, 'repository');
  const git = (...args: readonly string[]): string =>
    execFileSync('/usr/bin/git', ['-C', repository, '-c', 'user.name=x', '-c', 'user.email=x@y', ...args], {
      encoding: 'utf8',
    }).trim();
  let commit = '';
  beforeAll(() => {
    mkdirSync(repository);
    const script = join(root, 'not-git');
    writeFileSync(script, `#!/bin/sh\ntouch ${ran}\nexec git "$@"\n`);
    chmodSync(script, 0o755);
    // npm installs what the part itself is developed with, and obeys the settings that lie in it: which git to run, for one.
    writeFileSync(join(repository, '.npmrc'), `git=${script}\nignore-scripts=false\n`);
    writeFileSync(
      join(repository, 'package.json'),
      JSON.stringify({
        name: 'part',
        version: '1.0.0',
        scripts: { prepare: `touch ${ran}`, preinstall: `touch ${ran}` },
        devDependencies: { other: `git+file://${repository}` },
      }),
    );
    git('init', '-q');
    git('add', '-A');
    git('commit', '-q', '-m', 'x');
    commit = git('rev-parse', 'HEAD');
  });

  it.each(['dependencies', 'peerDependencies'])('in %s is refused, and nothing of it runs', async (list) => {
    const name = `git-${list.toLowerCase()}`;
    registry.publish({ name, version: '1.0.0', fields: { [list]: { part: `git+file://${repository}` } } });
    await expect(install(name)).rejects.toMatchObject(refused);
    expect(existsSync(ran)).toBe(false);
    expect(readdirSync(dir)).toEqual([]);
  });

  it('in optionalDependencies is refused, although npm goes on without it', async () => {
    const fields = { optionalDependencies: { part: `git+file://${repository}` } };
    registry.publish({ name: 'git-optional', version: '1.0.0', fields });
    await expect(install('git-optional')).rejects.toMatchObject(refused);
    expect(existsSync(ran)).toBe(false);
  });

  it('in a lockfile of the package is refused', async () => {
    const fields = { _hasShrinkwrap: true, dependencies: { part: '1.0.0' } };
    const files = shrinkwrap({ version: '1.0.0', resolved: `git+file://${repository}#${commit}` });
    registry.publish({ name: 'git-locked', version: '1.0.0', fields, files });
    await expect(install('git-locked')).rejects.toMatchObject(refused);
    expect(existsSync(ran)).toBe(false);
  });
});

describe('a part that comes from this machine, or from an address', () => {
  const archive = join(root, 'backup.tgz');
  beforeAll(() => {
    mkdirSync(join(root, 'backup/package'), { recursive: true });
    writeFileSync(join(root, 'backup/package/package.json'), '{"name":"part","version":"1.0.0"}');
    execFileSync('tar', ['-C', join(root, 'backup'), '-czf', archive, 'package']);
    registry.publish({ name: 'part', version: '1.0.0' });
  });

  it.each([
    ['an archive', () => `file:${archive}`],
    ['a folder', () => 'file:/etc'],
    ['a folder above', () => 'file:../../../..'],
    ['an address', () => `${registry.url}/part/-/1.0.0.tgz`],
  ])('%s is refused', async (what, spec) => {
    const name = `asks-for-${what.replaceAll(' ', '-')}`;
    registry.publish({ name, version: '1.0.0', fields: { dependencies: { part: spec() } } });
    await expect(install(name)).rejects.toMatchObject(refused);
    expect(readdirSync(dir)).toEqual([]);
  });

  it('control: from the registry it is installed, under another name too', async () => {
    const fields = { dependencies: { part: '^1.0.0', alias: 'npm:part@1.0.0' } };
    registry.publish({ name: 'asks-the-registry', version: '1.0.0', fields });
    const { dir: installed } = await install('asks-the-registry');
    expect(readdirSync(join(installed, 'node_modules'))).toEqual(expect.arrayContaining(['alias', 'part']));
    rmSync(installed, { recursive: true });
  });

  it.each([
    ['an archive', () => ({ version: '1.0.0', resolved: `file:${archive}` }), refused],
    ['a link out', () => ({ resolved: '/etc', link: true }), { name: 'AppError' }],
  ])('%s in a lockfile of the package is refused', async (what, entry, error) => {
    const name = `locks-${what.replaceAll(' ', '-')}`;
    const fields = { _hasShrinkwrap: true, dependencies: { part: '1.0.0' } };
    registry.publish({ name, version: '1.0.0', fields, files: shrinkwrap(entry()) });
    await expect(install(name)).rejects.toMatchObject(error);
    expect(readdirSync(dir)).toEqual([]);
  });
});

describe('an archive with entries that lead out of it', () => {
  const outside = join(root, 'outside');

  it.each([
    ['a path with ..', { path: 'package/../../../outside' }],
    ['an absolute path', { path: outside }],
    ['a link out', { path: 'package/out', type: '2', target: root }],
    ['a hard link out', { path: 'package/out', type: '1', target: '/etc/passwd' }],
    ['a device', { path: 'package/out', type: '3' }],
    ['a pipe', { path: 'package/out', type: '6' }],
  ])('%s: nothing of it is there afterwards', async (what, entry) => {
    const name = `tar-${what.replaceAll(/[^a-z]+/g, '-')}x`;
    const through = { path: 'package/out/outside', text: 'x' };
    registry.publish({ name, version: '1.0.0', entries: [{ text: 'x', ...entry }, through] });
    const { dir: installed } = await install(name);
    expect(existsSync(outside)).toBe(false);
    const made = join(installed, 'node_modules', name, 'out');
    expect(lstatSync(made, { throwIfNoEntry: false })?.isDirectory() ?? true).toBe(true);
    rmSync(installed, { recursive: true });
  });

  it('programs outside of the package are no programs of it, and no mode but executable counts', async () => {
    const bin = { 'up-and-out': '../../../../outside', '../sneaky': 'run.js', good: 'run.js' };
    const entries = [{ path: 'package/run.js', text: '#!/bin/sh\n', mode: '0006777' }];
    registry.publish({ name: 'binned', version: '1.0.0', fields: { bin }, entries });
    const { dir: installed, bins } = await install('binned');
    expect(readdirSync(join(installed, 'node_modules/.bin')).sort()).toEqual(['good', 'sneaky']);
    expect(lstatSync(join(installed, 'node_modules/binned/run.js')).mode & 0o7777).toBe(0o555);
    expect(bins['good']).toBe('node_modules/.bin/good');
    rmSync(installed, { recursive: true });
  });
});

describe('a script that was allowed, and that lays traps for whoever reads the tree afterwards', () => {
  const victim = join(root, 'victim');
  const outside = join(root, 'outside-part');
  const trap = async (name: string, script: string) => {
    const fields = { scripts: { postinstall: 'sh trap.sh' } };
    registry.publish({ name, version: '1.0.0', fields, files: { 'trap.sh': script } });
    return installIn(store, `npm:${name}@1.0.0`, { allowScripts: true });
  };
  beforeAll(() => {
    writeFileSync(victim, 'untouched');
    mkdirSync(outside);
    writeFileSync(join(outside, 'package.json'), '{"name":"folder-trap","version":"1.0.0"}');
  });

  it.each(['sallyport.json', 'package.json', '.npmrc', 'node_modules/.package-lock.json'])(
    'a link in place of %s is not written through',
    async (file) => {
      const name = `links-${file.replaceAll(/[^a-z]+/g, '-')}x`;
      // In the cell it leads to a file too, so that npm, which goes on after the script, is content.
      const own = `mkdir -p ${root}; cp /package/package.json ${victim}`;
      const { dir: installed } = await trap(
        name,
        `${own}; rm -f /package/${file}; ln -s ${victim} /package/${file}`,
      );
      expect(readFileSync(victim, 'utf8')).toBe('untouched');
      expect(lstatSync(join(installed, file), { throwIfNoEntry: false })?.isSymbolicLink() ?? false).toBe(
        false,
      );
      expect(JSON.parse(readFileSync(join(installed, 'sallyport.json'), 'utf8'))).toMatchObject({ name });
    },
  );

  it('a link in place of node_modules: nothing is removed where it leads', async () => {
    const note = join(outside, '.package-lock.json');
    writeFileSync(note, 'untouched');
    const script = `mkdir -p ${outside}; cd /package; cp -r node_modules/. ${outside}; mv node_modules was; ln -s ${outside} node_modules`;
    await expect(trap('folder-link', script)).rejects.toMatchObject({ code: 'package_install_failed' });
    expect(readFileSync(note, 'utf8')).toBe('untouched');
  });

  it('is told of while it runs, in words of ours', async () => {
    const told: string[] = [];
    const fields = { scripts: { postinstall: 'sh talk.sh' } };
    const script = 'printf "> \\033[2J@1 install\\n> a b@1.0.0 install\\n"; echo "> other@1.0.0 test"';
    registry.publish({ name: 'talks', version: '1.0.0', fields, files: { 'talk.sh': script } });
    await installIn(store, 'npm:talks@1.0.0', { allowScripts: true }, (step) => told.push(step));
    expect(told.filter((step) => step.startsWith('running'))).toEqual(['running postinstall of talks@1.0.0']);
  });

  it('fails as what it is, although it says what npm says where somebody has to log in', async () => {
    const script = 'echo "npm error code E401" >&2; exit 3';
    await expect(trap('says-login', script)).rejects.toMatchObject({ code: 'package_install_failed' });
  });

  it.each([
    ['link-trap', 'a link to a file of the machine', `rm package.json; ln -s ${victim} package.json`],
    ['pipe-trap', 'a pipe, to which nobody writes', 'rm package.json; mkfifo package.json'],
    ['size-trap', 'too large', 'head -c 5000000 /dev/zero | tr "\\0" " " >> package.json'],
    ['json-trap', 'no JSON', 'echo x > package.json'],
    [
      'folder-trap',
      'in a folder that is a link',
      `cd .. && mv folder-trap real && ln -s ${outside} folder-trap`,
    ],
  ])('%s: a package.json that is %s is not read', async (name, _what, script) => {
    await expect(trap(name, script)).rejects.toMatchObject({ code: 'package_install_failed' });
    expect(readdirSync(dir).filter((entry) => entry.startsWith('.'))).toEqual([]);
  });
});

describe('a script that was allowed, and that makes more than can be looked at', () => {
  const nested = `for (let depth = 0; depth < 60; depth += 1) {
    require('node:fs').mkdirSync('x'.repeat(200));
    process.chdir('x'.repeat(200));
  }`;
  it('is stopped, and nothing of it is left, not even what has too long a path', async () => {
    registry.publish({
      name: 'nester',
      version: '1.0.0',
      fields: { scripts: { postinstall: 'node nest.js' } },
      files: { 'nest.js': nested },
    });
    await expect(installIn(store, 'npm:nester@1.0.0', { allowScripts: true })).rejects.toMatchObject({
      code: 'package_too_large',
    });
    expect(readdirSync(dir).filter((entry) => entry.startsWith('.'))).toEqual([]);
    expect(await store.sweep()).toBe(0);
  });
});

describe('npm without the means to start a program', () => {
  it('has none of the seven ways', () => {
    const tries = `
      const programs = require('node:child_process');
      const named = import('node:child_process');
      const outcome = (run) => { try { run('/bin/true', []); return 'ran'; } catch (error) { return error.code; } };
      const names = ['exec', 'execFile', 'execFileSync', 'execSync', 'fork', 'spawn', 'spawnSync'];
      named.then((all) => console.log(JSON.stringify(names.flatMap((name) => [outcome(programs[name]), outcome(all[name])]))));`;
    const stdout = execFileSync(process.execPath, [`--import=${WITHOUT_PROGRAMS}`, '-e', tries], {
      encoding: 'utf8',
    });
    expect(JSON.parse(stdout)).toEqual(Array.from({ length: 14 }, () => 'ESALLYPORTPROGRAM'));
  });

  it.each(['ESALLYPORTPROGRAM', 'EALLOWGIT', 'EALLOWREMOTE', 'EALLOWFILE', 'EALLOWDIRECTORY'])(
    '%s means that a part does not come from the registry',
    (code) => {
      const failure = npmFailure({
        spec: 'npm:a@1.0.0',
        lines: [`npm error code ${code}`],
        end: { stopped: null, reason: '', unreached: [] },
      });
      expect(failure).toMatchObject(refused);
    },
  );
});

/** What older npms, which know no such refusal, would have let through. */
describe('the lockfile of an installed tree', () => {
  it.each([
    '1.2.3',
    '^1.0.0',
    '>=1 <2 || 3.x',
    '*',
    '',
    'latest',
    'npm:other@^1.0.0',
    'npm:@scope/other@1',
    '~1.2',
  ])('%o is for the registry', (spec) => {
    expect(isRegistrySpec(spec)).toBe(true);
    expect(() => checkSources({ 'node_modules/a': { dependencies: { b: spec } } })).not.toThrow();
  });

  it.each([
    'git+ssh://git@host/a.git',
    'git://host/a',
    'github:owner/a',
    'owner/a#semver:^1',
    'https://host/a.tgz',
    'http://host/a',
    'file:a',
    'file:../a',
    './a',
    '..',
    '~',
    '~/a',
    '/a',
    'a.tgz',
    'a.TAR.GZ',
    'npm:a@file:b',
    'npm:a@git+ssh://host/b',
    'link:a',
    'workspace:*',
    'C:\\a',
  ])('%o is not', (spec) => {
    expect(isRegistrySpec(spec)).toBe(false);
    for (const list of ['dependencies', 'optionalDependencies', 'peerDependencies']) {
      expect(() => checkSources({ 'node_modules/a': { [list]: { b: spec } } })).toThrow(
        `a wants b from ${JSON.stringify(spec)}`,
      );
    }
  });

  it('is quoted in a refusal, in part and as it can be read', () => {
    const nested = JSON.parse(`${'['.repeat(50_000)}${']'.repeat(50_000)}`) as unknown;
    const refusal = (packages: object): unknown => {
      try {
        checkSources({ ...packages });
      } catch (error) {
        return error;
      }
      return null;
    };
    for (const packages of [
      { 'node_modules/a': { link: true, resolved: nested } },
      { 'node_modules/a': { dependencies: { b: nested } } },
      { 'node_modules/a': { dependencies: { b: `https://${'x'.repeat(100_000)}` } } },
      { [`node_modules/${'a'.repeat(100_000)}`]: { dependencies: { b: '/' } } },
      { 'node_modules/a': { dependencies: { ['b'.repeat(100_000)]: '/' } } },
    ]) {
      expect(refusal(packages)).toMatchObject(refused);
      expect(String(refusal(packages)).length).toBeLessThan(1_000);
    }
    expect(String(refusal({ 'node_modules/a\n\u001b[2J': { link: true } }))).toBe(
      'AppError: The package cannot be installed: "a\\n\\u001b[2J" came from "a folder".',
    );
  });

  it.each([
    ['git', { resolved: 'git+ssh://git@host/a.git#0' }],
    ['a path', { resolved: 'file:../a.tgz' }],
    ['a link', { resolved: 'a', link: true }],
    ['a link without a place', { link: true }],
    ['a spec that is no text', { dependencies: { b: { url: 'https://host/' } } }],
  ])('an entry from %s is refused', (_what, entry) => {
    expect(() => checkSources({ 'node_modules/a': entry })).toThrow(/^The package cannot be installed: a /);
  });

  it('may leave out where a part came from, and says nothing of the root', () => {
    expect(() =>
      checkSources({ '': { dependencies: { a: 'file:x' } }, 'node_modules/a': { version: '1.0.0' } }),
    ).not.toThrow();
  });
});
