/** Launches that fail on the way, each of which must leave nothing behind. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
} from 'node:fs';
import type { Socket as UdpSocket } from 'node:dgram';
import type { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { silentLog, systemClock, systemRandom } from '../../src/kernel/index.ts';
import { type Cell, type CellListeners, type CellSpec, createSandbox } from '../../src/sandbox/index.ts';
import { descendants } from '../attacks/host-processes.ts';
import { cellSpec } from './cell-spec.ts';
import { ownMounts } from './own-mounts.ts';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'sallyport-failures-')));
chmodSync(root, 0o755);
mkdirSync(join(root, 'home'), { mode: 0o700 });
const stateDir = join(root, 'home/run');
const recordsDir = join(stateDir, 'cells');
const sandbox = await createSandbox({ stateDir, log: silentLog, clock: systemClock, random: systemRandom });
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** For processes to come and go on a machine that is busy. */
const PATIENT = { timeout: 20_000 };

/** Keeps what it is given open, as the egress does until it is told otherwise. */
const listenersWith = (onDnsUdp: (socket: UdpSocket) => void): CellListeners => {
  const kept: (Server | UdpSocket)[] = [];
  return {
    onTcp: (_port, server) => kept.push(server),
    onDnsTcp: (server) => kept.push(server),
    onDnsUdp,
  };
};

function launch(onDnsUdp: (socket: UdpSocket) => void, spec: Partial<CellSpec> = {}): Promise<Cell> {
  const defaults = { command: ['sleep', '600'], tcpPorts: [80, 443] };
  return sandbox.launch(cellSpec({ ...defaults, ...spec }), listenersWith(onDnsUdp));
}

/** Of this process: what a launch could leave. */
const left = () => ({
  descriptors: readdirSync('/proc/self/fd').length,
  mounts: ownMounts(root),
  processes: descendants(process.pid).length,
  records: readdirSync(recordsDir),
});

function kill(pid: number | undefined): void {
  // Zero would mean this very group.
  if (pid === undefined || !(pid > 1)) throw new Error('the process to be killed was not found');
  process.kill(pid, 'SIGKILL');
}
/** Of the launch that is under way: the only child of this process in a test file of its own. */
const launcher = (): number =>
  Number(
    readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'latin1').trim().split(' ').at(-1),
  );

async function run(spec: Partial<CellSpec>) {
  const cell = await launch(() => undefined, spec);
  cell.stdout.resume();
  cell.stderr.resume();
  return cell.exited;
}

/** Nobody reads what the cell writes, which must not keep anything open either. */
const exitOf = async ({ exited }: Cell): Promise<string> => String((await exited).signal);

/** After a cell that came to its end: Node keeps a few descriptors from its first child on. */
let nothing = left();
beforeAll(async () => {
  await run({ command: ['true'] });
  let previous = 0;
  await vi.waitFor(() => {
    nothing = left();
    const settled = nothing.processes === 0 && nothing.descriptors === previous;
    previous = nothing.descriptors;
    if (!settled) throw new Error('something is still on its way out');
  }, PATIENT);
});

describe('a launch that fails', () => {
  it.each([
    [
      'because a listener is not taken over',
      () => {
        throw new Error('not taken over');
      },
      { message: 'not taken over' },
    ],
  ])('%s leaves nothing, and is an error', async (_why, fail, error) => {
    for (let round = 0; round < 4; round += 1) await expect(launch(fail)).rejects.toMatchObject(error);
    await expect.poll(left).toEqual(nothing);
  });

  it('because the launcher is killed leaves nothing, and is an error or the end of the cell', async () => {
    for (let round = 0; round < 4; round += 1) {
      const end = launch(() => kill(launcher())).then(exitOf, (error: unknown) => String(error));
      // Which of the two depends on whether the set-up program had said that it is ready.
      expect(['AppError: The cell could not be built on this machine.', 'SIGKILL']).toContain(await end);
    }
    await expect.poll(left).toEqual(nothing);
  });

  it.each([
    ['a program that is not there', { command: ['no-such-program'] }],
    ['a variable that no program could be given', { env: { LONG: 'x'.repeat(200_000) } }],
  ])('because of %s leaves nothing, and tells in its exit', async (_why, spec) => {
    for (let round = 0; round < 4; round += 1) expect(await run(spec)).toMatchObject({ started: false });
    await expect.poll(left).toEqual(nothing);
  });
});

describe('a cell that cannot be recorded', () => {
  it('does not run on unseen', async () => {
    // The record is written twice; the second time its folder is gone.
    const breaks = () => {
      if (existsSync(recordsDir)) rmSync(recordsDir, { recursive: true });
    };
    await expect(launch(breaks)).rejects.toMatchObject({ code: 'ENOENT' });
    expect(descendants(process.pid)).toEqual([]);
    mkdirSync(recordsDir);
  });
});
