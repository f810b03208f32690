import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { isAppError } from '../../src/kernel/index.ts';
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

function codeOf(attempt: () => unknown): string {
  try {
    attempt();
  } catch (error) {
    if (isAppError(error)) return error.code;
    throw error;
  }
  return 'granted';
}

describe('file grants', () => {
  it('passes on a folder and a file as they are, in plain form', () => {
    expect(checkGrants([grant(`${folder}/notes/`, '/data//x/')], check)).toEqual([
      grant(join(folder, 'notes'), '/data/x'),
    ]);
    expect(checkGrants([grant(join(folder, 'private'), '/home/cell/f', true)], check)).toEqual([
      grant(join(folder, 'private'), '/home/cell/f', true),
    ]);
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
  ])('refuses %s', (_what, host, code) => {
    expect(codeOf(() => checkGrants([grant(host)], check))).toBe(code);
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
  ])('refuses to put it at %s', (cell) => {
    expect(codeOf(() => checkGrants([grant(join(folder, 'notes'), cell)], check))).toBe(
      'sandbox_file_closed',
    );
  });

  it('refuses what a cell with a user of its own could not read, and says how to allow it', () => {
    const attempt = () => checkGrants([grant(join(folder, 'private'))], { ...check, foreignUser: true });
    expect(codeOf(attempt)).toBe('sandbox_file_unreadable');
    expect(codeOf(() => checkGrants([grant(join(folder, 'notes'))], { ...check, foreignUser: true }))).toBe(
      'granted',
    );
  });
});
