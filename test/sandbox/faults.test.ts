/** Each step of a start that fails, hangs or is killed, and a gateway that is killed at each: what is said, and that nothing is left. */
import { type ChildProcess, spawn } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  rmSync,
} from 'node:fs';
import type { Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import type { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { AppError, silentLog, systemClock, systemRandom } from '../../src/kernel/index.ts';
import { type CellExit, type CellSpec, createSandbox } from '../../src/sandbox/index.ts';
import { reachableByAnyone } from '../../src/sandbox/reach.ts';
import { descendants, survivors } from '../attacks/host-processes.ts';
import { cellSpec } from './cell-spec.ts';
import { type Step, withProgram, writeProgram } from './fault-tools.ts';
import { ownMounts } from './own-mounts.ts';

const isRoot = process.getuid?.() === 0;
const root = realpathSync(mkdtempSync(join(tmpdir(), 'sallyport-faults-')));
chmodSync(root, 0o755);
const programs = join(root, 'programs');
const marks = join(root, 'marks');
const stateDir = join(root, 'home/run');
/** Not to be reached by a cell's user without being shown to it, so that the launcher has a step more. */
const packagesDir = join(root, 'home/packages');
mkdirSync(programs, { mode: 0o755 });
mkdirSync(marks);
chmodSync(marks, 0o777);
mkdirSync(join(root, 'home'), { mode: 0o700 });
mkdirSync(packagesDir, { mode: 0o711 });
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** For what hangs: each takes as long. */
const TIMEOUT_MS = 2_500;
/** For what does not, also on a machine that is busy. */
const PATIENT = { timeout: 20_000 };

interface Outcome {
  /** Of the error that the start ended with; null when it was a start. */
  readonly error: string | null;
  readonly why: string;
  readonly exit: CellExit | null;
}

/** Starts a cell on a machine where one program was replaced. A cell that does not end by itself is killed. */
async function startWith(
  step: Step,
  path: string,
  spec: Partial<CellSpec> = {},
  setupTimeoutMs = PATIENT.timeout,
): Promise<Outcome> {
  const sandbox = await createSandbox({
    stateDir,
    packagesDir,
    log: silentLog,
    clock: systemClock,
    random: systemRandom,
    host: withProgram(step, path),
    setupTimeoutMs,
  });
  // Kept open, as the egress does until it is told otherwise.
  const kept: (Server | UdpSocket)[] = [];
  const keep = (listener: Server | UdpSocket): void => void kept.push(listener);
  try {
    const cell = await sandbox.launch(cellSpec({ command: ['sleep', '600'], tcpPorts: [443, 80], ...spec }), {
      onTcp: (_port, server) => keep(server),
      onDnsTcp: keep,
      onDnsUdp: keep,
    });
    cell.stdout.resume();
    cell.stderr.resume();
    const timer = setTimeout(() => void cell.kill(), TIMEOUT_MS);
    const exit = await cell.exited;
    clearTimeout(timer);
    return { error: null, why: exit.reason, exit };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const why = error.detail?.['why'];
    return { error: error.code, why: typeof why === 'string' ? why : error.message, exit: null };
  } finally {
    await sandbox.close();
  }
}

const namespaces = ['net', 'user', 'mnt', 'pid'] as const;

/** Of this process and what it started: what a start could leave. */
function left() {
  const processes = descendants(process.pid);
  return {
    descriptors: readdirSync('/proc/self/fd').length,
    mounts: ownMounts(root),
    processes: processes.length,
    namespaces: namespaces.map(
      (kind) => new Set(processes.map(({ pid }) => readlinkSync(`/proc/${pid}/ns/${kind}`))).size,
    ),
    records: ['cells', 'prepared'].flatMap((name) =>
      readdirSync(join(stateDir, name)).filter((file) => !file.includes('.json.')),
    ),
  };
}

let nothing: ReturnType<typeof left>;
beforeAll(async () => {
  // Node keeps a few descriptors from its first child on.
  for (let round = 0; round < 2; round += 1)
    await startWith('bwrap', '/usr/bin/bwrap', { command: ['true'] });
  let previous = 0;
  await vi.waitFor(() => {
    nothing = left();
    const settled = nothing.processes === 0 && nothing.descriptors === previous;
    previous = nothing.descriptors;
    if (!settled) throw new Error('something is still on its way out');
  }, PATIENT);
});

/** Every program of a start before the cell is told what it is, in order; the last two only where something is to be shown. */
const building: readonly Step[] = [
  'mkfifo',
  'setpriv',
  'unshare',
  'sh',
  'ip',
  'node',
  ...(isRoot ? (['mount', 'mkdir'] as const) : []),
];

const faults = [
  ['ends with a code', 'exit 3', 'sandbox_launch_failed'],
  ['is killed', 'kill -KILL $$', 'sandbox_launch_failed'],
  ['hangs', 'exec sleep 600', 'sandbox_launch_timeout'],
] as const;

describe.each(building)('a start whose %s', (step) => {
  it.each(faults)('%s is an error that says so, and leaves nothing', async (what, script, code) => {
    const outcome = await startWith(
      step,
      writeProgram(programs, `${step} ${what}`.replaceAll(' ', '-'), script),
      {},
      what === 'hangs' ? TIMEOUT_MS : PATIENT.timeout,
    );
    // The pipes are made by a program of their own, which is not waited for any longer either.
    expect(outcome.error).toBe(step === 'mkfifo' ? 'sandbox_launch_failed' : code);
    if (step === 'mkfifo') expect(outcome.why).toContain('the pipes for its program could not be made');
    else if (code === 'sandbox_launch_failed')
      expect(outcome.why).toMatch(
        /^the (launcher ended with \w+|set-up program ended) before the cell was ready$/,
      );
    await expect.poll(left).toEqual(nothing);
  });

  it('is not there is an error that says so, and leaves nothing', async () => {
    const outcome = await startWith(step, join(programs, 'nothing'));
    expect(outcome.error).toBe('sandbox_launch_failed');
    await expect.poll(left).toEqual(nothing);
  });
});

describe('a set-up program', () => {
  /** One that a cell's user can reach: the checkout may lie where only root can. */
  function reachableNode(): string {
    if (!isRoot || reachableByAnyone(realpathSync(process.execPath))) return process.execPath;
    const copy = join(programs, 'node');
    copyFileSync(process.execPath, copy);
    chmodSync(copy, 0o755);
    return copy;
  }
  const node = reachableNode();
  /** Runs in its place, with the channel to the gateway and the ports as arguments. */
  const inPlace = (name: string, program: string): string =>
    writeProgram(programs, name, `exec '${node}' --eval "${program}" 443 80`);
  const bind = `const net = require('node:net'); const give = (port) => new Promise((done) => { const one = net.createServer(); one.listen(port, '::', () => process.send({ tcp: port }, one, { keepOpen: false }, done)); });`;

  it.each([
    ['before it gives anything', 'process.exit(4)', 'sandbox_launch_failed'],
    [
      'after the first listener',
      `${bind} give(443).then(() => process.kill(process.pid, 'SIGKILL'))`,
      'sandbox_launch_failed',
    ],
    [
      'after the second listener',
      `${bind} give(443).then(() => give(80)).then(() => process.kill(process.pid, 'SIGKILL'))`,
      'sandbox_launch_failed',
    ],
    [
      'by never being done',
      `${bind} give(443).then(() => give(80)); setInterval(() => process.connected || process.exit(1), 20)`,
      'sandbox_launch_timeout',
    ],
  ])('that fails %s leaves no listener', async (name, program, code) => {
    const path = inPlace(`set-up-${name.replaceAll(' ', '-')}`, program);
    const waitMs = code === 'sandbox_launch_timeout' ? TIMEOUT_MS : PATIENT.timeout;
    for (let round = 0; round < 2; round += 1)
      expect((await startWith('node', path, {}, waitMs)).error).toBe(code);
    await expect.poll(left).toEqual(nothing);
  });

  it('that sends something else is an error', async () => {
    const program = `process.on('message', () => undefined); process.send({ unknown: 1 }, require('node:net').createServer().listen(0))`;
    const outcome = await startWith('node', inPlace('set-up-strange', program));
    expect(outcome).toMatchObject({
      error: 'sandbox_launch_failed',
      why: 'the set-up program sent something unexpected',
    });
    await expect.poll(left).toEqual(nothing);
  });
});

describe('once a cell is told what it is', () => {
  it.each([
    ['env', 'ends with a code', 'exit 3'],
    ['env', 'hangs', 'exec sleep 600'],
    ['bwrap', 'ends with a code', `echo 'bwrap: Creating new namespace failed' >&2; exit 1`],
    ['bwrap', 'hangs', 'exec sleep 600'],
    ['bwrap', 'reads its options and ends', 'cat <&4 >/dev/null; exit 1'],
  ] as const)(
    '%s that %s is an error or the end of the cell, and leaves nothing',
    async (step, what, script) => {
      const outcome = await startWith(
        step,
        writeProgram(programs, `${step}-then-${what}`.replaceAll(' ', '-'), script),
      );
      // Which of the two depends on whether it had ended by then.
      if (outcome.error === null) expect(outcome.exit).not.toMatchObject({ code: 0 });
      else expect(outcome.error).toBe('sandbox_launch_failed');
      await expect.poll(left).toEqual(nothing);
    },
  );

  it('a bubblewrap that cannot build it is told in its words', async () => {
    const path = writeProgram(
      programs,
      'bwrap-words',
      `cat <&4 >/dev/null; echo "bwrap: Can't mount proc" >&2; exit 1`,
    );
    const { exit } = await startWith('bwrap', path);
    expect(exit).toMatchObject({
      started: false,
      reason: "the sandbox could not be built: bwrap: Can't mount proc",
    });
    await expect.poll(left).toEqual(nothing);
  });

  it.each([
    ['prlimit', 'the program could not be executed', {}],
    ['stat', 'a granted path was replaced', { files: [{ host: programs, cell: '/data', write: false }] }],
  ] as const)(
    'a cell without %s is one that was not started, and leaves nothing',
    async (step, words, spec) => {
      const { exit } = await startWith(step, '/usr/bin/no-such-program', spec);
      expect(exit).toMatchObject({ started: false });
      expect(exit?.reason).toContain(words);
      await expect.poll(left).toEqual(nothing);
    },
  );
});

describe('a gateway that is killed while a start', () => {
  const driver = join(import.meta.dirname, 'fault-driver.ts');
  const gateways = new Set<ChildProcess>();
  afterAll(() => {
    for (const gateway of gateways) gateway.kill('SIGKILL');
  });

  // What makes pipes and shows folders ends by itself, and is tied to nobody.
  it.each(['setpriv', 'unshare', 'sh', 'ip', 'node', 'env', 'bwrap'] as const)(
    'is at %s leaves nothing, and the next one forgets it',
    async (step) => {
      const mark = join(marks, step);
      const path = writeProgram(programs, `${step}-reached`, `: >'${mark}'\nexec sleep 600`);
      const gateway = spawn(process.execPath, [driver, stateDir, packagesDir, step, path], {
        env: { PATH: '/usr/bin:/bin', NODE_NO_WARNINGS: '1' },
        stdio: 'ignore',
      });
      gateways.add(gateway);
      // Both are on their way at once; before the record, the launcher ends by itself when nobody is there.
      await vi.waitFor(() => expect([existsSync(mark), left().records.length]).toEqual([true, 1]), {
        timeout: 20_000,
        interval: 10,
      });
      const before = descendants(gateway.pid ?? 0);
      expect(before.length).toBeGreaterThanOrEqual(1);
      const gone = once(gateway, 'exit');
      gateway.kill('SIGKILL');
      await gone;
      gateways.delete(gateway);
      const next = await createSandbox({
        stateDir,
        log: silentLog,
        clock: systemClock,
        random: systemRandom,
      });
      expect(await next.sweep()).toBe(1);
      expect(await survivors(before, mark)).toEqual([]);
      await expect.poll(left).toEqual(nothing);
    },
  );
});
