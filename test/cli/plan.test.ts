import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LaunchPlan } from '../../src/api/index.ts';
import { planText } from '../../src/cli/commands/plan.ts';
import { makeWorld, manifest, type World } from '../api/world.ts';
import { makeTerminal, type Terminal } from './terminal.ts';

const plan: LaunchPlan = {
  server: 'github',
  problems: [],
  program: ['mcp-server-github', '--motto', "it's fine"],
  package: { spec: 'npm:server@1.2.3', integrity: 'sha256-00' },
  reaches: [
    { host: 'api.github.com', port: 443, protocol: 'https', methods: ['GET', 'POST'], paths: ['/repos'] },
    { host: '*.example.com', port: 5432, protocol: 'tcp' },
  ],
  credentials: [
    { name: 'TOKEN', tier: 'sealed', variable: 'GITHUB_TOKEN', set: true },
    { name: 'SIGNING', tier: 'sealed', variable: null, set: true },
    { name: 'LICENCE', tier: 'entrusted', variable: 'LICENCE', set: true },
    { name: 'SPARE', tier: 'sealed', variable: 'SPARE', set: false },
  ],
  cell: {
    user: { host: 'own', cell: 65_534 },
    ports: [80, 443, 5432],
    environment: { GITHUB_TOKEN: '<placeholder of TOKEN>', LICENCE: '<value of LICENCE>' },
    mounts: [
      { kind: 'bind', source: '/usr', path: '/usr', write: false },
      { kind: 'link', target: 'usr/bin', path: '/bin' },
      { kind: 'proc', path: '/proc' },
      { kind: 'mask', path: '/proc/keys' },
      { kind: 'devices', path: '/dev' },
      { kind: 'memory', path: '/tmp', bytes: 268_435_456, mode: '1777' },
      { kind: 'bind', source: '/home/u/notes', path: '/notes', write: true },
      { kind: 'seal', path: '/' },
    ],
    files: [
      { path: '/etc/resolv.conf', text: 'nameserver 192.0.2.53\n' },
      { path: '/etc/ssl/certs/ca-certificates.crt', text: null },
    ],
    limits: [{ what: 'data of one process', most: '512 MiB', by: 'RLIMIT_DATA' }],
    systemCalls: { allowed: 300, byArgument: ['clone', 'socket'], instructions: 400 },
    launcher: ['/usr/bin/setpriv', '--no-new-privs', '/bin/sh', '-c', 'set -eu\nexec "$@"\n', 'name', ''],
    options: ['--unshare-user', '--uid', '65534', '--setenv', 'GITHUB_TOKEN', '<placeholder of TOKEN>'],
    command: ['/usr/bin/prlimit', '--core=1', '--', 'mcp-server-github', '--motto', "it's fine"],
  },
};

describe('planText', () => {
  it('says all of it, as reviewed', async () => {
    await expect(`${planText(plan)}\n`).toMatchFileSnapshot('golden/plan.txt');
  });

  it('begins with what would keep the server from being started', () => {
    const text = planText({ ...plan, problems: ['It is disabled: sallyport server enable github'] });
    expect(text).toContain('It would not start:\n  It is disabled: sallyport server enable github\n');
    expect(planText(plan)).not.toContain('would not start');
  });

  it('prints nothing that a terminal would obey', () => {
    const hostile = 'a\u001b]0;title\u0007b';
    const text = planText({
      ...plan,
      program: [hostile],
      problems: [hostile],
      package: { spec: hostile, integrity: hostile },
      reaches: [{ host: 'a.example', port: 443, protocol: 'https', paths: [hostile] }],
      cell: {
        ...plan.cell,
        environment: { X: hostile },
        command: [hostile],
        files: [{ path: '/x', text: hostile }],
      },
    });
    expect(text.replaceAll('\n', '')).toMatch(/^\P{Cc}*$/u);
    expect(text).toContain('ab');
  });
});

describe('sallyport server show --plan', () => {
  let world: World;
  let terminal: Terminal;

  beforeEach(async () => {
    world = await makeWorld();
    terminal = makeTerminal(world, { './echo.json': manifest() });
    expect((await terminal.run('server', 'add', './echo.json')).code).toBe(0);
  });
  afterEach(() => world.close());

  it('asks for the plan of that server, and prints it', async () => {
    world.runtime.plan = async ({ slug }) => ({ ...plan, server: slug });
    expect(await terminal.run('server', 'show', 'echo', '--plan')).toEqual({
      code: 0,
      stdout: `${planText({ ...plan, server: 'echo' })}\n`,
      stderr: '',
    });
    const asked = await terminal.run('server', 'show', 'echo', '--plan', '--json');
    expect(JSON.parse(asked.stdout)).toEqual({ ...plan, server: 'echo' });
  });

  it('fails as a start would', async () => {
    expect(await terminal.run('server', 'show', 'echo', '--plan')).toMatchObject({
      code: 1,
      stderr: 'error: There are no cells here.\n',
    });
    expect((await terminal.run('server', 'show', 'nobody', '--plan')).stderr).toContain('nobody');
  });
});
