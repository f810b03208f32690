import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunOptions } from '../../src/cli/index.ts';
import { AppError } from '../../src/kernel/index.ts';
import { makeWorld, type World } from '../api/world.ts';
import { makeTerminal, type Terminal } from './terminal.ts';

let world: World;
let terminal: Terminal;
let asked: Omit<RunOptions, 'note'>[];

beforeEach(async () => {
  world = await makeWorld();
  terminal = makeTerminal(world);
  asked = [];
});
afterEach(() => world.close());

const endsWith = (code: number): void => {
  terminal.host.run = async ({ note: _note, ...options }) => {
    asked.push(options);
    return code;
  };
};
const failsWith = (code: string, kind: 'invalid' | 'denied' | 'not_found' | 'failed'): void => {
  terminal.host.run = async () => {
    throw new AppError(code, 'It is so.', { kind, hint: 'Do that.' });
  };
};

describe('sallyport run', () => {
  it.each([0, 1, 7, 130, 255])('ends with the code of the command: %i', async (code) => {
    endsWith(code);
    expect(await terminal.run('run', '--', 'true')).toEqual({ code, stdout: '', stderr: '' });
  });

  it('passes on what it was asked, and leaves alone what is the command’s', async () => {
    endsWith(0);
    await terminal.run('run', '--', 'npm', 'test');
    const all =
      '--profile work --host a.example --host b.example:8443 --ro --allow-hooks --mount /opt/x --mount /data:rw'.split(
        ' ',
      );
    await terminal.run('run', ...all, '--', 'sh', '-c', 'exit', '--', '--ro');
    // Without the dashes too: what comes behind the program is not an option of ours.
    await terminal.run('run', 'tool', '--profile', 'its-own', '--json', '--help');
    expect(asked).toEqual([
      {
        profile: 'default',
        hosts: [],
        readOnly: false,
        mounts: [],
        allowHooks: false,
        command: ['npm', 'test'],
      },
      {
        profile: 'work',
        hosts: ['a.example', 'b.example:8443'],
        readOnly: true,
        mounts: ['/opt/x', '/data:rw'],
        allowHooks: true,
        command: ['sh', '-c', 'exit', '--', '--ro'],
      },
      {
        profile: 'default',
        hosts: [],
        readOnly: false,
        mounts: [],
        allowHooks: false,
        command: ['tool', '--profile', 'its-own', '--json', '--help'],
      },
    ]);
  });

  it('says in its help what is kept from a command, and what is not', async () => {
    const { stdout } = await terminal.run('run', '--help');
    expect(stdout.replaceAll(/\s+/g, ' ')).toContain(
      'Where .git/hooks, .git/config, .vscode, .envrc, .claude and the like are there, they are read-only: ' +
        'programs outside of the cell run what is in them. Those that a command makes are named when it has ended. ' +
        'Nothing else of what it writes is kept from it: look at it before you run it (docs/run.md).',
    );
  });

  it('says on stderr what the user should know, in its own name', async () => {
    terminal.host.run = async ({ note }) => {
      note('API_KEY has no value.');
      return 0;
    };
    for (const argv of [
      ['run', 'true'],
      ['run', '--json', 'true'],
    ])
      expect(await terminal.run(...argv)).toEqual({
        code: 0,
        stdout: '',
        stderr: 'sallyport: API_KEY has no value.\n',
      });
  });

  it.each([
    ['run_program_unknown', 'not_found', 127],
    ['run_program_hidden', 'not_found', 126],
    ['run_host_invalid', 'invalid', 2],
    ['run_rules_differ', 'denied', 125],
    ['kill_active', 'denied', 125],
    ['sandbox_unavailable', 'failed', 125],
  ] as const)('that could not run it, %s, ends as shells do', async (name, kind, code) => {
    failsWith(name, kind);
    expect(await terminal.run('run', 'true')).toEqual({
      code,
      stdout: '',
      stderr: 'error: It is so.\nhint:  Do that.\n',
    });
    const json = await terminal.run('run', '--json', 'true');
    expect(json).toMatchObject({ code, stderr: '' });
    expect(JSON.parse(json.stdout)).toEqual({
      error: { code: name, message: 'It is so.', hint: 'Do that.' },
    });
  });

  it('that meets what nobody foresaw says nothing of it but reports it', async () => {
    terminal.host.run = async () => {
      throw new TypeError('inside');
    };
    const ran = await terminal.run('run', 'true');
    expect(ran).toMatchObject({ code: 1, stdout: '' });
    expect(ran.stderr).toContain('unexpected: TypeError: inside');
  });

  it.each([[['run']], [['run', '--']], [['run', '--nothing', 'true']], [['run', '--host']]])(
    'is not understood as %j',
    async (argv) => {
      endsWith(0);
      expect((await terminal.run(...argv)).code).toBe(2);
      expect(asked).toEqual([]);
    },
  );
});
