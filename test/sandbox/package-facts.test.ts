/** What is read of an npm tree that anybody may have written. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { npmPackageFacts } from '../../src/sandbox/packages/facts.ts';
import { readWithin, writeWithin } from '../../src/sandbox/packages/staging.ts';

const root = mkdtempSync(join(tmpdir(), 'sallyport-facts-'));
let tree: string;
const put = (path: string, value: unknown): void => {
  mkdirSync(join(tree, path, '..'), { recursive: true });
  writeFileSync(join(tree, path), typeof value === 'string' ? value : JSON.stringify(value));
};
const lock = (packages: object): void =>
  put('package-lock.json', { lockfileVersion: 3, packages: { '': {}, ...packages } });
const facts = (allowScripts = false) =>
  npmPackageFacts(tree, { name: 'tool', version: '1.0.0', allowScripts });
const failed = { code: 'package_install_failed' };

beforeEach(() => {
  tree = mkdtempSync(join(root, 'tree-'));
  put('node_modules/tool/package.json', { name: 'tool', version: '1.0.0', bin: 'cli.js' });
  lock({ 'node_modules/tool': { version: '1.0.0', integrity: 'sha512-a' } });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('the parts of a tree', () => {
  it('are those that lie there, each once, with what they want to run, whatever the registry said', async () => {
    put('node_modules/lies/package.json', { scripts: { postinstall: 'x' } });
    put('node_modules/gyp/package.json', {});
    put('node_modules/gyp/binding.gyp', '');
    put('node_modules/tests/package.json', { scripts: { test: 'x', prepare: 'x' } });
    put('node_modules/tool/node_modules/lies/package.json', { scripts: { postinstall: 'x' } });
    put('node_modules/alias/package.json', {});
    lock({
      'node_modules/tool': { version: '1.0.0', integrity: 'sha512-a' },
      'node_modules/lies': { version: '2.0.0', integrity: 'sha512-b' },
      'node_modules/tool/node_modules/lies': { version: '2.0.0', integrity: 'sha512-b' },
      'node_modules/gyp': { version: '3.0.0', integrity: 'sha512-c' },
      'node_modules/tests': { version: '4.0.0', integrity: 'sha512-d' },
      'node_modules/alias': { name: 'real', version: '5.0.0', integrity: 'sha512-e' },
      'node_modules/elsewhere': { version: '6.0.0', optional: true, os: ['darwin'] },
    });
    const { facts: found } = await facts();
    expect(found.parts.map(({ name, version, scripts }) => `${name}@${version} ${scripts}`)).toEqual([
      'gyp@3.0.0 true',
      'lies@2.0.0 true',
      'real@5.0.0 false',
      'tests@4.0.0 false',
      'tool@1.0.0 false',
    ]);
    expect(found.scriptsSkipped).toEqual(['gyp@3.0.0', 'lies@2.0.0']);
    expect((await facts(true)).facts).toMatchObject({
      scriptsSkipped: [],
      scriptsRun: ['gyp@3.0.0', 'lies@2.0.0'],
    });
  });

  it.each(['../outside', '/etc', 'node_modules/../../outside', 'node_modules//tool', './node_modules/tool'])(
    'are nowhere but in it: %s is refused',
    async (path) => {
      mkdirSync(join(root, 'outside'), { recursive: true });
      writeFileSync(join(root, 'outside/package.json'), '{}');
      lock({ [path]: { version: '1.0.0' } });
      await expect(facts()).rejects.toMatchObject(failed);
    },
  );

  it('are also those that do not say what they are', async () => {
    put('node_modules/silent/index.js', '');
    put('node_modules/builds/binding.gyp', '');
    lock({
      'node_modules/tool': { version: '1.0.0', integrity: 'sha512-a' },
      'node_modules/silent': { version: '2.0.0', integrity: 'sha512-b' },
      'node_modules/builds': { version: '3.0.0', integrity: 'sha512-c' },
    });
    expect((await facts()).facts.parts).toEqual([
      { name: 'builds', version: '3.0.0', integrity: 'sha512-c', scripts: true },
      { name: 'silent', version: '2.0.0', integrity: 'sha512-b', scripts: false },
      { name: 'tool', version: '1.0.0', integrity: 'sha512-a', scripts: false },
    ]);
  });

  it.each([
    ['a name', 'node_modules/a\u001b[2J', {}],
    ['a name', 'node_modules/a b', {}],
    ['a name', 'node_modules/a/b', {}],
    ['a name', `node_modules/${'a'.repeat(215)}`, {}],
    ['a name', 'node_modules/a', { name: 'tool@1.0.0\nb' }],
    ['a name', 'node_modules/a', { name: '' }],
    ['a version', 'node_modules/a', { version: '1.0.0 \u202e' }],
    ['a version', 'node_modules/a', { version: '1'.repeat(257) }],
    ['a hash', 'node_modules/a', { integrity: 'sha512-\n' }],
    ['a hash', 'node_modules/a', { integrity: 'a'.repeat(1_025) }],
  ])('are refused with %s that is none: %j %j', async (what, path, entry) => {
    put(`${path}/package.json`, {});
    lock({ [path]: { version: '1.0.0', ...entry } });
    await expect(facts()).rejects.toMatchObject({
      ...failed,
      message: `The package could not be installed: npm lists a part without ${what}.`,
    });
  });

  it('control: odd ones that registries have are taken', async () => {
    put('node_modules/@Scope/Old~!_name/package.json', {});
    const integrity = `sha1-${'a'.repeat(27)}= sha512-${'b'.repeat(86)}==`;
    lock({ 'node_modules/@Scope/Old~!_name': { version: '1.0.0beta', integrity } });
    const { parts } = (await facts()).facts;
    expect(parts).toEqual([{ name: '@Scope/Old~!_name', version: '1.0.0beta', integrity, scripts: false }]);
  });

  it('are not read through links', async () => {
    mkdirSync(join(root, 'linked'), { recursive: true });
    writeFileSync(join(root, 'linked/package.json'), '{}');
    symlinkSync(join(root, 'linked'), join(tree, 'node_modules/linked'));
    lock({ 'node_modules/linked': { version: '1.0.0' } });
    await expect(facts()).rejects.toMatchObject(failed);
  });

  it.each([
    ['another name', { name: 'other', version: '1.0.0' }],
    ['another version', { name: 'tool', version: '2.0.0' }],
    ['no version', { name: 'tool' }],
    ['no JSON', 'x'],
  ])('are not taken where the package has %s', async (_what, manifest) => {
    put('node_modules/tool/package.json', manifest);
    await expect(facts()).rejects.toMatchObject(failed);
  });

  it.each(['1.0.0\u001b[31m', '1.0.0\n', '1.0', 'latest', '../1.0.0', ''])(
    'are not taken where the latest version calls itself %j',
    async (version) => {
      put('node_modules/tool/package.json', { name: 'tool', version });
      const error = await npmPackageFacts(tree, { name: 'tool', allowScripts: false }).catch(String);
      expect(error).toBe(
        `AppError: The package could not be installed: npm installed "tool@${JSON.stringify(version).slice(1)} instead.`,
      );
    },
  );
});

describe('a file in a tree', () => {
  it('is read when it is one, and not too large', async () => {
    put('a/b/file', 'text');
    expect(await readWithin(tree, 'a/b/file', 4)).toBe('text');
    await expect(readWithin(tree, 'a/b/file', 3)).rejects.toThrow('larger than 3 bytes');
    await expect(readWithin(tree, 'a/b', 4)).rejects.toThrow('not a file');
    await expect(readWithin(tree, 'a/nothing', 4)).rejects.toMatchObject({ code: 'ENOENT' });
    for (const path of ['', '/a/b/file', 'a/../a/b/file', 'a/./b/file', '..'])
      await expect(readWithin(tree, path, 4)).rejects.toThrow('leads out of the package');
  });

  it('is written in place of whatever is there, never through it', async () => {
    writeFileSync(join(root, 'victim'), 'untouched');
    symlinkSync(join(root, 'victim'), join(tree, 'link'));
    put('folder/file', 'x');
    for (const name of ['link', 'folder', 'new']) {
      await writeWithin(tree, name, 'written');
      expect(await readWithin(tree, name, 10)).toBe('written');
    }
    expect(await readWithin(root, 'victim', 10)).toBe('untouched');
  });
});
