/** Commands about servers, and about the secrets that they use. */
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

describe('servers', () => {
  it('are listed, shown, disabled, enabled and removed', async () => {
    await terminal.run('secret', 'set', 'echo', 'API_KEY', 'v');
    expect((await terminal.run('server', 'list')).stdout).toBe(
      'NAME  VERSION  STATE    CELLS  SECRETS     HOSTS\necho  1.0.0    enabled  1      1 of 1 set  api.test.example\n',
    );
    expect(await terminal.json('server', 'list')).toMatchObject([{ slug: 'echo', problem: null }]);
    expect((await terminal.run('server', 'show', 'echo')).stdout).toContain(
      'reaches   https://api.test.example:443',
    );
    expect((await terminal.run('server', 'disable', 'echo')).stdout).toBe('echo is disabled.\n');
    expect((await terminal.run('server', 'list')).stdout).toContain('disabled');
    expect((await terminal.run('server', 'enable', 'echo')).stdout).toBe('echo is enabled.\n');
    expect(await terminal.json('server', 'remove', 'echo')).toEqual({ removed: 'echo' });
    expect((await terminal.run('server', 'list')).stdout).toBe(
      'No servers yet. Add one: sallyport server add github\n',
    );
    expect(await terminal.json('server', 'list')).toEqual([]);
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
      ['TOOL', 'SHOWN IN', 'WHAT IT DOES'],
      ['reads', 'default', 'One line'],
      ['writes', '-'],
      ['undefined', '-'],
      ['7', '-'],
      [''],
    ]);
    await terminal.run('profile', 'set', 'default', '--server', 'echo:7');
    await terminal.run('profile', 'create', 'all', '--server', 'echo:*');
    const chosen = await terminal.run('server', 'tools', 'echo');
    expect(chosen.stdout.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
      ['TOOL', 'SHOWN IN', 'WHAT IT DOES'],
      ['reads', 'all', 'One line'],
      ['writes', 'all'],
      ['undefined', 'all'],
      ['7', 'all, default'],
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
    expect(await terminal.json('secret', 'set', 'echo', 'API_KEY', value)).toMatchObject({
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
    expect(await terminal.json('secret', 'delete', 'echo', '--all')).toEqual({
      server: 'echo',
      deleted: ['API_KEY'],
    });
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
    const changed = await terminal.json(
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
