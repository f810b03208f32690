/** What is asked of the package store on behalf of a server, what is on record of it, and what is held back. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PackageOptions, PackagePart, PackageRecord } from '../../src/api/index.ts';
import { AppError } from '../../src/kernel/index.ts';
import { installed, makeWorld, type World } from './world.ts';

let world: World;
beforeEach(async () => {
  world = await makeWorld();
});
afterEach(() => world.close());

const quiet = (): void => undefined;
const part = (name: string, version: string, over: Partial<PackagePart> = {}): PackagePart => ({
  name,
  version,
  integrity: `sha512-${name}-${version}`,
  scripts: false,
  ...over,
});
const hashed = (letter: string): string => `sha256-${letter.repeat(64)}`;
const parts = [part('helper', '1.0.0'), part('tool', '1.2.3')];

/** The store gives this next. */
let asked: { spec: string; options: PackageOptions }[] = [];
function give(over: Partial<PackageRecord>): void {
  world.packages.install = async (spec, options) => {
    asked.push({ spec, options });
    return installed(over);
  };
}
const add = async (over: Partial<PackageRecord> = { parts }) => {
  asked = [];
  give(over);
  return world.client.addServer({ source: 'npm:tool' }, quiet);
};
async function events(type: string): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const event of world.services.audit.export(world.services.workspace)) {
    if (event.type === type) found.push({ server: event.server, ...event.data });
  }
  return found;
}
async function failure(work: Promise<unknown>): Promise<AppError> {
  const error = await work.then(
    () => undefined,
    (found: unknown) => found,
  );
  if (error instanceof AppError) return error;
  throw new Error(`no AppError: ${String(error)}`);
}

describe('adding a server from a package', () => {
  it('runs no scripts and asks the registry, and that is on record', async () => {
    const added = await add({ parts, scriptsSkipped: ['helper@1.0.0'] });
    expect(asked).toEqual([{ spec: 'npm:tool', options: {} }]);
    expect(added.package).toEqual({
      kind: 'npm',
      spec: 'npm:tool@1.2.3',
      integrity: hashed('a'),
      parts: 2,
      scriptsSkipped: ['helper@1.0.0'],
      scriptsRun: [],
    });
    expect(await events('package.installed')).toEqual([
      {
        spec: 'npm:tool@1.2.3',
        scripts: 'off',
        from: 'registry',
        integrity: hashed('a'),
        parts: 2,
        scriptsSkipped: ['helper@1.0.0'],
        scriptsRun: [],
      },
    ]);
  });

  it('runs them, and takes archives, where that was asked for, and shows it', async () => {
    give({ scriptsRun: ['helper@1.0.0'] });
    asked = [];
    const body = { source: 'npm:tool@1.2.3', allowScripts: true, from: ['/srv/archives'] };
    const added = await world.client.addServer(body, quiet);
    expect(asked).toEqual([
      { spec: 'npm:tool@1.2.3', options: { allowScripts: true, from: ['/srv/archives'] } },
    ]);
    expect(added.package?.scriptsRun).toEqual(['helper@1.0.0']);
    expect(await events('package.installed')).toMatchObject([
      { scripts: 'allowed', from: 'archives', scriptsRun: ['helper@1.0.0'] },
    ]);
  });

  it('says on record that it could not be had', async () => {
    await failure(world.client.addServer({ source: 'npm:tool' }, quiet));
    expect(await events('package.refused')).toEqual([
      { spec: 'npm:tool', scripts: 'off', from: 'registry', reason: 'package_not_found' },
    ]);
    expect(await events('package.installed')).toEqual([]);
  });

  it('takes no path that means something else elsewhere', async () => {
    const body = { source: 'npm:tool', from: ['archives'] };
    expect(await failure(world.client.addServer(body, quiet))).toMatchObject({ kind: 'invalid' });
  });
});

describe('another version', () => {
  const next = (over: Partial<PackageRecord>): void =>
    give({ version: '1.3.0', spec: 'npm:tool@1.3.0', integrity: hashed('b'), ...over });

  it('that only adds, removes and moves parts is taken, and they are named', async () => {
    await add({ parts: [...parts, part('old', '0.1.0')] });
    next({ parts: [part('helper', '1.1.0'), part('new', '0.2.0'), part('tool', '1.3.0')] });
    const upgraded = await world.client.upgradeServer('tool', {}, quiet);
    expect(upgraded).toMatchObject({
      version: '1.3.0',
      changes: {
        added: ['helper@1.1.0', 'new@0.2.0', 'tool@1.3.0'],
        removed: ['helper@1.0.0', 'old@0.1.0', 'tool@1.2.3'],
        altered: [],
        newScripts: [],
      },
    });
  });

  it('that brings an install script is held back and named, and taken with consent', async () => {
    await add();
    next({ parts: [part('helper', '1.0.1', { scripts: true }), part('tool', '1.3.0')] });
    expect(await failure(world.client.upgradeServer('tool', {}, quiet))).toMatchObject({
      code: 'package_changes_need_consent',
      kind: 'denied',
      message: [
        'npm:tool@1.3.0 brings what a new version usually does not; `tool` stays at 1.2.3:',
        '  new install scripts: helper@1.0.1',
        '  added: helper@1.0.1, tool@1.3.0',
        '  removed: helper@1.0.0, tool@1.2.3',
      ].join('\n'),
    });
    expect((await world.client.server('tool')).version).toBe('1.2.3');
    expect(world.told).not.toContain('restart tool changed');
    expect(await events('package.refused')).toMatchObject([
      { server: 'tool', reason: 'package_changes_need_consent', newScripts: ['helper@1.0.1'] },
    ]);
    const upgraded = await world.client.upgradeServer('tool', { accept: true }, quiet);
    expect(upgraded.version).toBe('1.3.0');
    expect(await events('server.changed')).toMatchObject([{ accepted: true, newScripts: ['helper@1.0.1'] }]);
  });

  it('with a script where there was one before is ordinary', async () => {
    await add({ parts: [part('native', '1.0.0', { scripts: true }), part('tool', '1.2.3')] });
    next({ parts: [part('native', '1.1.0', { scripts: true }), part('tool', '1.3.0')] });
    expect((await world.client.upgradeServer('tool', {}, quiet)).version).toBe('1.3.0');
  });

  it('in which a part of the same version has other bytes is held back', async () => {
    await add();
    next({ parts: [part('helper', '1.0.0', { integrity: 'sha512-other' }), part('tool', '1.3.0')] });
    const held = await failure(world.client.upgradeServer('tool', {}, quiet));
    expect(held.code).toBe('package_changes_need_consent');
    expect(held.message).toContain('same version, other bytes: helper@1.0.0');
  });

  it('that is the same version with other files is held back, even where the parts are the same', async () => {
    await add();
    give({ parts, integrity: hashed('b') });
    const held = await failure(world.client.upgradeServer('tool', { to: '1.2.3' }, quiet));
    expect(held).toMatchObject({ code: 'package_changes_need_consent' });
    expect(held.message).toContain('npm:tool@1.2.3 is not the same as when it was installed');
    expect(held.message).toContain('files in them differ');
  });

  it('of a package whose parts were never written down is taken', async () => {
    await add({ parts: [] });
    next({ parts: [part('helper', '1.0.1', { scripts: true }), part('tool', '1.3.0')] });
    expect((await world.client.upgradeServer('tool', {}, quiet)).version).toBe('1.3.0');
  });

  it('is asked for in the words of its registry', async () => {
    await add({ kind: 'pypi', name: 'tool', spec: 'pypi:tool==1.2.3', python: '3.11' });
    await world.client.upgradeServer('tool', { to: '1.2.3', allowScripts: true }, quiet);
    expect(asked.at(-1)).toEqual({ spec: 'pypi:tool==1.2.3', options: { allowScripts: true } });
  });
});

describe('installing the same again', () => {
  it('asks for what the lockfile says, in the way of the first time, and ends the cells', async () => {
    await add({ parts, lockfile: 'the lock', scriptsRun: ['helper@1.0.0'] });
    give({ parts, lockfile: 'the lock' });
    const again = await world.client.reinstallServer('tool', { from: ['/srv'] }, quiet);
    expect(asked.at(-1)).toEqual({
      spec: 'npm:tool@1.2.3',
      options: { allowScripts: true, from: ['/srv'], lockfile: 'the lock' },
    });
    expect(again.package?.integrity).toBe(hashed('a'));
    expect(world.told).toContain('restart tool package installed again');
  });

  it('refuses what is not the same, and names it', async () => {
    await add({ parts, lockfile: 'the lock' });
    give({
      parts: [part('helper', '1.0.0', { integrity: 'sha512-other' }), part('tool', '1.2.3')],
      integrity: hashed('b'),
    });
    expect(await failure(world.client.reinstallServer('tool', {}, quiet))).toMatchObject({
      code: 'package_differs',
      kind: 'denied',
      message: expect.stringContaining('same version, other bytes: helper@1.0.0') as string,
    });
    expect(world.told).toEqual([]);
    expect(await events('package.refused')).toMatchObject([
      { server: 'tool', reason: 'package_differs', expected: hashed('a'), found: hashed('b') },
    ]);
  });

  it('cannot be done where nothing was written down', async () => {
    await add({ lockfile: '' });
    expect(await failure(world.client.reinstallServer('tool', {}, quiet))).toMatchObject({
      code: 'package_lock_missing',
      hint: expect.stringContaining('sallyport server upgrade tool --to 1.2.3') as string,
    });
  });

  it('never shows the lockfile, nor puts it on record', async () => {
    const added = await add({ parts, lockfile: 'the lock itself' });
    expect(JSON.stringify(added)).not.toContain('the lock itself');
    expect(JSON.stringify(await events('server.added'))).not.toContain('the lock itself');
    expect(JSON.stringify(await events('package.installed'))).not.toContain('the lock itself');
  });
});
