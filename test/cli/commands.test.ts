/** Commands as they are typed: usage, errors, calls, the audit log, ctrl-C, and what is about the gateway itself. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AppError } from '../../src/kernel/index.ts';
import { processHost } from '../../src/main/process.ts';
import { makeWorld, manifest, type World } from '../api/world.ts';
import { makeTerminal, type Terminal } from './terminal.ts';

let world: World;
let terminal: Terminal;

beforeEach(async () => {
  world = await makeWorld();
  terminal = makeTerminal(world, { './echo.json': manifest(), './other.json': manifest({ name: 'other' }) });
  expect((await terminal.run('server', 'add', './echo.json')).code).toBe(0);
});
afterEach(async () => {
  expect(terminal.open).toBe(0);
  await world.close();
});

describe('usage', () => {
  it.each([
    [[]],
    [['nothing']],
    [['server']],
    [['server', 'show']],
    [['server', 'list', 'surplus']],
    [['server', 'list', '--nothing']],
    [['secret', 'delete', 'echo']],
    [['secret', 'delete', 'echo', 'API_KEY', '--all']],
    [['secret', 'set', 'echo', 'API_KEY', 'value', '--stdin']],
    [['secret', 'inject', 'echo', 'KEY']],
    [['secret', 'inject', 'echo', 'KEY', '--bearer', '--query', 'q']],
    [['secret', 'inject', 'echo', 'KEY', '--basic', 'both']],
    [['secret', 'inject', 'echo', 'KEY', '--cookie', 'a', '--form', 'b']],
    [['secret', 'inject', 'echo', 'KEY', '--query', 'q', '--format', 'x{token}']],
    [['secret', 'inject', 'echo', 'KEY', '--bearer', '--format', 'x{token}']],
    [['secret', 'inject', 'echo', 'KEY', '--header', 'X-Sum', '--algorithm', 'sha1']],
    [['secret', 'inject', 'echo', 'KEY', '--hmac', 'X-Sum', '--algorithm', 'md5']],
    [['secret', 'inject', 'echo', 'KEY', '--hmac', 'X-Sum', '--encoding', 'rot13']],
    [['secret', 'inject', 'echo', 'KEY', '--format', '{token}']],
    [['profile', 'set', 'default']],
    [['profile', 'set', 'default', '--server', 'echo:']],
    [['token', 'create', '--expires', '0m']],
    [['token', 'create', '--expires', '5s']],
    [['token', 'create', '--expires', '999999d']],
    [['call', 'echo', 'do', 'not json']],
    [['call', 'echo', 'do', '"text"']],
    [['audit', 'tail', '-n', '0']],
    [['audit', 'export', '--from', '-1']],
    [['kill']],
    [['kill', '--all', '--workspace']],
    [['resume']],
    [['server', 'add', 'github', '--host', 'x.example']],
    [['server', 'add', './echo.json', '--command', 'x']],
    [['server', 'add', './none.json']],
    [['server', 'add', 'npm:x', '--env', 'NOVALUE']],
  ])('that is wrong, %j, ends with 2 and says so on stderr', async (argv) => {
    const ran = await terminal.run(...argv);
    expect(ran).toMatchObject({ code: 2, stdout: '' });
    expect(ran.stderr).not.toBe('');
  });

  it.each([[['call', '--json']], [['server', 'list', '--nothing', '--json']], [['kill', '--json']]])(
    'that is wrong is JSON too, for %j',
    async (argv) => {
      const ran = await terminal.run(...argv);
      expect(ran.code).toBe(2);
      expect(JSON.parse(ran.stdout)).toMatchObject({
        error: { code: 'cli_usage', message: expect.any(String) as string },
      });
    },
  );

  it('is explained for every command', async () => {
    const help = await terminal.run('--help');
    expect(help.code).toBe(0);
    const commands = [...help.stdout.matchAll(/^ {2}([a-z]+) /gm)].map(([, name = '']) => name);
    expect(commands.length).toBeGreaterThan(15);
    for (const command of commands) {
      const { code, stdout } = await terminal.run(command, '--help');
      expect(code).toBe(0);
      expect(stdout).toContain(`Usage: sallyport ${command === 'help' ? '' : command}`);
    }
    expect(await terminal.run('--version')).toMatchObject({ code: 0, stdout: '9.9.9\n' });
  });
});

describe('errors', () => {
  it.each([
    [['server', 'show', 'nobody'], 1, 'server_unknown'],
    [['server', 'add', './echo.json'], 1, 'server_exists'],
    [['server', 'add', 'nothing-like-it'], 1, 'catalog_unknown'],
    [['server', 'upgrade', 'echo'], 2, 'server_without_package'],
    [['secret', 'set', 'echo', 'OTHER', 'v'], 1, 'secret_slot_unknown'],
    [['secret', 'delete', 'echo', 'API_KEY'], 1, 'secret_not_set'],
    [['profile', 'show', 'nothing'], 1, 'profile_unknown'],
    [['profile', 'set', 'nothing', '--server', 'echo'], 1, 'profile_unknown'],
    [['profile', 'set', 'default', '--remove', 'nobody'], 1, 'profile_server_unknown'],
    [['profile', 'create', 'default'], 1, 'profile_exists'],
    [['token', 'create', '--profile', 'nothing'], 1, 'profile_unknown'],
    [['token', 'revoke', 'tok_nothing'], 1, 'token_not_found'],
    [['kill', '--token', 'tok_typo'], 1, 'token_not_found'],
    [['resume', '--all'], 1, 'kill_not_active'],
    [['catalog', 'show', 'nothing'], 1, 'catalog_unknown'],
  ])('of %j end with %i, as %s, with a hint', async (argv, code, name) => {
    const ran = await terminal.run(...argv);
    expect(ran).toMatchObject({ code, stdout: '' });
    expect(ran.stderr).toMatch(/^error: .+/);
    const answer = await terminal.run(...argv, '--json');
    expect(answer).toMatchObject({ code, stderr: '' });
    expect(JSON.parse(answer.stdout)).toMatchObject({ error: { code: name } });
  });

  it('are none where no home is needed: ready rules are shown before there is one', async () => {
    const nowhere = processHost({ SALLYPORT_HOME: '/nothing/is/here' });
    terminal.host.templates = () => nowhere.templates();
    terminal.host.connect = async () => {
      throw new AppError('home_missing', 'There is no Sallyport yet.', { kind: 'not_found' });
    };
    const all = (await terminal.json('policy', 'templates')) as { name: string }[];
    expect(all.length).toBeGreaterThanOrEqual(30);
    expect(await terminal.run('policy', 'templates', 'first-use')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('template: first-use'),
    });
    // Control: what is not built in is in a home.
    expect(await terminal.run('policy', 'show')).toMatchObject({ code: 1, stdout: '' });
  });

  it('of policy end with 3', async () => {
    world.runtime.call = async () => {
      throw new AppError('kill_active', 'Stopped.', { kind: 'denied', hint: 'Lift it.' });
    };
    expect(await terminal.run('call', 'echo', 'do')).toEqual({
      code: 3,
      stdout: '',
      stderr: 'error: Stopped.\nhint:  Lift it.\n',
    });
  });

  it('that nobody foresaw say nothing but are reported', async () => {
    world.client.servers = async () => {
      throw new TypeError('inside');
    };
    const ran = await terminal.run('server', 'list');
    expect(ran).toMatchObject({ code: 1, stdout: '' });
    expect(ran.stderr).toContain('error: Something went wrong inside Sallyport.');
    expect(ran.stderr).toContain('unexpected: TypeError: inside');
  });
});

describe('calls', () => {
  const shown = async (result: unknown) => {
    world.runtime.call = async () => JSON.stringify(result);
    return terminal.run('call', 'echo', 'do', '{"a":1.0}');
  };

  it('print the result exactly with --json', async () => {
    const exact = '{"content":[ ],"n":12345678901234567890,"x":"\u009b"}';
    world.runtime.call = async () => exact;
    expect((await terminal.run('call', 'echo', 'do', '--json')).stdout).toBe(`${exact}\n`);
  });

  it.each([
    [{ content: [{ type: 'text', text: 'a\u001b[2J\nb' }] }, 'a\nb\n', 0],
    [{ content: [{ type: 'image', data: 'AAAA' }] }, '[image]\n', 0],
    [{ content: [{ type: 'text', text: 7 }, null] }, '[text]\nnull\n', 0],
    [{ content: 'text' }, '{"content":"text"}\n', 0],
    [{ content: null }, '{"content":null}\n', 0],
    [{ content: [], structuredContent: { a: 1 } }, '{"content":[],"structuredContent":{"a":1}}\n', 0],
    ['text', '"text"\n', 0],
    [{ content: [{ type: 'text', text: 'no' }], isError: true }, 'no\n', 1],
  ])('show %j whatever its shape', async (result, stdout, code) => {
    expect(await shown(result)).toMatchObject({ code, stdout });
  });

  it('forward the arguments as they were written', async () => {
    await terminal.run('call', 'echo', 'do', '{"a":1.0}', '--profile', 'default');
    expect(world.told).toContain('call echo do {"a":1.0} default');
  });
});

describe('the audit log', () => {
  it('is shown a line an event, exported as JSON Lines, and verified', async () => {
    expect((await terminal.run('audit', 'tail', '-n', '1')).stdout).toMatch(
      /^ {5}1 {2}\d{4}-\d\d-\d\d \d\d:\d\d:\d\d {2}server\.added {6} {2}local:\d+ {2}echo {2}\{"integrity"/,
    );
    // The order that docs/audit-exports.md promises.
    for (const line of (await terminal.run('audit', 'export')).stdout.trim().split('\n'))
      expect(Object.keys(JSON.parse(line) as object)).toEqual(
        'sequence at workspace type actor server data previous hash'.split(' '),
      );
    expect((await terminal.run('audit', 'verify')).stdout).toBe('✔ 1 events, every one in its place.\n');
    expect(await terminal.json('audit', 'verify')).toMatchObject({ ok: true });
    world.client.verifyAudit = async () => ({
      ok: false,
      events: 1,
      checkpoints: 0,
      problems: [{ code: 'hash', sequence: 1, message: 'changed\u001b[2J' }],
      more: true,
    });
    expect(await terminal.run('audit', 'verify')).toMatchObject({
      code: 1,
      stdout: '✘ The audit log is not what was recorded:\n  event 1: changed (hash)\n  … and more\n',
    });
  });

  it('is followed until ctrl-C, which is no failure', async () => {
    const running = terminal.run('audit', 'tail', '-f');
    while (!terminal.printed.stdout.includes('server.added')) await new Promise((done) => setImmediate(done));
    terminal.interrupt();
    expect((await running).code).toBe(0);
  });
});

describe('ctrl-C', () => {
  it('ends a command that was at something with 130, in order', async () => {
    const installing = Promise.withResolvers<never>();
    world.packages.install = (_spec, _options, tell) => {
      tell('fetching');
      return installing.promise;
    };
    const running = terminal.run('server', 'add', 'npm:x');
    while (!terminal.printed.stderr.includes('fetching')) await new Promise((done) => setImmediate(done));
    expect(terminal.open).toBe(1);
    terminal.interrupt();
    expect((await running).code).toBe(130);
    expect(terminal.open).toBe(0);
  });
});

describe('the other commands', () => {
  it('init says what it made and what comes next', async () => {
    expect((await terminal.run('init')).stdout).toContain('✔ Made it.\n  Next: sallyport server add github');
    expect(await terminal.json('init')).toEqual({ home: '/home/of/test', made: ['Made it.'] });
  });

  it('doctor ends with 1 when something is wrong, and says what to do', async () => {
    expect(await terminal.run('doctor')).toMatchObject({
      code: 1,
      stdout: '✔ one: fine\n✘ two: not fine\n  fix: mend it\n',
    });
  });

  it('demo ends with 1 when a claim does not hold', async () => {
    expect(await terminal.json('demo')).toEqual([{ text: 'it holds', held: true, found: 'seen' }]);
    terminal.host.demo = async () => [{ text: 'it does not', held: false }];
    expect((await terminal.run('demo')).code).toBe(1);
  });

  it('kill, resume and status say what is', async () => {
    expect((await terminal.run('kill', '--server', 'echo', '--reason', 'odd')).stdout).toBe(
      '✔ Killed: server echo. Undo: sallyport resume --server echo\n',
    );
    expect((await terminal.run('kill', '--list')).stdout).toMatch(/server {2}echo .* odd\n$/);
    expect((await terminal.run('resume')).stderr).toContain('Say what to resume.');
    expect((await terminal.run('kill', '--all', '--server', 'echo')).stderr).toContain(
      'Say one thing to stop, not several.',
    );
    expect((await terminal.run('resume', '--server', 'echo')).stdout).toBe('✔ Resumed: server echo\n');
    expect((await terminal.run('kill', '--list')).stdout).toBe('No kill switch is active.\n');
    expect((await terminal.run('status')).stdout).toContain('No gateway is running');
  });

  it('usage says what a day is', async () => {
    expect(await terminal.run('usage', '--since', 'yesterday')).toMatchObject({
      code: 2,
      stderr: 'error: --since: `yesterday` is no day.\nhint:  Write it as 2026-11-01. Days are in UTC.\n',
    });
  });

  it('key status and rotate name keys only', async () => {
    const { from } = (await terminal.json('key', 'rotate')) as { from: string };
    expect((await terminal.run('key', 'status')).stdout).not.toContain(from);
  });

  it('catalog search and show', async () => {
    expect((await terminal.run('catalog', 'search', 'brave', 'search')).stdout).toContain('BRAVE_API_KEY');
    expect((await terminal.run('catalog', 'search', 'github')).stdout).toContain(
      'GITHUB_PERSONAL_ACCESS_TOKEN',
    );
    expect((await terminal.run('catalog', 'search', 'zzzz-nothing')).stdout).toContain('Nothing found.');
    expect((await terminal.run('catalog', 'show', 'github')).stdout).toContain('schemaVersion: 2\n');
  });
});
