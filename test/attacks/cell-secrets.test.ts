/** ATTACKS 1: read the key, wherever it may lie. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import {
  hasPython,
  makeStage,
  modes,
  needsPython,
  outcomes,
  python,
  runCell,
  runOutside,
  ways,
} from './cell-harness.ts';

const stage = makeStage();
afterAll(() => stage.remove());

/** A secret that is nowhere but where a test put it. */
function plant() {
  const secret = `canary-${randomBytes(16).toString('hex')}`;
  const folder = join(stage.folder, secret.slice(0, 12));
  mkdirSync(folder);
  const file = join(folder, 'key');
  // The worst case: a file that every user of the machine may read.
  writeFileSync(file, secret);
  chmodSync(file, 0o644);
  return { secret, backwards: secret.split('').toReversed().join(''), file };
}

/** Runs an action with a file open, as a descriptor that children get. */
async function withDescriptor<T>(file: string, action: (descriptor: number) => Promise<T>): Promise<T> {
  const descriptor = openSync(file, 'r');
  try {
    return await action(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Runs an action while a process has this on its command line. */
async function withNeighbour<T>(argument: string, action: () => Promise<T>): Promise<T> {
  const neighbour = spawn('/bin/sh', ['-c', 'read line', argument], { stdio: 'pipe' });
  const ended = once(neighbour, 'close');
  try {
    // Until it was executed, its command line is the one of this process.
    await vi.waitFor(
      () => expect(readFileSync(`/proc/${neighbour.pid}/cmdline`, 'latin1')).toContain(argument),
      10_000,
    );
    return await action();
  } finally {
    neighbour.kill();
    await ended;
  }
}

/** Both print what they looked at, then where they found the secret. */
const searches = [
  {
    language: 'Node',
    available: true,
    search: (program: string, probes: string) => [program, `${probes}/search.mjs`],
  },
  {
    language: `Python${needsPython}`,
    available: hasPython,
    search: (_node: string, probes: string) => [python, '-B', `${probes}/search.py`],
  },
];

describe.each(searches)('a secret of the gateway, looked for in $language', ({ available, search }) => {
  it.skipIf(!available)(
    'control: the probe finds it outside, in the environment, a command line, a descriptor and a file',
    async () => {
      const { secret, backwards, file } = plant();
      const probe = [...search(process.execPath, stage.probes), 'no-memory', backwards, stage.folder];
      const stdout = await withNeighbour(secret, () =>
        withDescriptor(file, (descriptor) =>
          runOutside(probe, { env: { SECRET: secret }, extra: [descriptor] }),
        ),
      );
      const found = outcomes(stdout);
      expect(found).toMatchObject({
        'environ of itself': 'ok',
        'cmdline of another process': 'ok',
        'descriptor of itself': 'ok',
        file: 'ok',
      });
    },
  );

  it.skipIf(!available)(
    'control: bubblewrap shows its own environment to the program, as pid 1, and so does its memory',
    async () => {
      const { secret, backwards } = plant();
      const bwrap = [
        '/usr/bin/bwrap',
        '--unshare-user',
        '--unshare-pid',
        '--ro-bind',
        '/',
        '/',
        '--proc',
        '/proc',
        '--clearenv',
        '--',
      ];
      const probe = [...search(process.execPath, stage.probes), 'all', backwards];
      const stdout = await runOutside([...bwrap, ...probe], { env: { SECRET: secret } });
      expect(outcomes(stdout)).toMatchObject({ 'environ of pid 1': 'ok', 'memory of pid 1': 'ok' });
    },
  );

  it.skipIf(!available).each(ways)('is nowhere in a cell, gateway as $way', async ({ mode, prepared }) => {
    const { secret, backwards, file } = plant();
    const report = await withDescriptor(file, (descriptor) =>
      runCell(
        stage,
        mode,
        { command: [...search('node', '/probes'), 'all', backwards, '/'] },
        // Number 3 becomes close-on-exec in Node; the far ones would be passed on.
        {
          prepared,
          env: { SECRET: secret, SALLYPORT_MASTER_KEY: secret },
          extra: [descriptor, ...Array.from({ length: 40 }, () => descriptor)],
        },
      ),
    );
    const [looked = '{}'] = report.stdout.split('\n');
    expect(JSON.parse(looked)).toMatchObject({
      files: expect.toSatisfy((n: number) => n >= 10),
      processes: expect.toSatisfy((n: number) => n >= 2),
    });
    expect(outcomes(report.stdout)).toEqual({});
  });
});

describe.each(modes)('what a program in a cell is given, gateway as %s', (mode) => {
  it('has an empty environment behind it, three descriptors, and only the variables of the plan', async () => {
    const script = `
      const fs = require('node:fs');
      const open = fs.readdirSync('/proc/self/fd').filter((n) => { try { return fs.readlinkSync('/proc/self/fd/' + n); } catch { return false; } });
      const parent = fs.readdirSync('/proc/1/fd');
      console.log(JSON.stringify({ launcher: fs.readFileSync('/proc/1/environ', 'latin1'), own: Object.keys(process.env).sort(), parent,
        processes: fs.readdirSync('/proc').filter((n) => /^[0-9]+$/.test(n)).length }));`;
    const shell = 'ls /proc/self/fd; exec node -e "$0"';
    const { stdout } = await runCell(stage, mode, {
      command: ['/bin/sh', '-c', shell, script],
      env: { PLACEHOLDER: 'ghp_x' },
    });
    const [zero, one, two, listing] = stdout.split('\n');
    // The fourth is the listing's own.
    expect([zero, one, two, listing]).toEqual(['0', '1', '2', '3']);
    const seen = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as Record<string, unknown>;
    expect(seen['launcher']).toBe('');
    expect(seen['processes']).toBe(2);
    expect(seen['own']).toEqual([
      'AWS_CA_BUNDLE',
      'CURL_CA_BUNDLE',
      'DENO_CERT',
      'GIT_SSL_CAINFO',
      'GRPC_DEFAULT_SSL_ROOTS_FILE_PATH',
      'HOME',
      'HTTPLIB2_CA_CERTS',
      'JAVA_TOOL_OPTIONS',
      'LANG',
      'LOGNAME',
      'NODE_EXTRA_CA_CERTS',
      'PATH',
      'PLACEHOLDER',
      'PWD',
      'REQUESTS_CA_BUNDLE',
      'SSL_CERT_DIR',
      'SSL_CERT_FILE',
      'TMPDIR',
      'TZ',
      'USER',
    ]);
  });

  it('sees of the host no folder but the system programs, and of /etc only what was made for it', async () => {
    const { stdout } = await runCell(stage, mode, {
      command: ['/bin/sh', '-c', 'ls /; echo --; ls -A /etc /home /root /run /var /sys 2>/dev/null'],
    });
    const [top = '', rest = ''] = stdout.split('--\n');
    const folders = [
      'bin',
      'dev',
      'etc',
      'home',
      'lib',
      'lib32',
      'lib64',
      'libx32',
      'probes',
      'proc',
      'sallyport',
      'sbin',
      'tmp',
      'usr',
    ];
    expect(
      top
        .trim()
        .split('\n')
        .filter((name) => !folders.includes(name)),
    ).toEqual([]);
    const made = [
      'alternatives',
      'cell',
      'group',
      'hosts',
      'ld.so.cache',
      'localtime',
      'nsswitch.conf',
      'os-release',
      'passwd',
      'pki',
      'resolv.conf',
      'ssl',
    ];
    const seen = rest.split('\n').filter((line) => line !== '' && !line.endsWith(':'));
    expect(seen.filter((name) => !made.includes(name) && !/^java-\d+-openjdk$/.test(name))).toEqual([]);
  });

  it('leaves no core file behind, and cannot ask for one', async () => {
    const { stdout } = await runCell(stage, mode, {
      command: ['/bin/sh', '-c', 'ulimit -c; ulimit -c 1 2>/dev/null || echo refused'],
    });
    expect(stdout).toBe('0\nrefused\n');
  });

  it.each([
    ['Node', true, ['node', '-e', 'process.abort()']],
    [`Python${needsPython}`, hasPython, [python, '-c', 'import os; os.abort()']],
  ] as const)('leaves nothing where %s crashes', async (_name, available, crash) => {
    if (!available) return;
    const folders = '/tmp /home/cell /dev/shm';
    const text = `for folder in ${folders}; do cd "$folder"; "$@"; echo "$? $(ls -A)"; done 2>/dev/null`;
    const { stdout } = await runCell(stage, mode, { command: ['/bin/sh', '-c', text, 'sh', ...crash] });
    expect(stdout).toBe('134 \n'.repeat(3));
  });
});

it.skipIf(readFileSync('/proc/sys/kernel/core_pattern', 'latin1').startsWith('|'))(
  'control: outside, a crash leaves the memory of the program (waits for a kernel that writes it to a file)',
  async () => {
    const folder = mkdtempSync(join(stage.folder, 'crash-'));
    await runOutside([
      '/bin/sh',
      '-c',
      'cd "$1"; ulimit -c unlimited; sh -c "kill -ABRT \\$\\$"',
      'sh',
      folder,
    ]);
    expect(readdirSync(folder).length).toBeGreaterThan(0);
  },
);
