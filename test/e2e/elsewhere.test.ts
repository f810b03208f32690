/** Machines without cells: what is refused and how that is said, and the setting that runs servers without any isolation. */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestAuthority } from '../egress/test-authority.ts';
import { type Home, makeHome, type Outcome, proberManifest, type Served, waitFor } from './harness.ts';

const HOST = 'api.test.example';
const KEY = 'sk-real-value-0123456789';
const PROGRAM = join(import.meta.dirname, '../../bin/sallyport.mjs');

const authority = createTestAuthority([HOST]);
const arrived: string[] = [];
const upstream = createHttpsServer(authority.issue(HOST), (request, response) => {
  arrived.push(`${request.url} ${request.headers.authorization}`);
  response.end(JSON.stringify({ sent: request.headers.authorization }));
});

let home: Home;
const script = `deaf-${process.pid}.mjs`;

/** Runs a command that believes to be on a Mac, where there is no /proc. */
async function onMac(env: Record<string, string>, ...args: string[]): Promise<Outcome> {
  const withoutProc = 'mount -t tmpfs none /proc && exec "$@"';
  const namespaces = ['--user', '--map-root-user', '--mount', 'sh', '-c', withoutProc, 'sh'];
  const child = spawn('unshare', [...namespaces, process.execPath, PROGRAM, ...args], {
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: home.temporary,
      SALLYPORT_HOME: home.path,
      NODE_OPTIONS: `--import=data:text/javascript,Object.defineProperty(process,'platform',{value:'darwin'})`,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (data: Buffer) => (stdout += data.toString()));
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
  const code = await new Promise<number | null>((done) => child.once('close', done));
  return { code, stdout, stderr };
}

/** The manifest of a program that lies on this machine, and is found there by its own path. */
function plainManifest(name: string, file: string): string {
  const { server, ...rest } = JSON.parse(proberManifest(home, { name, required: false })) as {
    server: object;
  };
  const { files: _, ...plain } = { ...server, files: [] };
  return JSON.stringify({
    ...rest,
    server: { ...plain, command: ['node', join(home.servers, file)] },
  });
}

async function add(name: string, manifest: string): Promise<void> {
  writeFileSync(join(home.path, `${name}.json`), manifest);
  await home.json('server', 'add', join(home.path, `${name}.json`));
}

/** Processes of this machine that run the server which does not end by itself. */
function deaf(): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(script);
    } catch {
      return false;
    }
  });
}

beforeAll(async () => {
  await new Promise<void>((done) => upstream.listen(0, '127.0.0.1', done));
  const { port } = upstream.address() as AddressInfo; // a listening TCP server has an AddressInfo
  home = makeHome(
    `cells: { isolation: none-unsafe, stopSeconds: 1 }\negress: { resolve: { "${HOST}:443": "127.0.0.1:${port}" }, extraCa: [ ./upstream.pem ], allowNetworks: [ 127.0.0.0/8 ] }\n`,
  );
  expect((await home.run('init')).code).toBe(0);
  writeFileSync(join(home.path, 'upstream.pem'), authority.caPem);
  writeFileSync(
    join(home.servers, script),
    "setInterval(() => {}, 1_000);\nprocess.on('SIGTERM', () => {});\nawait import('./prober.mjs');\n",
  );
  await add('plain', plainManifest('plain', 'prober.mjs'));
  await add('deaf', plainManifest('deaf', script));
  await add('mounted', proberManifest(home, { name: 'mounted', required: false }));
  await home.runWith({ input: KEY }, 'secret', 'set', 'plain', 'API_KEY', '--stdin');
});
afterAll(() => {
  upstream.close();
  upstream.closeAllConnections();
  home.remove();
});

describe('a machine that cannot have cells', () => {
  it('has everything but servers, and is told what to do instead', async () => {
    const listed = await onMac({}, 'server', 'list');
    expect(listed).toMatchObject({ code: 0, stderr: '' });
    const refused = await onMac({}, 'call', 'plain', 'echo', '{}');
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(
      /^error: Cells need Linux on x86-64 or arm64; this is macOS on \w+\.\nhint: {2}Run Sallyport in a Linux virtual machine .* docs\/cells\.md says how/,
    );
    const added = await onMac({}, 'server', 'add', 'npm:any-package', '--name', 'any');
    expect(added.stderr).toContain('Cells need Linux');
    const { stdout } = await onMac({}, 'doctor');
    expect(stdout).toMatch(/✘ system: macOS on \w+\n {2}fix: Run Sallyport in a Linux virtual machine/);
  });

  it('runs them all the same where that is asked for in so many words', async () => {
    const env = { SALLYPORT_CELLS_ISOLATION: 'none-unsafe' };
    for (const name of ['plain', 'deaf'])
      expect(await onMac(env, 'server', 'consent', name, '--all')).toMatchObject({ code: 0 });
    expect(await onMac(env, 'call', 'plain', 'echo', '{"a":1}')).toMatchObject({
      code: 0,
      stdout: '{"a":1}\n',
    });
  });
});

describe('without isolation', () => {
  let gateway: Served;
  beforeAll(async () => {
    gateway = await home.serve();
  });
  afterAll(async () => {
    await gateway.stop();
  });

  const environment = async () =>
    JSON.parse((await home.run('call', 'plain', 'env')).stdout) as Record<string, string>;

  it('a server has a placeholder, and the key is put in on the way out', async () => {
    const env = await environment();
    expect(env['API_KEY']).toMatch(/^key_[A-Za-z0-9]{32}$/);
    const headers = { authorization: 'Bearer {API_KEY}' };
    const request = JSON.stringify({ url: `https://${HOST}/me`, headers });
    const { stdout } = await home.run('call', 'plain', 'request', request);
    expect(arrived).toEqual([`/me Bearer ${KEY}`]);
    expect(JSON.parse(stdout)).toMatchObject({
      status: 200,
      body: JSON.stringify({ sent: `Bearer ${env['API_KEY']}` }),
    });
    const elsewhere = JSON.stringify({ url: 'https://other.test.example/' });
    expect((await home.run('call', 'plain', 'request', elsewhere)).stdout).toContain('error');
    expect((await home.run('audit', 'export')).stdout).toContain('other.test.example');
  });

  it('a server is given nothing of the environment of the gateway but what every program has', async () => {
    const env = await environment();
    expect(Object.keys(env).filter((name) => name.startsWith('SALLYPORT'))).toEqual([]);
    expect(env['HTTPS_PROXY']).toMatch(/^http:\/\/plain:[0-9a-f]{64}@127\.0\.0\.1:\d+$/);
  });

  it('nobody else may use its way out', async () => {
    const proxy = new URL((await environment())['HTTPS_PROXY'] ?? '');
    const tried = async (login: string) => {
      const socket = connect(Number(proxy.port), proxy.hostname);
      const authorization = Buffer.from(login).toString('base64');
      socket.write(
        `CONNECT ${HOST}:443 HTTP/1.1\r\nHost: ${HOST}:443\r\nProxy-Authorization: Basic ${authorization}\r\n\r\n`,
      );
      const answer = await new Promise<string>((done) => socket.once('data', (bytes) => done(String(bytes))));
      socket.destroy();
      return answer.slice(9, 12);
    };
    expect(await tried(`plain:${'0'.repeat(64)}`)).toBe('407');
    expect(await tried(`deaf:${proxy.password}`)).toBe('407');
    expect(await tried(`plain:${proxy.password}`), 'the control').toBe('200');
    expect(await home.run('kill', '--server', 'plain')).toMatchObject({ code: 0 });
    expect(await tried(`plain:${proxy.password}`)).toBe('407');
    await home.run('resume', '--server', 'plain');
  });

  it('everything says so', async () => {
    await home.run('call', 'plain', 'echo', '{}');
    expect(gateway.log()).toContain('"cells.unisolated"');
    expect(gateway.log()).toContain('"cell.unisolated"');
    expect((await home.run('status')).stdout).toContain('Servers run WITHOUT ISOLATION');
    expect((await home.run('server', 'list')).stdout).toMatch(/^plain .*enabled, NOT ISOLATED/m);
    expect((await home.run('server', 'show', 'plain')).stdout).toMatch(/^isolation +NONE \(/m);
    expect((await home.run('server', 'logs', 'plain')).stdout).toContain(' * started WITHOUT ISOLATION\n');
    expect((await home.run('doctor')).stdout).toContain('✘ isolation: none');
    const events = (await home.run('audit', 'export')).stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; server: string; data: object });
    const started = events.findLast(({ type, server }) => type === 'cell.started' && server === 'plain');
    expect(started?.data).toMatchObject({ isolation: 'none' });
  });

  it('what would take a mount, or shows one, is refused', async () => {
    const mounted = await home.run('call', 'mounted', 'echo', '{}');
    expect(mounted.code).toBe(1);
    expect(mounted.stderr).toContain('Without a cell nothing is mounted: `mounted` would not find');
    const plan = await home.run('server', 'show', 'plain', '--plan');
    expect(plan.code).toBe(1);
    expect(plan.stderr).toContain('Servers run without a cell here');
  });

  it('a server is ended with its gateway, and what one that was killed left behind by the next', async () => {
    await home.run('call', 'deaf', 'echo', '{}');
    expect(deaf()).toHaveLength(1);
    expect(await gateway.stop()).toBe(0);
    expect(deaf()).toEqual([]);
    expect(readdirSync(join(home.path, 'run/authorities'))).toEqual([]);
    gateway = await home.serve();
    await home.run('call', 'deaf', 'echo', '{}');
    await gateway.crash();
    expect(deaf()).toHaveLength(1);
    gateway = await home.serve();
    await waitFor(() => deaf().length === 0);
    expect(readdirSync(join(home.path, 'run/cells'))).toEqual([]);
    expect(readdirSync(join(home.path, 'run/authorities'))).toHaveLength(1);
    await home.run('call', 'plain', 'echo', '{}');
    expect(readdirSync(join(home.path, 'run/authorities'))).toEqual([
      expect.stringMatching(new RegExp(`\\.${gateway.process.pid}\\.pem$`)),
    ]);
  });
});
