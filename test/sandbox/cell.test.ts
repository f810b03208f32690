/** Real cells, in this process: what a caller of `launch` can rely on. */
import { execFileSync } from 'node:child_process';
import type { Socket as UdpSocket } from 'node:dgram';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import type { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:https';
import type { Readable } from 'node:stream';
import { afterAll, describe, expect, it } from 'vitest';
import { silentLog, systemClock, systemRandom } from '../../src/kernel/index.ts';
import { type Cell, type CellListeners, type CellSpec, createSandbox } from '../../src/sandbox/index.ts';
import { cellSpec } from './cell-spec.ts';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'sallyport-cell-')));
chmodSync(root, 0o755);
const stateDir = join(root, 'home/run');
mkdirSync(join(root, 'home'), { mode: 0o700 });
const sandbox = await createSandbox({ stateDir, log: silentLog, clock: systemClock, random: systemRandom });
afterAll(() => rmSync(root, { recursive: true, force: true }));

const noListeners: CellListeners = {
  onTcp: () => undefined,
  onDnsUdp: () => undefined,
  onDnsTcp: () => undefined,
};

const launch = (
  spec: Pick<CellSpec, 'command'> & Partial<CellSpec>,
  listeners = noListeners,
): Promise<Cell> => sandbox.launch(cellSpec(spec), listeners);

async function text(stream: Readable): Promise<string> {
  let all = '';
  for await (const chunk of stream.setEncoding('utf8')) all += String(chunk);
  return all;
}

/** Runs a cell to its end. */
async function run(spec: Pick<CellSpec, 'command'> & Partial<CellSpec>) {
  const cell = await launch(spec);
  const [stdout, stderr, exit] = await Promise.all([text(cell.stdout), text(cell.stderr), cell.exited]);
  return { stdout, stderr, exit };
}
const sh = (script: string, spec: Partial<CellSpec> = {}) =>
  run({ command: ['/bin/sh', '-c', script], ...spec });

const records = (): readonly string[] => readdirSync(join(stateDir, 'cells'));

describe('a program in a cell', () => {
  it('reads what is written to it, and writes what it was given', async () => {
    const cell = await launch({ command: ['cat'] });
    cell.stderr.resume();
    cell.stdin.end('one\ntwo\n');
    expect(await text(cell.stdout)).toBe('one\ntwo\n');
    expect(await cell.exited).toEqual({
      code: 0,
      signal: null,
      started: true,
      reason: 'it ended by itself',
      limit: null,
    });
  });

  it('gets its arguments and variables unchanged', async () => {
    const odd = ['a b', '', '"quoted"', "it's", '$HOME', 'line\nbreak', 'ünïcödé', '--', '-x', '*'];
    const { stdout } = await run({
      command: ['node', '-p', 'JSON.stringify([process.argv.slice(1), process.env.ODD])', '--'],
      args: odd,
      env: { ODD: 'a=b\n"c" $d' },
    });
    expect(JSON.parse(stdout)).toEqual([odd, 'a=b\n"c" $d']);
  });

  it("runs with the gateway's own Node", async () => {
    const { stdout } = await run({ command: ['node', '-p', 'process.version + " " + process.execPath'] });
    expect(stdout.trim()).toBe(`${process.version} /sallyport/bin/node`);
  });

  it('writes to stderr what the caller reads, without a word of the set-up', async () => {
    const { stderr } = await sh('echo problem >&2');
    expect(stderr).toBe('problem\n');
  });

  it('is heard though it has ended before anybody listens', async () => {
    const cell = await launch({ command: ['/bin/sh', '-c', 'echo out; echo err >&2'] });
    await cell.exited;
    for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(await Promise.all([text(cell.stdout), text(cell.stderr)])).toEqual(['out\n', 'err\n']);
  });

  it('may open its stdout and stderr again by their names, as scripts do', async () => {
    const { stdout, stderr } = await sh('echo out >/dev/stdout; echo problem >/dev/stderr; echo more');
    expect([stdout, stderr]).toEqual(['out\nmore\n', 'problem\n']);
  });

  it('is told who it is, in files of its own', async () => {
    const { stdout } = await sh(
      'id -un; id -gn; hostname; pwd; echo $HOME; getent hosts localhost | head -1; date +%Z; touch /tmp/x ~/y /dev/shm/z && echo writable',
    );
    expect(stdout.split('\n')).toEqual([
      'cell',
      'cell',
      'cell',
      '/home/cell',
      '/home/cell',
      expect.stringContaining('localhost'),
      'UTC',
      'writable',
      '',
    ]);
  });
});

describe('what it ends with', () => {
  it.each([
    ['exit 7', { code: 7, signal: null, started: true, reason: 'it ended with code 7', limit: null }],
    [
      'kill -TERM $$',
      { code: null, signal: 'SIGTERM', started: true, reason: 'it was ended by SIGTERM', limit: null },
    ],
  ])('%s', async (script, exit) => {
    expect((await sh(script)).exit).toEqual(exit);
  });

  it('says that the program is not there', async () => {
    const { exit } = await run({ command: ['no-such-server'] });
    expect(exit).toEqual({
      code: 127,
      signal: null,
      started: false,
      reason: 'the program "no-such-server" was not found in the cell',
      limit: null,
    });
  });

  it('says that the program cannot be executed', async () => {
    const { exit } = await run({ command: ['/etc/passwd'] });
    expect(exit).toMatchObject({
      code: 126,
      started: false,
      reason: 'the program "/etc/passwd" may not be executed',
    });
  });

  it('is not told by a program that imitates what builds its cell', async () => {
    const words = 'bwrap: SECRETVALUE123 \u001b]0;x\u0007';
    const cell = await launch({ command: ['sh', '-c', `printf '%s' "$0" >&2; exit 1`, words] });
    expect(await cell.exited).toEqual({
      code: 1,
      signal: null,
      started: true,
      reason: 'it ended with code 1',
      limit: null,
    });
  });

  it('is told in the words of what could not build its cell', async () => {
    const cell = await launch({ command: ['true'], workDir: '/no/such/folder' });
    expect(await cell.exited).toEqual({
      code: null,
      signal: null,
      started: false,
      reason:
        "the sandbox could not be built: bwrap: Can't chdir to /no/such/folder: No such file or directory",
      limit: null,
    });
  });

  it('says that it was stopped, and by whom', async () => {
    const cell = await launch({ command: ['sleep', '600'] });
    await cell.kill();
    expect(await cell.exited).toEqual({
      code: null,
      signal: 'SIGKILL',
      started: true,
      reason: 'stopped by Sallyport',
      limit: null,
    });
    await cell.kill();
  });

  it('gives back every listener, record and descriptor', async () => {
    const handed: (Server | UdpSocket)[] = [];
    const count = (): number => readdirSync('/proc/self/fd').length;
    const once = async () => {
      const cell = await launch(
        { command: ['true'], tcpPorts: [80, 443] },
        {
          onTcp: (_port, server) => handed.push(server),
          onDnsUdp: (socket) => handed.push(socket),
          onDnsTcp: (server) => handed.push(server),
        },
      );
      await Promise.all([text(cell.stdout), text(cell.stderr), cell.exited]);
    };
    await once();
    expect(handed).toHaveLength(4);
    for (const listener of handed)
      expect(() => listener.address()).toSatisfy((address: () => unknown) => {
        try {
          return address() === null;
        } catch {
          return true;
        }
      });
    const before = count();
    for (let round = 0; round < 3; round += 1) await once();
    expect(count()).toBeLessThanOrEqual(before);
    expect(records()).toEqual([]);
  });
});

describe('limits', () => {
  const fork = 'for n in $(seq 200); do sleep 5 & done; echo all; kill $(jobs -p) 2>/dev/null';

  it('control: without a low limit the same programs succeed', async () => {
    expect((await sh(fork, { limits: { processes: 300 } })).stdout).toBe('all\n');
    expect(
      (await sh('head -c 3000000 /dev/zero >/tmp/f && echo written', { limits: { diskMiB: 4 } })).stdout,
    ).toBe('written\n');
  });

  it('holds the number of processes', async () => {
    const { stdout, stderr } = await sh(fork, { limits: { processes: 20 } });
    expect(stdout).not.toContain('all');
    expect(stderr).toContain('Cannot fork');
  });

  it.each(['/tmp', '/home/cell'])('holds the size of %s', async (folder) => {
    const fill = `for n in 1 2 3 4; do head -c 1000000 /dev/zero >${folder}/$n || exit 9; done`;
    const { stderr, exit } = await sh(fill, { limits: { diskMiB: 2 } });
    expect(stderr).toContain('No space left on device');
    expect(exit.code).toBe(9);
  });

  it('holds the size of one file', async () => {
    const { exit } = await sh('exec head -c 3000000 /dev/zero >/tmp/f', { limits: { diskMiB: 2 } });
    expect(exit).toMatchObject({
      signal: 'SIGXFSZ',
      reason: 'killed: disk limit 2 MiB (a file)',
    });
  });

  it('holds the number of open files', async () => {
    const open =
      'const fs = require("node:fs"); try { for (;;) fs.openSync("/dev/null") } catch (e) { console.log(e.code) }';
    expect((await run({ command: ['node', '-e', open], limits: { openFiles: 64 } })).stdout).toBe('EMFILE\n');
  });

  it('holds memory, in Node and outside its heap', async () => {
    const grow =
      'const all = []; for (let n = 0; n < 2000; n += 1) all.push(Buffer.alloc(1024 * 1024, 1)); console.log("all")';
    const small = await run({ command: ['node', '-e', grow], limits: { memoryMiB: 300 } });
    expect(small.stdout).not.toContain('all');
    expect(small.exit.code).not.toBe(0);
  });

  it('cannot be raised from inside', async () => {
    const { stdout } = await sh('ulimit -n 100000 2>/dev/null || echo refused; ulimit -n', {
      limits: { openFiles: 100 },
    });
    expect(stdout).toBe('refused\n100\n');
  });
});

describe('files', () => {
  const granted = join(root, 'granted');
  mkdirSync(granted, { mode: 0o777 });
  chmodSync(granted, 0o777);
  writeFileSync(join(granted, 'note'), 'from the host');
  const grant = (write: boolean) => [{ host: granted, cell: '/home/cell/granted', write }];

  it('shows a granted folder, read-only unless told otherwise', async () => {
    const script = 'cat granted/note; echo changed >granted/new && echo written';
    const reading = await sh(script, { files: grant(false) });
    expect(reading.stdout).toBe('from the host');
    expect(reading.stderr).toContain('Read-only file system');
    expect(existsSync(join(granted, 'new'))).toBe(false);
    const writing = await sh(script, { files: grant(true) });
    expect(writing.stdout).toBe('from the hostwritten\n');
    expect(readFileSync(join(granted, 'new'), 'utf8')).toBe('changed\n');
  });

  it("refuses what is the gateway's, before anything is started", async () => {
    await expect(
      launch({ command: ['true'], files: [{ host: join(root, 'home'), cell: '/x', write: false }] }),
    ).rejects.toMatchObject({
      code: 'sandbox_file_closed',
    });
    expect(records()).toEqual([]);
  });

  it("mounts a package from a place that the cell's user could not reach, and runs its programs by name", async () => {
    const dir = join(root, 'home/packages/sha256-x');
    mkdirSync(join(dir, 'node_modules/.bin'), { recursive: true, mode: 0o755 });
    chmodSync(join(root, 'home/packages'), 0o700);
    writeFileSync(
      join(dir, 'node_modules/.bin/hello'),
      '#!/usr/bin/env node\nconsole.log(process.version, process.argv[1])\n',
      { mode: 0o755 },
    );
    const { stdout, stderr } = await run({ command: ['hello'], packageDir: dir });
    expect(stderr).toBe('');
    expect(stdout).toBe(`${process.version} /package/node_modules/.bin/hello\n`);
    const write = await sh('echo x >/package/new', { packageDir: dir });
    expect(write.stderr).toContain('Read-only file system');
  });

  it('says when the package is not there', async () => {
    await expect(launch({ command: ['true'], packageDir: join(root, 'nothing') })).rejects.toMatchObject({
      code: 'sandbox_package_missing',
    });
  });
});

describe('what cannot be passed on faithfully is refused', () => {
  it.each<[string, Partial<CellSpec>]>([
    ['no command', { command: [] }],
    ['an empty command', { command: [''] }],
    ['a NUL in an argument', { args: ['a\0b'] }],
    ['a NUL in a variable', { env: { A: 'a\0b' } }],
    ['a variable with a name that is none', { env: { 'A=B': 'x' } }],
    ['port 0', { tcpPorts: [0] }],
    ['port 53', { tcpPorts: [53] }],
    ['port 65536', { tcpPorts: [65536] }],
    ['a port twice', { tcpPorts: [443, 443] }],
    ['too many ports', { tcpPorts: Array.from({ length: 65 }, (_, index) => index + 1000) }],
  ])('%s', async (_what, wrong) => {
    await expect(launch({ command: ['true'], ...wrong })).rejects.toMatchObject({
      name: 'AppError',
      code: 'sandbox_spec_invalid',
    });
  });
});

describe('trust', () => {
  const [key, certificate] = ['key.pem', 'cert.pem'].map((name) => join(root, name));
  const hasOpenssl = existsSync('/usr/bin/openssl');
  if (hasOpenssl) {
    const subject = ['-subj', '/CN=api.test', '-addext', 'subjectAltName=DNS:api.test,IP:203.0.113.1'];
    const keyOptions = [
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-keyout',
      `${key}`,
    ];
    execFileSync(
      '/usr/bin/openssl',
      ['req', '-x509', ...keyOptions, '-out', `${certificate}`, '-days', '2', ...subject],
      { stdio: 'ignore' },
    );
  }

  /** Answers "hello" over TLS with a certificate that only the given authority vouches for. */
  async function fetchWith(command: readonly string[], caPem: string): Promise<string> {
    const https = createTlsServer(
      { key: readFileSync(`${key}`), cert: readFileSync(`${certificate}`) },
      (_request, response) => response.end('hello'),
    );
    https.on('tlsClientError', () => undefined);
    const cell = await launch(
      { command, tcpPorts: [443], caPem },
      {
        ...noListeners,
        onTcp(_port, server) {
          server.on('connection', (socket) => {
            https.emit('connection', socket);
            socket.resume();
          });
        },
      },
    );
    cell.stderr.resume();
    const stdout = await text(cell.stdout);
    await cell.exited;
    return stdout.trim();
  }

  const java = `
import java.net.URI; import java.net.http.*;
public class Probe { public static void main(String[] a) throws Exception {
  var answer = HttpClient.newHttpClient().send(HttpRequest.newBuilder(URI.create("https://203.0.113.1/")).build(), HttpResponse.BodyHandlers.ofString());
  System.out.println(answer.body()); } }`;
  const programs: readonly (readonly [string, string, readonly string[]])[] = [
    [
      'Node',
      process.execPath,
      ['node', '-e', 'fetch("https://203.0.113.1/").then((r) => r.text()).then(console.log)'],
    ],
    [
      'Python',
      '/usr/bin/python3',
      [
        '/usr/bin/python3',
        '-c',
        'import urllib.request as u; print(u.urlopen("https://203.0.113.1/").read().decode())',
      ],
    ],
    ['curl', '/usr/bin/curl', ['/usr/bin/curl', '-sS', 'https://203.0.113.1/']],
    [
      'openssl',
      '/usr/bin/openssl',
      [
        '/bin/sh',
        '-c',
        'openssl s_client -connect 203.0.113.1:443 -verify_return_error </dev/null >/dev/null 2>&1 && echo hello',
      ],
    ],
    [
      'Java',
      '/usr/bin/javac',
      ['/bin/sh', '-c', 'printf "%s" "$0" >/tmp/Probe.java && java /tmp/Probe.java', java],
    ],
  ];

  describe.each(programs)('%s', (_name, program, command) => {
    it.skipIf(!hasOpenssl || !existsSync(program))(
      `believes the cell's authority, and no other (waits for ${program} and openssl)`,
      async () => {
        expect(await fetchWith(command, readFileSync(`${certificate}`, 'utf8'))).toBe('hello');
        // The control, turned round: with another authority the same connection fails.
        const other = join(root, 'other.pem');
        execFileSync(
          '/usr/bin/openssl',
          [
            'req',
            '-x509',
            '-newkey',
            'rsa:2048',
            '-nodes',
            '-keyout',
            join(root, 'other.key'),
            '-out',
            other,
            '-days',
            '2',
            '-subj',
            '/CN=other',
          ],
          { stdio: 'ignore' },
        );
        expect(await fetchWith(command, readFileSync(other, 'utf8'))).toBe('');
      },
      120_000,
    );
  });
});

describe('check', () => {
  it('builds a trial cell on a machine that runs these tests', async () => {
    const report = await sandbox.check();
    expect(report.filter(({ ok }) => !ok)).toEqual([]);
    expect(report.map(({ name }) => name)).toEqual([
      'system',
      'programs',
      'bubblewrap',
      'user namespaces',
      'seccomp',
      'ipv6',
      'limits',
      'trial cell',
    ]);
    expect(report.at(-1)?.found).toMatch(/^built and ended in \d+ ms$/);
  });
});
