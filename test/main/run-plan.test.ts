/** Which folders a command sees and as whom, which program it means, and how its end is told. */
import { constants } from 'node:os';
import { describe, expect, it } from 'vitest';
import { type FoldersInput, planFolders } from '../../src/main/run/folders.ts';
import { findProgram, type ProgramInput } from '../../src/main/run/program.ts';
import { exitCode } from '../../src/main/run/relay.ts';

const folders = (over: Partial<FoldersInput> = {}, owners: Readonly<Record<string, number>> = {}) =>
  planFolders({
    folder: '/p',
    readOnly: false,
    mounts: [],
    uid: 1000,
    ownerOf: (path) => owners[path] ?? 1000,
    ...over,
  });
const grant = (path: string, write: boolean) => ({ host: path, cell: path, write });

describe('planFolders', () => {
  it('shows the folder at its own place, to be written unless that is not wanted', () => {
    expect(folders()).toEqual({ grants: [grant('/p', true)], uid: null, notes: [] });
    expect(folders({ readOnly: true })).toEqual({ grants: [grant('/p', false)], uid: null, notes: [] });
  });

  it('shows further folders, each as it is asked for, the folder itself once', () => {
    const mounts = [
      { path: '/t', write: false },
      { path: '/w', write: true },
      { path: '/p', write: false },
    ];
    expect(folders({ mounts }).grants).toEqual([grant('/p', true), grant('/t', false), grant('/w', true)]);
  });

  it('makes root the owner of the folder', () => {
    expect(folders({ uid: 0 })).toEqual({ grants: [grant('/p', true)], uid: 1000, notes: [] });
  });

  it("shows root's own folder to be read, and says why", () => {
    const given = folders({ uid: 0 }, { '/p': 0 });
    expect(given).toMatchObject({ grants: [grant('/p', false)], uid: null });
    expect(given.notes).toEqual([expect.stringContaining('/p belongs to root') as string]);
    expect(folders({ uid: 0, readOnly: true }, { '/p': 0 }).notes).toEqual([]);
  });

  it('refuses to pretend that somebody else’s folder could be written', () => {
    const mounts = [{ path: '/w', write: true }];
    expect(() => folders({ uid: 0, mounts }, { '/w': 7 })).toThrow(
      expect.objectContaining({ code: 'run_mount_not_yours' }) as Error,
    );
    expect(folders({ uid: 0, mounts }).grants).toContainEqual(grant('/w', true));
    // Whoever is not root finds out as with any program.
    expect(folders({ mounts }, { '/w': 7 }).grants).toContainEqual(grant('/w', true));
  });
});

describe('findProgram', () => {
  const files: Readonly<Record<string, string>> = {
    '/usr/bin/git': '/usr/bin/git',
    '/opt/tool/bin/tool': '/opt/tool/bin/tool',
    '/home/u/.local/bin/agent': '/home/u/.local/share/agent/1/agent',
    '/p/run.sh': '/p/run.sh',
    '/p/node_modules/.bin/jest': '/p/node_modules/jest/cli.js',
    '/p/out': '/elsewhere/out',
    '/opt/links/linked': '/opt/tool/bin/linked',
  };
  const find = (program: string, over: Partial<ProgramInput> = {}): string =>
    findProgram({
      program,
      folder: '/p',
      shown: ['/p'],
      cellPath: ['/sallyport/bin', '/usr/local/bin', '/usr/bin', '/bin'],
      path: '/p/node_modules/.bin:/opt/tool/bin:/opt/links::/home/u/.local/bin:/usr/bin',
      look: (path) => files[path] ?? null,
      ...over,
    });
  const failing = (code: string, hint?: string) =>
    expect.objectContaining({
      code,
      ...(hint === undefined ? {} : { hint: expect.stringContaining(hint) as string }),
    }) as Error;

  it.each([
    ['git', 'git'],
    ['node', 'node'],
    ['/usr/bin/git', '/usr/bin/git'],
    ['./run.sh', '/p/run.sh'],
    ['../p/run.sh', '/p/run.sh'],
    ['jest', '/p/node_modules/.bin/jest'],
  ])('%s: %s', (program, path) => {
    expect(find(program)).toBe(path);
  });

  it.each([
    ['tool', '--mount /opt/tool'],
    ['/opt/tool/bin/tool', '--mount /opt/tool'],
    ['agent', '--mount /home/u/.local'],
    ['linked', '--mount /opt/links --mount /opt/tool'],
    ['./out', '--mount /elsewhere'],
  ])('names the option that shows %s: %s', (program, hint) => {
    expect(() => find(program)).toThrow(failing('run_program_hidden', hint));
    // That, and nothing more: a folder within another is refused.
    expect(() => find(program)).not.toThrow(failing('run_program_hidden', `${hint} `));
    expect(() => find(program)).not.toThrow(failing('run_program_hidden', `${hint}/`));
  });

  it('finds it with that option', () => {
    expect(find('tool', { shown: ['/p', '/opt/tool'] })).toBe('/opt/tool/bin/tool');
    expect(find('agent', { shown: ['/p', '/home/u/.local'] })).toBe('/home/u/.local/bin/agent');
  });

  it('does not take a folder for one that only begins like it', () => {
    expect(() => find('tool', { shown: ['/p', '/opt/too'] })).toThrow(failing('run_program_hidden'));
  });

  it.each(['nothing', './nothing', '/usr/bin/nothing'])('does not know %s', (program) => {
    expect(() => find(program)).toThrow(failing('run_program_unknown'));
  });
});

describe('exitCode', () => {
  const end = (over: object) => ({
    code: null,
    signal: null,
    started: true,
    reason: '',
    limit: null,
    ...over,
  });

  it.each([
    [{ code: 0 }, 0],
    [{ code: 7 }, 7],
    [{ code: 255 }, 255],
    [{ signal: 'SIGTERM' as const }, 128 + constants.signals.SIGTERM],
    [{ signal: 'SIGKILL' as const }, 137],
    [{ code: 127, started: false }, 127],
    [{ started: false }, 125],
    [{}, 1],
  ])('of %j is %i', (over, code) => {
    expect(exitCode(end(over))).toBe(code);
  });
});
