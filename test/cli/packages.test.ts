/** What the commands about packages ask for and say. */
import { resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type {
  AddedView,
  Definition,
  DefinitionReport,
  PackageOptions,
  PackageRecord,
} from '../../src/api/index.ts';
import { installed, makeWorld, type World } from '../api/world.ts';
import { makeTerminal, type Terminal } from './terminal.ts';

let world: World;
let terminal: Terminal;
let asked: { spec: string; options: PackageOptions }[];

beforeEach(async () => {
  world = await makeWorld();
  terminal = makeTerminal(world);
  asked = [];
});
afterEach(() => world.close());

function give(over: Partial<PackageRecord>): void {
  world.packages.install = async (spec, options) => {
    asked.push({ spec, options });
    return installed(over);
  };
}
const part = (name: string, version: string, scripts = false) => ({
  name,
  version,
  integrity: version,
  scripts,
});

describe('server add', () => {
  it('passes on what it is told, paths as they are from here', async () => {
    give({ scriptsRun: ['native@1.0.0'], scriptsSkipped: [] });
    const argv = [
      'server',
      'add',
      'npm:tool',
      '--allow-scripts',
      '--from',
      'archives',
      '--from',
      '/srv/more.tgz',
    ];
    const { stdout, code } = await terminal.run(...argv);
    expect(code).toBe(0);
    expect(asked).toEqual([
      { spec: 'npm:tool', options: { allowScripts: true, from: [resolve('archives'), '/srv/more.tgz'] } },
    ]);
    expect(stdout).toContain('Install scripts allowed: native@1.0.0');
    expect(stdout).not.toContain('not run');
  });

  it('runs no scripts unless it is told to, and names those', async () => {
    give({ scriptsSkipped: ['native@1.0.0', 'other@2.0.0'] });
    const { stdout } = await terminal.run('server', 'add', 'npm:tool');
    expect(asked).toEqual([{ spec: 'npm:tool', options: {} }]);
    expect(stdout).toContain('Install scripts not run: native@1.0.0, other@2.0.0');
  });

  it('takes hosts and a command for packages of Python too', async () => {
    give({ kind: 'pypi', spec: 'pypi:tool==1.2.3' });
    const { code } = await terminal.run(
      'server',
      'add',
      'pypi:tool',
      '--host',
      'a.example',
      '--command',
      'tool x',
    );
    expect(code).toBe(0);
    expect((await world.client.server('tool')).command).toEqual(['tool', 'x']);
  });

  it('never prints what a package calls itself as it is', async () => {
    give({ scriptsSkipped: ['evil\u001b[2J@1.0.0'] });
    expect((await terminal.run('server', 'add', 'npm:tool')).stdout).not.toContain('\u001b[2J');
  });

  it('prints nothing that a terminal would obey, whatever is told of a package', async () => {
    give({});
    const added = await world.client.addServer({ source: 'npm:tool' }, () => undefined);
    const hostile = '1.2.3\u001b]0;x\u0007\u001b[2J';
    const definition: Definition = {
      kind: 'tool',
      name: hostile,
      state: 'changed',
      hash: 'h',
      summary: hostile,
      readOnly: true,
      characters: [{ flag: hostile, place: hostile, shown: hostile }],
      instructions: [{ rule: hostile, place: hostile, shown: hostile }],
      alike: [hostile],
      changes: [{ place: hostile, before: hostile, after: hostile }],
    };
    const definitions: DefinitionReport = {
      server: 'tool',
      looked: true,
      problem: { code: 'c', message: hostile, hint: hostile },
      definitions: [definition, { ...definition, state: 'approved' }, { ...definition, state: 'gone' }],
      fingerprint: 'f',
    };
    const told: AddedView = {
      ...added,
      definitions,
      version: hostile,
      problem: hostile,
      source: hostile,
      command: [hostile],
      package: {
        kind: 'npm',
        spec: `npm:tool@${hostile}`,
        integrity: hostile,
        parts: 1,
        scriptsSkipped: [],
        scriptsRun: [hostile],
      },
    };
    const changes = { added: [hostile], removed: [], altered: [], newScripts: [] };
    vi.spyOn(world.client, 'addServer').mockResolvedValue({ ...told, notes: [hostile] });
    vi.spyOn(world.client, 'server').mockResolvedValue(told);
    vi.spyOn(world.client, 'reinstallServer').mockResolvedValue(told);
    vi.spyOn(world.client, 'upgradeServer').mockResolvedValue({ ...told, changes, definitions });
    vi.spyOn(world.client, 'lookAtDefinitions').mockResolvedValue(definitions);
    for (const argv of [
      ['add', 'npm:tool'],
      ['show', 'tool'],
      ['upgrade', 'tool'],
      ['reinstall', 'tool'],
      ['consent', 'tool'],
    ]) {
      const { stdout } = await terminal.run('server', ...argv);
      expect(stdout).toContain('1.2.3');
      expect(stdout.replaceAll('\n', '')).toMatch(/^\P{Cc}*$/u);
    }
  });
});

describe('server show', () => {
  it.each([
    [{}, 'it has none'],
    [{ scriptsSkipped: ['a@1.0.0'] }, 'not run: a@1.0.0'],
    [{ scriptsRun: ['a@1.0.0', 'b@1.0.0'] }, 'allowed: a@1.0.0, b@1.0.0'],
  ])('says of scripts, for %j: %s', async (over, text) => {
    give(over);
    await terminal.run('server', 'add', 'npm:tool');
    expect((await terminal.run('server', 'show', 'tool')).stdout).toContain(`\nscripts   ${text}\n`);
  });
});

describe('server upgrade', () => {
  beforeEach(async () => {
    give({ parts: [part('helper', '1.0.0'), part('tool', '1.2.3')] });
    await terminal.run('server', 'add', 'npm:tool');
  });
  const next = (over: Partial<PackageRecord>): void =>
    give({ version: '1.3.0', spec: 'npm:tool@1.3.0', integrity: `sha256-${'b'.repeat(64)}`, ...over });

  it('names what differs', async () => {
    next({ parts: [part('fresh', '0.1.0'), part('helper', '1.0.0'), part('tool', '1.3.0')] });
    expect((await terminal.run('server', 'upgrade', 'tool', '--to', '1.3.0')).stdout).toBe(
      'tool: 1.2.3 → 1.3.0\n  Added: fresh@0.1.0, tool@1.3.0\n  Removed: tool@1.2.3\n  What it offers now is not known: There are no cells here.\n',
    );
    expect(asked.at(-1)).toEqual({ spec: 'npm:tool@1.3.0', options: {} });
  });

  it('ends with 3 where something is held back, and takes it when told to', async () => {
    next({ parts: [part('helper', '1.0.1', true), part('tool', '1.3.0')], scriptsSkipped: ['helper@1.0.1'] });
    const held = await terminal.run('server', 'upgrade', 'tool');
    expect(held).toMatchObject({ code: 3, stdout: '' });
    expect(held.stderr).toContain('new install scripts: helper@1.0.1');
    expect(held.stderr).toContain('--accept');
    const taken = await terminal.run('server', 'upgrade', 'tool', '--accept');
    expect(taken.code).toBe(0);
    expect(taken.stdout).toContain('New install scripts: helper@1.0.1');
    expect(taken.stdout).toContain('Install scripts not run: helper@1.0.1');
  });

  it('says so where there is nothing newer', async () => {
    expect((await terminal.run('server', 'upgrade', 'tool')).stdout).toBe('tool is at 1.2.3 already.\n');
  });

  it('counts what is too much to name', async () => {
    next({ parts: Array.from({ length: 30 }, (_, index) => part(`p${index}`, '1.0.0')) });
    expect((await terminal.run('server', 'upgrade', 'tool')).stdout).toContain(', and 18 more');
  });
});

describe('server reinstall', () => {
  it('says that it is the same', async () => {
    give({ lockfile: 'lock' });
    await terminal.run('server', 'add', 'npm:tool');
    expect((await terminal.run('server', 'reinstall', 'tool', '--from', '/srv')).stdout).toBe(
      'tool: npm:tool@1.2.3 is installed again, the same as before.\n',
    );
    expect(asked.at(-1)).toEqual({ spec: 'npm:tool@1.2.3', options: { from: ['/srv'], lockfile: 'lock' } });
  });
});
