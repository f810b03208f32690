import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { isAppError, limits } from '../../src/kernel/index.ts';
import { checkGrants } from '../../src/sandbox/file-grants.ts';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'sallyport-grants-')));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const folder = join(root, 'work');
mkdirSync(join(folder, 'notes'), { recursive: true, mode: 0o755 });
chmodSync(folder, 0o755);
writeFileSync(join(folder, 'private'), '', { mode: 0o600 });
symlinkSync('/etc', join(folder, 'link'));
symlinkSync(join(folder, 'notes'), join(folder, 'inner-link'));
const home = join(root, 'home');
mkdirSync(home);

const check = { closed: [home], foreignUser: false };
const grant = (host: string, cell = '/home/cell/data', write = false) => ({ host, cell, write });

/** As a cell gets them. */
async function granted(grants: Parameters<typeof checkGrants>[0]) {
  const { files, release } = await checkGrants(grants, check);
  release();
  return files;
}

async function codeOf(attempt: () => ReturnType<typeof checkGrants>): Promise<string> {
  try {
    (await attempt()).release();
  } catch (error) {
    if (isAppError(error)) return error.code;
    throw error;
  }
  return 'granted';
}

describe('file grants', () => {
  const identityOf = (path: string): string => {
    const { dev, ino } = statSync(path, { bigint: true });
    return `${dev}:${ino}`;
  };

  it('passes on a folder and a file as they are, in plain form, with what they are', async () => {
    expect(await granted([grant(`${folder}/notes/`, '/data//x/')])).toEqual([
      { ...grant(join(folder, 'notes'), '/data/x'), identity: identityOf(join(folder, 'notes')) },
    ]);
    expect(await granted([grant(join(folder, 'private'), '/home/cell/f', true)])).toEqual([
      {
        ...grant(join(folder, 'private'), '/home/cell/f', true),
        identity: identityOf(join(folder, 'private')),
      },
    ]);
  });

  it('gives back every descriptor, whether granted or refused', async () => {
    const count = (): number => readdirSync('/proc/self/fd').length;
    const before = count();
    await granted([grant(join(folder, 'notes')), grant(join(folder, 'private'), '/f')]);
    await codeOf(() =>
      checkGrants([grant(join(folder, 'notes')), grant(join(folder, 'nothing'), '/f')], check),
    );
    expect(count()).toBe(before);
    const { release } = await checkGrants([grant(join(folder, 'notes'))], check);
    expect(count()).toBe(before + 1);
    release();
    release();
    expect(count()).toBe(before);
  });

  it.each([
    ['what does not exist', join(folder, 'nothing'), 'sandbox_file_missing'],
    ['a link', join(folder, 'link'), 'sandbox_file_link'],
    ['a path through a link', join(folder, 'link/passwd'), 'sandbox_file_link'],
    ['a link that stays inside', join(folder, 'inner-link'), 'sandbox_file_link'],
    ['a relative path', 'work', 'sandbox_file_closed'],
    ['everything', '/', 'sandbox_file_closed'],
    ['process information', '/proc/sys', 'sandbox_file_closed'],
    ['devices', '/dev/shm', 'sandbox_file_closed'],
    ['sockets of the system', '/run', 'sandbox_file_closed'],
    ["the gateway's home", home, 'sandbox_file_closed'],
    ["a folder around the gateway's home", root, 'sandbox_file_closed'],
  ])('refuses %s', async (_what, host, code) => {
    expect(await codeOf(() => checkGrants([grant(host)], check))).toBe(code);
  });

  it.each([
    '/',
    '/usr/local/x',
    '/etc',
    '/proc',
    '/package/x',
    '/sallyport/bin',
    '/dev/x',
    '/home/../etc',
    'data',
    '/lib64',
  ])('refuses to put it at %s', async (cell) => {
    expect(await codeOf(() => checkGrants([grant(join(folder, 'notes'), cell)], check))).toBe(
      'sandbox_file_closed',
    );
  });

  it('refuses what a cell with a user of its own could not read, and says how to allow it', async () => {
    const attempt = () => checkGrants([grant(join(folder, 'private'))], { ...check, foreignUser: true });
    expect(await codeOf(attempt)).toBe('sandbox_file_unreadable');
    expect(
      await codeOf(() => checkGrants([grant(join(folder, 'notes'))], { ...check, foreignUser: true })),
    ).toBe('granted');
  });

  it.each([
    ['the same place', '/data', '/data'],
    ['a place inside of another', '/data/x/y', '/data'],
  ])('refuses %s, which the other grant decides about', async (_what, inner, outer) => {
    const both = [grant(join(folder, 'notes'), inner), grant(folder, outer, true)];
    expect(await codeOf(() => checkGrants(both, check))).toBe('sandbox_file_nested');
    expect(await codeOf(() => checkGrants(both.toReversed(), check))).toBe('sandbox_file_nested');
  });

  it('control: places beside each other are fine', async () => {
    const both = [grant(join(folder, 'notes'), '/data-2'), grant(folder, '/data')];
    expect(await codeOf(() => checkGrants(both, check))).toBe('granted');
  });
});

describe('sockets and pipes', () => {
  const project = join(root, 'project');
  const deep = join(project, 'a/b');
  mkdirSync(deep, { recursive: true });

  it.each([
    [
      'a socket',
      (path: string) =>
        execFileSync(process.execPath, [
          '-e',
          `require('net').createServer().listen(${JSON.stringify(path)}, () => process.exit())`,
        ]),
    ],
    ['a pipe', (path: string) => execFileSync('/usr/bin/mkfifo', [path])],
  ])('%s is refused, itself and in a folder', async (_what, make) => {
    const door = join(deep, 'door');
    make(door);
    for (const host of [door, deep, project]) {
      await expect(checkGrants([grant(host)], check)).rejects.toMatchObject({
        code: 'sandbox_file_socket',
        message: expect.stringContaining(`"${door}"`),
      });
    }
    rmSync(door, { force: true });
    expect(await codeOf(() => checkGrants([grant(project)], check))).toBe('granted');
  });

  it('are searched for in so many entries, and what was not searched is said', async () => {
    const many = join(root, 'many');
    mkdirSync(many);
    for (let index = 0; index <= limits.grantEntriesMax; index += 1) symlinkSync('x', join(many, `${index}`));
    const { unsearched, release } = await checkGrants([grant(many)], check);
    release();
    expect(unsearched).toEqual([many]);
  });
});

describe('places in a grant that are mounted over themselves', () => {
  const pinned = async (host: string, write = true) => {
    const pins = [{ host, write: false }];
    const { pins: found, release } = await checkGrants([grant(folder, '/data', write)], { ...check, pins });
    release();
    return found;
  };

  it('are named as the cell has them, with what they are', async () => {
    const { dev, ino } = statSync(join(folder, 'notes'), { bigint: true });
    expect(await pinned(join(folder, 'notes'))).toEqual([
      { host: join(folder, 'notes'), cell: '/data/notes', write: false, identity: `${dev}:${ino}` },
    ]);
  });

  it.each([
    ['outside of it', home, true, 'sandbox_file_pin'],
    ['outside of it by name', `${folder}/../home`, true, 'sandbox_file_pin'],
    ['the grant itself', folder, true, 'sandbox_file_pin'],
    ['in what is read-only', join(folder, 'notes'), false, 'sandbox_file_pin'],
    ['not there', join(folder, 'nothing'), true, 'sandbox_file_missing'],
    ['a link', join(folder, 'inner-link'), true, 'sandbox_file_link'],
    ['behind a link', join(folder, 'link', 'passwd'), true, 'sandbox_file_link'],
  ])('are refused: %s', async (_, host, write, code) => {
    await expect(pinned(host, write)).rejects.toMatchObject({ code });
  });
});
