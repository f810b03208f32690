import { spawnSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AppError } from '../../src/kernel/index.ts';
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

const json = async (...argv: string[]): Promise<unknown> => {
  const ran = await terminal.run(...argv, '--json');
  // One JSON value on one line, and nothing else anywhere.
  expect(ran.stderr).toBe('');
  expect(ran.stdout.endsWith('\n')).toBe(true);
  expect(ran.stdout.trimEnd()).not.toContain('\n');
  return JSON.parse(ran.stdout);
};

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

describe('servers', () => {
  it('are listed, shown, disabled, enabled and removed', async () => {
    await terminal.run('secret', 'set', 'echo', 'API_KEY', 'v');
    expect((await terminal.run('server', 'list')).stdout).toBe(
      'NAME  VERSION  STATE    CELLS  SECRETS     HOSTS\necho  1.0.0    enabled  1      1 of 1 set  api.test.example\n',
    );
    expect(await json('server', 'list')).toMatchObject([{ slug: 'echo', problem: null }]);
    expect((await terminal.run('server', 'show', 'echo')).stdout).toContain(
      'reaches   https://api.test.example:443',
    );
    expect((await terminal.run('server', 'disable', 'echo')).stdout).toBe('echo is disabled.\n');
    expect((await terminal.run('server', 'list')).stdout).toContain('disabled');
    expect((await terminal.run('server', 'enable', 'echo')).stdout).toBe('echo is enabled.\n');
    expect(await json('server', 'remove', 'echo')).toEqual({ removed: 'echo' });
    expect((await terminal.run('server', 'list')).stdout).toBe(
      'No servers yet. Add one: sallyport server add github\n',
    );
    expect(await json('server', 'list')).toEqual([]);
  });

  it('show what tools may send, and when secrets are used', async () => {
    const lines = async (...args: string[]) =>
      (await terminal.run(...args)).stdout.split('\n').map((line) => line.trimEnd());
    expect(await lines('server', 'show', 'echo')).toEqual(
      expect.arrayContaining([
        'rules     none',
        'readonly  writes of tools that only read are reported',
        expect.stringMatching(/^API_KEY .* any time$/),
      ]),
    );
    const [key] = (JSON.parse(manifest()) as { credentials: object[] }).credentials;
    const strict = manifest({
      name: 'strict',
      credentials: [{ ...key, use: 'during-calls' }],
      tools: {
        readOnly: 'enforce',
        egress: [
          { tools: ['get_*', 'list'], hosts: ['api.test.example'], methods: ['GET', 'HEAD'], paths: ['/v1'] },
          { tools: ['*'], enforce: false },
        ],
      },
    });
    await world.client.addServer({ source: 'strict.json', manifest: strict }, () => undefined);
    expect(await lines('server', 'show', 'strict')).toEqual(
      expect.arrayContaining([
        'rules     get_*, list: GET, HEAD to api.test.example below /v1; *: anything (others are reported)',
        'readonly  writes of tools that only read are refused',
        expect.stringMatching(/^API_KEY .* during calls$/),
      ]),
    );
  });

  it('show their tools, whatever they say of them', async () => {
    world.runtime.tools = async () =>
      JSON.stringify([
        { name: 'reads', annotations: { readOnlyHint: true }, description: 'One line\nand another' },
        { name: 'wr\u001b[2Jites', description: { not: 'text' } },
        null,
        { name: 7, annotations: 'none' },
      ]);
    const { code, stdout } = await terminal.run('server', 'tools', 'echo');
    expect(code).toBe(0);
    expect(stdout.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
      ['TOOL', 'SHOWN', 'WHAT IT DOES'],
      ['reads', 'yes', 'One line'],
      ['writes', 'no'],
      ['undefined', 'no'],
      ['7', 'no'],
      [''],
    ]);
    world.runtime.tools = async () => '{"not":"a list"}';
    expect((await terminal.run('server', 'tools', 'echo')).code).toBe(0);
  });

  it('tell of an installation a line a step where there is no terminal', async () => {
    world.packages.install = async (_spec, _options, tell) => {
      for (const message of ['fetching x', 'fetching x: 1 done', 'fetching x: 2 done', 'checking x'])
        tell(message);
      throw new AppError('package_not_found', 'Not there.', { kind: 'not_found' });
    };
    expect((await terminal.run('server', 'add', 'npm:x')).stderr).toBe(
      'fetching x\nchecking x\nerror: Not there.\n',
    );
    expect((await terminal.run('server', 'add', 'npm:x', '--json')).stderr).toBe('');
  });

  it('tell of it on one line that goes away at a terminal', async () => {
    Object.assign(terminal.host.stderr, { isTTY: true, columns: 20 });
    world.packages.install = async (_spec, _options, tell) => {
      tell('fetching something with a long\u001b[2J name');
      throw new AppError('package_not_found', 'Not there.', { kind: 'not_found' });
    };
    const { stderr } = await terminal.run('server', 'add', 'npm:x');
    expect(stderr).toBe('\r\u001b[K⠋ fetching somethin\r\u001b[Kerror: Not there.\n');
  });

  it('say that they fail, how, and when they are started again', async () => {
    const trouble = { deaths: 3, reason: 'killed: \u001b[2Jmemory limit', at: 0, waitMs: 3_500 };
    world.runtime.trouble = () => trouble;
    expect((await terminal.run('server', 'list')).stdout).toMatch(/^echo +1\.0\.0 +FAILING /m);
    expect((await terminal.run('server', 'show', 'echo')).stdout).toContain(
      '3 times in a row, at 1970-01-01 00:00:00: killed: memory limit; not started again for 4 s\n',
    );
    world.runtime.trouble = () => ({ ...trouble, deaths: 1, waitMs: 0 });
    expect((await terminal.run('server', 'show', 'echo')).stdout).toContain(
      'once, at 1970-01-01 00:00:00: killed: memory limit; the next call starts it again\n',
    );
    expect(JSON.parse((await terminal.run('server', 'show', 'echo', '--json')).stdout)).toMatchObject({
      trouble: { deaths: 1, reason: trouble.reason },
    });
  });

  it('have a log, made safe', async () => {
    const said = { at: 0, cell: 'cell_0123456789', from: 'server', text: '\u001b]0;x\u0007safe' } as const;
    world.runtime.logs = async function* () {
      yield said;
      yield { ...said, from: 'sallyport', text: 'ended: it ended with code 1' };
    };
    expect((await terminal.run('server', 'logs', 'echo')).stdout).toBe(
      '1970-01-01 00:00:00 456789 | safe\n1970-01-01 00:00:00 456789 * ended: it ended with code 1\n',
    );
    const { stdout } = await terminal.run('server', 'logs', 'echo', '--json');
    expect(JSON.parse(stdout.split('\n')[0] ?? '')).toEqual(said);
  });

  it('come from a package whose name ends like a file', async () => {
    const asked: string[] = [];
    world.packages.install = async (spec) => {
      asked.push(spec);
      throw new AppError('package_not_found', 'Not there.', { kind: 'not_found' });
    };
    await terminal.run('server', 'add', 'npm:socket.json');
    expect(asked).toEqual(['npm:socket.json']);
  });
});

describe('secrets', () => {
  const value = 'sk-live-8hJ2kQ9mZ4pX7vW1';

  it.each([
    ['abc', true],
    ['abcd', false],
  ])('warn where a value is too short to be masked: %s', async (short, warns) => {
    const ran = await terminal.run('secret', 'set', 'echo', 'API_KEY', short);
    expect(ran.code).toBe(0);
    expect(ran.stdout.includes('Warning: so short a value is not masked')).toBe(warns);
  });

  it('are set from standard input without the last line break, and never printed', async () => {
    const ran = await terminal.runWith(`${value}\r\n`, 'secret', 'set', 'echo', 'API_KEY', '--stdin');
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(ran.stdout).toContain('API_KEY of echo is set (version 1)');
    expect(await json('secret', 'set', 'echo', 'API_KEY', value)).toEqual({
      server: 'echo',
      name: 'API_KEY',
      version: 2,
    });
    const { workspace, store, vault } = world.services;
    const server = await store.servers.findBySlug(workspace, 'echo');
    if (server === null) throw new Error('it was added before');
    const ref = { server: server.id, serverSlug: 'echo', name: 'API_KEY', owner: null };
    const caller = { workspace, actor: { kind: 'cell', id: 'cell_test' } } as const;
    expect((await vault.use(caller, ref, { kind: 'inject', data: {} })).reveal()).toBe(value);
    for (const argv of [
      ['secret', 'list', 'echo'],
      ['server', 'show', 'echo'],
      ['audit', 'export'],
      ['audit', 'tail', '-n', '100'],
    ]) {
      for (const more of [[], ['--json']]) {
        const { code, stdout, stderr } = await terminal.run(...argv, ...more);
        expect([code, (stdout + stderr).includes(value)]).toEqual([0, false]);
      }
    }
    expect(ran.stdout + ran.stderr).not.toContain(value);
  });

  it('are not taken from nothing, from too much, nor asked for without a terminal', async () => {
    expect(await terminal.runWith('\n', 'secret', 'set', 'echo', 'API_KEY', '--stdin')).toMatchObject({
      code: 2,
    });
    expect(
      await terminal.runWith('x'.repeat(65_537), 'secret', 'set', 'echo', 'API_KEY', '--stdin'),
    ).toMatchObject({ code: 2 });
    const { code, stderr } = await terminal.run('secret', 'set', 'echo', 'API_KEY');
    expect(code).toBe(2);
    expect(stderr).toContain('hint:  Pipe it in: sallyport secret set echo API_KEY --stdin');
  });

  it('without a place are refused before a value is read', async () => {
    const { code, stderr } = await terminal.run('secret', 'set', 'echo', 'OTHER');
    expect(code).toBe(1);
    expect(stderr).toContain('It has: API_KEY.');
  });

  it('are listed and deleted', async () => {
    expect((await terminal.run('secret', 'list', 'echo')).stdout).toMatch(/API_KEY {2}sealed {2}MISSING/);
    await terminal.run('secret', 'set', 'echo', 'API_KEY', value);
    expect((await terminal.run('secret', 'list', 'echo')).stdout).toMatch(/API_KEY {2}sealed {2}version 1/);
    expect(await json('secret', 'delete', 'echo', '--all')).toEqual({ server: 'echo', deleted: ['API_KEY'] });
    expect((await terminal.run('secret', 'delete', 'echo', '--all')).stdout).toBe('Nothing was set.\n');
  });

  it.each([
    [['--bearer'], { header: 'Authorization', format: 'Bearer {token}' }],
    [['--header', 'X-Key'], { header: 'X-Key', format: '{token}' }],
    [['--header', 'X-Key', '--format', 'k={token}'], { header: 'X-Key', format: 'k={token}' }],
    [['--query', 'key'], { query: 'key' }],
    [['--basic', 'password'], { basic: 'password' }],
    [['--json-pointer', '/auth/key'], { json: '/auth/key' }],
    [['--cookie', 'sid'], { cookie: 'sid' }],
    [['--path', '/bot{token}'], { path: '/bot{token}' }],
    [['--form', 'key'], { form: 'key' }],
    [['--multipart', 'key'], { multipart: 'key' }],
    [['--websocket', 'text', '--format', 'AUTH {token}'], { websocket: 'text', format: 'AUTH {token}' }],
    [['--websocket', '/d/token'], { websocket: '/d/token' }],
    [
      ['--hmac', 'X-Sum', '--format', 'sha256={signature}'],
      {
        hmac: {
          header: 'X-Sum',
          format: 'sha256={signature}',
          over: 'body',
          algorithm: 'sha256',
          encoding: 'hex',
        },
      },
    ],
    [
      ['--hmac', 'X-Sum', '--algorithm', 'sha512', '--encoding', 'base64'],
      {
        hmac: {
          header: 'X-Sum',
          format: '{signature}',
          over: 'body',
          algorithm: 'sha512',
          encoding: 'base64',
        },
      },
    ],
  ])('are declared with %j', async (options, rule) => {
    const changed = await json(
      'secret',
      'inject',
      'echo',
      'NEW_KEY',
      ...options,
      '--host',
      'api.test.example',
    );
    expect((changed as { secrets: unknown[] }).secrets.at(-1)).toMatchObject({
      name: 'NEW_KEY',
      hosts: ['api.test.example'],
      inject: [rule],
    });
  });
});

describe('profiles', () => {
  const entries = async (name: string) =>
    ((await json('profile', 'show', name)) as { entries: { server: string; tools: unknown }[] }).entries.map(
      ({ server, tools }) => [server, tools],
    );

  it('are changed one server at a time: the others stay', async () => {
    await terminal.run('server', 'add', './other.json');
    await terminal.run('profile', 'set', 'default', '--server', 'echo:one,ns:two');
    expect(await entries('default')).toEqual([
      ['echo', ['one', 'ns:two']],
      ['other', null],
    ]);
    await terminal.run('profile', 'set', 'default', '--server', 'other:*', '--remove', 'echo');
    expect(await entries('default')).toEqual([['other', '*']]);
    await terminal.run('profile', 'set', 'default', '--server', 'echo', '--server', 'echo:last');
    expect(await entries('default')).toEqual([
      ['other', '*'],
      ['echo', ['last']],
    ]);
  });

  it('are made, listed and deleted', async () => {
    expect((await terminal.run('profile', 'create', 'work', '--server', 'echo:*')).stdout).toBe(
      'SERVER  TOOLS\necho    all\n',
    );
    expect((await terminal.run('profile', 'create', 'empty')).stdout).toBe('empty holds no server.\n');
    expect((await terminal.run('profile', 'list')).stdout).toBe(
      'NAME     SERVERS\ndefault  echo\nempty    none\nwork     echo\n',
    );
    expect(await json('profile', 'delete', 'work')).toEqual({ deleted: 'work' });
  });
});

describe('tokens', () => {
  it('are printed alone on stdout, so that a script can take them', async () => {
    const { stdout, stderr } = await terminal.run('token', 'create', '--agent', 'cursor', '--expires', '90d');
    expect(stdout).toMatch(/^sally_[a-z0-9]{16}_[A-Za-z0-9]+\n$/);
    expect(stderr).toContain('the only time that it is shown');
    const created = (await json('token', 'create')) as { id: string; token: string };
    expect(Object.keys(created).toSorted()).toEqual(['id', 'token']);
    const rotated = (await json('token', 'rotate', created.id)) as { id: string };
    expect(await json('token', 'revoke', rotated.id)).toEqual({ revoked: rotated.id });
    const list = (await terminal.run('token', 'list')).stdout;
    expect(list).not.toContain(created.token.slice(-12));
    expect(list).toMatch(/cursor {2}default {2}active .* \d{4}-\d\d-\d\d \d\d:\d\d:\d\d {2}-/);
    expect(list.match(/revoked/g)).toHaveLength(2);
  });
});

describe('the explicit proxy', () => {
  const settings = {
    address: '127.0.0.1:7801',
    server: 'echo',
    tokenId: 'tok_7k2m9x0q4v8w1e3r',
    profile: 'default',
    agent: 'o"$(reboot)`x`',
    variables: { API_KEY: "key_'$(reboot)'" },
    unset: [],
    caFile: "/home/it's/proxy/echo.pem",
  };

  it('is off until there is one', async () => {
    const ran = await terminal.run('proxy', 'env');
    expect(ran).toMatchObject({ code: 1, stdout: '' });
  });

  it('prints lines that a shell takes as they are meant, and never the token', async () => {
    const asked: unknown[] = [];
    world.proxy.settings = async (...given) => {
      asked.push(given);
      return settings;
    };
    const { stdout } = await terminal.run('proxy', 'env', '--server', 'echo', '--token', 'tok_1');
    await terminal.run('proxy', 'env');
    expect(asked).toEqual([
      ['tok_1', 'echo'],
      [null, null],
    ]);
    const show =
      'printf "%s\\n" "$HTTPS_PROXY" "$http_proxy" "$NODE_EXTRA_CA_CERTS" "$SSL_CERT_FILE" "$API_KEY"';
    const env = { PATH: process.env['PATH'] ?? '', SALLYPORT_TOKEN: 'sally_x' };
    const shell = spawnSync('/bin/sh', ['-c', `${stdout}\n${show}`], { env, encoding: 'utf8' });
    const url = 'http://echo:sally_x@127.0.0.1:7801';
    expect(shell.stdout.trimEnd().split('\n')).toEqual([
      url,
      url,
      settings.caFile,
      settings.caFile,
      settings.variables.API_KEY,
    ]);
    const without = spawnSync('/bin/sh', ['-c', `${stdout}\n${show}`], { encoding: 'utf8' });
    expect(without.status).not.toBe(0);
    expect(without.stderr).toContain('set it to the token tok_7k2m9x0q4v8w1e3r (orebootx)');
    expect(await json('proxy', 'env')).toEqual(settings);
  });

  it('tells what has no value yet', async () => {
    world.proxy.settings = async () => ({ ...settings, variables: {}, unset: ['API_KEY'] });
    const { stderr } = await terminal.run('proxy', 'env');
    expect(stderr).toBe('No value is set for API_KEY: sallyport secret set echo API_KEY\n');
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
    for (const line of (await terminal.run('audit', 'export')).stdout.trim().split('\n'))
      expect(JSON.parse(line)).toMatchObject({ sequence: expect.any(Number) as number });
    expect((await terminal.run('audit', 'verify')).stdout).toBe('✔ 1 events, every one in its place.\n');
    expect(await json('audit', 'verify')).toMatchObject({ ok: true });
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
    expect(await json('init')).toEqual({ home: '/home/of/test', made: ['Made it.'] });
  });

  it('doctor ends with 1 when something is wrong, and says what to do', async () => {
    expect(await terminal.run('doctor')).toMatchObject({
      code: 1,
      stdout: '✔ one: fine\n✘ two: not fine\n  fix: mend it\n',
    });
  });

  it('demo ends with 1 when a claim does not hold', async () => {
    expect(await json('demo')).toEqual([{ text: 'it holds', held: true, found: 'seen' }]);
    terminal.host.demo = async () => [{ text: 'it does not', held: false }];
    expect((await terminal.run('demo')).code).toBe(1);
  });

  it('kill, resume and status say what is', async () => {
    expect((await terminal.run('kill', '--server', 'echo', '--reason', 'odd')).stdout).toBe(
      '✔ Killed: server echo. Undo: sallyport resume --server echo\n',
    );
    expect((await terminal.run('kill', '--list')).stdout).toMatch(/server {2}echo .* odd\n$/);
    expect((await terminal.run('resume', '--server', 'echo')).stdout).toBe('✔ Resumed: server echo\n');
    expect((await terminal.run('kill', '--list')).stdout).toBe('No kill switch is active.\n');
    expect((await terminal.run('status')).stdout).toContain('No gateway is running');
  });

  it('key status and rotate name keys only', async () => {
    const { from } = (await json('key', 'rotate')) as { from: string };
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
