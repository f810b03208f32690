/** Commands about who may use what: profiles, tokens, the explicit proxy. */
import { spawnSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
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

describe('profiles', () => {
  const entries = async (name: string) =>
    (
      (await terminal.json('profile', 'show', name)) as { entries: { server: string; tools: unknown }[] }
    ).entries.map(({ server, tools }) => [server, tools]);

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

  it('say whether they are searched, from when they are made', async () => {
    const search = async (name: string) =>
      ((await terminal.json('profile', 'show', name)) as { options: { search: boolean } }).options.search;
    expect(await search('default')).toBe(false);
    expect((await terminal.run('profile', 'set', 'default', '--search', 'on')).stdout).toContain(
      'Its clients are shown find_tools and call_tool in place of the tools.',
    );
    await terminal.run('profile', 'set', 'default', '--token-in-url', 'on');
    expect(await search('default')).toBe(true);
    await terminal.run('profile', 'set', 'default', '--search', 'off');
    expect((await terminal.run('profile', 'show', 'default')).stdout).not.toContain('find_tools');
    await terminal.run('profile', 'create', 'big', '--server', 'echo', '--search', 'on');
    expect(await search('big')).toBe(true);
    expect((await terminal.run('profile', 'create', 'bad', '--search', 'yes')).code).toBe(2);
  });

  it('say whether their tokens may stand in the address, and keep that when their servers change', async () => {
    const options = async () =>
      ((await terminal.json('profile', 'show', 'default')) as { options: object }).options;
    expect(await options()).toEqual({ tokenInUrl: false, search: false, record: null });
    expect((await terminal.run('profile', 'set', 'default', '--token-in-url', 'on')).stdout).toContain(
      'Its tokens may stand in the address',
    );
    await terminal.run('profile', 'set', 'default', '--server', 'echo');
    expect(await options()).toEqual({ tokenInUrl: true, search: false, record: null });
    await terminal.run('profile', 'set', 'default', '--token-in-url', 'off');
    expect(await options()).toEqual({ tokenInUrl: false, search: false, record: null });
    expect((await terminal.run('profile', 'set', 'default', '--token-in-url', 'maybe')).code).toBe(2);
    expect((await terminal.run('profile', 'set', 'default')).code).toBe(2);
  });

  it('are made, listed and deleted', async () => {
    expect((await terminal.run('profile', 'create', 'work', '--server', 'echo:*')).stdout).toBe(
      'SERVER  TOOLS\necho    all\n',
    );
    expect((await terminal.run('profile', 'create', 'empty')).stdout).toBe('empty holds no server.\n');
    expect((await terminal.run('profile', 'list')).stdout).toBe(
      'NAME     SERVERS\ndefault  echo\nempty    none\nwork     echo\n',
    );
    expect(await terminal.json('profile', 'delete', 'work')).toEqual({ deleted: 'work' });
  });
});

describe('tokens', () => {
  it('are printed alone on stdout, so that a script can take them', async () => {
    const { stdout, stderr } = await terminal.run('token', 'create', '--agent', 'cursor', '--expires', '90d');
    expect(stdout).toMatch(/^sally_[a-z0-9]{16}_[A-Za-z0-9]+\n$/);
    expect(stderr).toContain('the only time that it is shown');
    const created = (await terminal.json('token', 'create')) as { id: string; token: string };
    expect(Object.keys(created).toSorted()).toEqual(['id', 'token']);
    const rotated = (await terminal.json('token', 'rotate', created.id)) as { id: string };
    expect(await terminal.json('token', 'revoke', rotated.id)).toEqual({ revoked: rotated.id });
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
    expect(await terminal.json('proxy', 'env')).toEqual(settings);
  });

  it('tells what has no value yet', async () => {
    world.proxy.settings = async () => ({ ...settings, variables: {}, unset: ['API_KEY'] });
    const { stderr } = await terminal.run('proxy', 'env');
    expect(stderr).toBe('No value is set for API_KEY: sallyport secret set echo API_KEY\n');
  });
});
