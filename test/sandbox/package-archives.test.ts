/** Installing from archives on this machine, and what archives may look like. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LocalAnswer, PackageStore } from '../../src/sandbox/index.ts';
import { archiveManifest } from '../../src/sandbox/packages/archives.ts';
import { openArchives } from '../../src/sandbox/packages/offline-registry.ts';
import { type LocalRegistry, startRegistry } from './local-registry.ts';
import { install, makePackageWorld } from './package-world.ts';

// Nobody listens there: whatever asks the registry fails.
const offline = makePackageWorld(() => 'http://127.0.0.1:1/');
const { root } = offline;
const folder = join(root, 'archives');
let registry: LocalRegistry;
let store: PackageStore;
const archiveOf = async (name: string, version: string): Promise<Buffer> =>
  Buffer.from(await (await fetch(`${registry.url}/${name}/-/${version}.tgz`)).arrayBuffer());

beforeAll(async () => {
  registry = await startRegistry();
  mkdirSync(folder);
  registry.publish({ name: 'helper', version: '1.2.0', files: { 'index.js': 'module.exports = 1;\n' } });
  registry.publish({ name: 'helper', version: '1.3.0', files: { 'index.js': 'module.exports = 2;\n' } });
  registry.publish({ name: 'scripted', version: '3.0.0', fields: { scripts: { install: 'exit 1' } } });
  registry.publish({
    name: '@acme/server',
    version: '1.0.0',
    fields: { bin: { 'acme-server': 'cli.js' }, dependencies: { helper: '^1.0.0', scripted: '*' } },
    files: { 'cli.js': '#!/usr/bin/env node\n' },
  });
  for (const [name, version] of [
    ['@acme/server', '1.0.0'],
    ['helper', '1.3.0'],
    ['scripted', '3.0.0'],
  ] as const)
    writeFileSync(
      join(folder, `${name.replace('@', '').replace('/', '-')}-${version}.tgz`),
      await archiveOf(name, version),
    );
  store = await offline.store(join(root, 'store'));
});
afterAll(() => {
  registry.close();
  rmSync(root, { recursive: true, force: true });
});

describe('installing from archives', () => {
  it('asks nobody, and gives the same package as the registry', async () => {
    const before = registry.requests.length;
    const installed = await install(store, 'npm:@acme/server@1.0.0', { from: [folder] });
    expect(registry.requests).toHaveLength(before);
    expect(installed.parts.map(({ name, version }) => `${name}@${version}`)).toEqual([
      '@acme/server@1.0.0',
      'helper@1.3.0',
      'scripted@3.0.0',
    ]);
    expect(installed.scriptsSkipped).toEqual(['scripted@3.0.0']);
    const online = makePackageWorld(() => registry.url);
    try {
      const same = await install(await online.store(join(online.root, 'store')), 'npm:@acme/server@1.0.0');
      expect(same.integrity).toBe(installed.integrity);
      expect(same.lockfile).toBe(installed.lockfile);
    } finally {
      rmSync(online.root, { recursive: true, force: true });
    }
  });

  it('takes single files, and the only version there is where none was asked for', async () => {
    const files = ['acme-server-1.0.0.tgz', 'helper-1.3.0.tgz', 'scripted-3.0.0.tgz'];
    const installed = await install(store, 'npm:@acme/server', {
      from: files.map((file) => join(folder, file)),
    });
    expect(installed.version).toBe('1.0.0');
  });

  it('gives the same again from the lockfile', async () => {
    const { lockfile, integrity } = await install(store, 'npm:@acme/server@1.0.0', { from: [folder] });
    const again = await install(store, 'npm:@acme/server@1.0.0', { from: [folder], lockfile });
    expect(again.integrity).toBe(integrity);
  });

  it('names what is missing', async () => {
    const from = [join(folder, 'acme-server-1.0.0.tgz')];
    await expect(install(store, 'npm:@acme/server@1.0.0', { from })).rejects.toMatchObject({
      code: 'package_not_found',
      message: expect.stringContaining('helper') as string,
    });
    await expect(install(store, 'npm:@acme/server@2.0.0', { from: [folder] })).rejects.toMatchObject({
      code: 'package_version_not_found',
    });
  });

  it('refuses archives that contradict each other', async () => {
    const other = join(root, 'other');
    mkdirSync(other);
    writeFileSync(
      join(other, 'helper.tgz'),
      gzipSync(gunzipSync(await archiveOf('helper', '1.3.0')), { level: 1 }),
    );
    await expect(openArchives([folder, other])).rejects.toMatchObject({ code: 'package_archives_conflict' });
    // The same archive twice says nothing new.
    await expect(openArchives([folder, folder])).resolves.toBeDefined();
  });

  it.each([
    ['a folder without any', () => join(root, 'home'), 'package_archives_none'],
    ['what is not there', () => join(root, 'nothing'), 'package_archive_unreadable'],
    ['what is no archive', () => join(import.meta.dirname, 'bpf.ts'), 'package_archive_unreadable'],
  ])('refuses %s', async (_what, from, code) => {
    await expect(install(store, 'npm:x@1.0.0', { from: [from()] })).rejects.toMatchObject({
      code,
      kind: 'invalid',
    });
  });
});

const textOf = (answer: LocalAnswer | null): string =>
  answer !== null && answer.body instanceof Buffer ? answer.body.toString() : '';

describe('a registry made of archives', () => {
  it('says what npm needs, with the hash of what is there', async () => {
    const archives = await openArchives([folder]);
    const document = JSON.parse(textOf(await archives.answer('/@acme%2fserver'))) as {
      'dist-tags': unknown;
      versions: Record<string, { dist: { tarball: string; integrity: string } }>;
    };
    const { dist } = document.versions['1.0.0'] ?? {};
    expect(document['dist-tags']).toEqual({ latest: '1.0.0' });
    const path = new URL(dist?.tarball ?? '').pathname;
    const file = join(folder, 'acme-server-1.0.0.tgz');
    expect((await archives.answer(path))?.body).toEqual({ file });
    const sha512 = createHash('sha512').update(readFileSync(file)).digest('base64');
    expect(dist?.integrity).toBe(`sha512-${sha512}`);
  });

  it.each([
    '/',
    '/nothing',
    '/helper/-/9.9.9.tgz',
    '/-/npm/v1/security/audits',
    '/%',
    '/../../etc/passwd',
    '/__proto__',
  ])('has no answer for %s', async (path) => {
    expect(await (await openArchives([folder])).answer(path)).toBeNull();
  });
});

it('an archive that is a pipe is not waited for', async () => {
  const pipes = join(root, 'pipes');
  mkdirSync(pipes);
  execFileSync('mkfifo', [join(pipes, 'a.tgz')]);
  await expect(openArchives([pipes])).rejects.toMatchObject({
    code: 'package_archive_unreadable',
    message: `${join(pipes, 'a.tgz')} cannot be used: it is no file.`,
  });
});

/** One entry of a tar archive, its header checked by nobody. */
function entry(name: string, text: string, { type = '0', size = text.length.toString(8) } = {}): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write(size.padStart(11, '0'), 124);
  header.write(type, 156);
  header.write('ustar', 257);
  return Buffer.concat([header, Buffer.from(text), Buffer.alloc((512 - (text.length % 512)) % 512)]);
}

describe('the manifest of an archive', () => {
  const path = join(root, 'made.tgz');
  const read = (...entries: readonly Buffer[]) => {
    writeFileSync(path, gzipSync(Buffer.concat([...entries, Buffer.alloc(1024)])));
    return archiveManifest(path);
  };
  const good = entry('package/package.json', '{"name":"a"}');

  it('is found behind other files, links and folders, under any top folder', async () => {
    const before = [
      entry('package/', '', { type: '5' }),
      entry('package/lib/package.json', '{"name":"nested"}'),
      entry('package/link', '', { type: '2' }),
      entry('package/package.json', '', { type: '2' }),
      entry('package/large', 'x'.repeat(100_000)),
    ];
    expect(await read(...before, good)).toEqual({ ok: true, value: { name: 'a' } });
    expect(await read(entry('other/package.json', '{"name":"b"}'))).toEqual({
      ok: true,
      value: { name: 'b' },
    });
  });

  it.each([
    ['without one', () => [entry('package/readme', 'x')], 'it holds no package.json'],
    [
      'without an end',
      () => [entry('package/package.json', '{}', { size: '777' })],
      'its package.json is not JSON',
    ],
    ['cut off', () => [entry('package/package.json', '{}', { size: '77777' })], 'it holds no package.json'],
    ['that is empty', () => [entry('package/package.json', '')], 'its package.json is empty or too large'],
    [
      'that is too large',
      () => [entry('package/package.json', '{}', { size: '77777777777' })],
      'its package.json is empty or too large',
    ],
    [
      'with a size that is none',
      () => [entry('package/a', '', { size: 'zzzzzzzzzzz' })],
      'one of its entries has no size',
    ],
    ['that is no JSON', () => [entry('package/package.json', 'x')], 'its package.json is not JSON'],
  ])('%s is an error', async (_what, entries, error) => {
    expect(await read(...entries())).toEqual({ ok: false, error });
  });

  it('of what is not gzip, or damaged, is an error', async () => {
    const error = 'it is not a gzipped tar archive, or it is damaged';
    writeFileSync(path, 'plain text');
    expect(await archiveManifest(path)).toEqual({ ok: false, error });
    const whole = gzipSync(Buffer.concat([entry('package/x', 'x'.repeat(50_000))]), { level: 0 });
    writeFileSync(path, whole.subarray(0, 20_000));
    expect(await archiveManifest(path)).toEqual({ ok: false, error });
  });
});
