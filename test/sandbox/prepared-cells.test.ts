/** Real cells made of prepared ones: the same as others, and nothing of theirs is anywhere before or after. */
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import type { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { type Log, type LogFields, silentLog, systemClock, systemRandom } from '../../src/kernel/index.ts';
import { type CellListeners, type CellSpec, createSandbox, type Sandbox } from '../../src/sandbox/index.ts';
import { makeStage, modes, runCells, spawnDriver } from '../attacks/cell-harness.ts';
import { descendants, type HostProcess, hostProcesses, survivors } from '../attacks/host-processes.ts';
import { cellSpec } from './cell-spec.ts';

const isRoot = process.getuid?.() === 0;
const root = realpathSync(mkdtempSync(join(tmpdir(), 'sallyport-prepared-')));
chmodSync(root, 0o755);
mkdirSync(join(root, 'home'), { mode: 0o700 });
mkdirSync(join(root, 'home/packages'), { mode: 0o711 });
const stateDir = join(root, 'home/run');
const recordsDir = join(stateDir, 'cells');
const aheadDir = join(stateDir, 'prepared');
const pipesDir = join(stateDir, 'pipes');
const stage = makeStage();
afterAll(() => {
  stage.remove();
  rmSync(root, { recursive: true, force: true });
});

interface Event {
  readonly name: string;
  readonly fields: LogFields;
}

let events: Event[] = [];
const note = (name: string, fields: LogFields = {}): void => void events.push({ name, fields });
const log: Log = { ...silentLog, debug: note, info: note, warn: note };
const named = (name: string): readonly LogFields[] =>
  events.filter((event) => event.name === name).map(({ fields }) => fields);

let sandbox: Sandbox | null = null;
afterEach(async () => {
  await sandbox?.close();
  sandbox = null;
  events = [];
});

/** One that has a cell ready. */
async function open(preparedMax = 1): Promise<Sandbox> {
  const opened = await createSandbox({
    stateDir,
    packagesDir: join(root, 'home/packages'),
    preparedMax,
    log,
    clock: systemClock,
    random: systemRandom,
  });
  sandbox = opened;
  opened.keepReady([[80, 443]]);
  await prepared(1);
  return opened;
}

/** For processes to come and go on a machine that is busy. */
const PATIENT = { timeout: 20_000, interval: 5 };
const prepared = (count: number) =>
  vi.waitFor(() => expect(named('cell.prepared')).toHaveLength(count), PATIENT);

const noListeners: CellListeners = {
  onTcp: () => undefined,
  onDnsUdp: () => undefined,
  onDnsTcp: () => undefined,
};

const specOf = (spec: Partial<CellSpec>): CellSpec =>
  cellSpec({ command: ['/bin/sh', '-c', 'true'], tcpPorts: [443, 80], ...spec });

async function text(stream: Readable): Promise<string> {
  let all = '';
  for await (const chunk of stream.setEncoding('utf8')) all += String(chunk);
  return all;
}

async function run(in_: Sandbox, spec: Partial<CellSpec>, listeners = noListeners) {
  const cell = await in_.launch(specOf(spec), listeners);
  const [stdout, stderr, exit] = await Promise.all([text(cell.stdout), text(cell.stderr), cell.exited]);
  return { stdout, stderr, exit };
}

/** Processes of this test's own prepared and running cells. */
const running = (): readonly HostProcess[] => descendants(process.pid);
/** The one of a prepared cell that reads its options. */
const waiting = (): Promise<HostProcess> =>
  vi.waitFor(() => {
    const found = running().find(({ command }) => command.startsWith('/usr/bin/bwrap'));
    if (found === undefined) throw new Error('it does not run yet');
    return found;
  }, PATIENT);
/** Which starts launchers, and stays. */
const isHelper = ({ command }: HostProcess): boolean => command.includes('/launcher-host.');
const environmentOf = ({ pid }: HostProcess): string => readFileSync(`/proc/${pid}/environ`, 'latin1');

describe('a prepared cell', () => {
  it('becomes what is asked for: program, variables, package, ports', async () => {
    const gateway = await open();
    const packageDir = join(root, 'home/packages/sha256-one');
    mkdirSync(packageDir, { mode: 0o755 });
    writeFileSync(join(packageDir, 'file'), 'of the package', { mode: 0o444 });
    const arrived: number[] = [];
    const servers: Server[] = [];
    const listeners: CellListeners = {
      ...noListeners,
      onTcp(port, server) {
        servers.push(server);
        server.on('connection', (socket) => {
          arrived.push(port);
          socket.end('sallyport');
        });
      },
    };
    const connect = `require('node:net').connect(443, '203.0.113.1').on('data', (data) => console.log(String(data)))`;
    const { stdout, stderr, exit } = await run(
      gateway,
      {
        command: ['/bin/sh', '-c', `cat /package/file; echo " $TOKEN $0"; node -e "$SCRIPT"`],
        args: ["it's"],
        env: { TOKEN: 'a placeholder', SCRIPT: connect },
        packageDir,
      },
      listeners,
    );
    expect(stderr).toBe('');
    expect(stdout).toBe("of the package a placeholder it's\nsallyport\n");
    expect(exit).toMatchObject({ code: 0, reason: 'it ended by itself' });
    expect(arrived).toEqual([443]);
    expect(servers).toHaveLength(2);
    expect(named('cell.ready')).toMatchObject([{ prepared: true }]);
  });

  it('was told nothing, has nothing of the gateway, and is recorded', async () => {
    await open();
    const bubblewrap = await waiting();
    // What this process itself was given from outside is replaced by empty sources of options.
    expect(bubblewrap.command.trim()).toMatch(
      /^\/usr\/bin\/bwrap --args 4( --args \d+)* -- \/usr\/bin\/sh \/sallyport\/start$/,
    );
    const sources = [...bubblewrap.command.matchAll(/--args (\d+)/g)].map((match) => Number(match[1]));
    expect(environmentOf(bubblewrap)).toBe('');
    // Of the launcher's, Node's own two for the channel that is closed by now.
    // One that is just ending cannot be asked.
    await vi.waitFor(() => {
      for (const one of running()) expect(environmentOf(one)).toMatch(/^((NODE_CHANNEL_\w+|PWD)=[\w/]+\0)*$/);
    }, PATIENT);
    const numbers = readdirSync(`/proc/${bubblewrap.pid}/fd`).map(Number);
    // Its three streams, what it reads, and where it reports; no channel to the gateway any more.
    expect(new Set(numbers)).toEqual(new Set([0, 1, 2, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, ...sources]));
    expect([readdirSync(aheadDir).length, readdirSync(recordsDir)]).toEqual([1, []]);
  });

  it('is one of its own: with a user, a network and a view of processes that no other cell has', async () => {
    const gateway = await open(2);
    const one = await gateway.launch(specOf({ command: ['sleep', '600'] }), noListeners);
    await prepared(2);
    const other = await gateway.launch(specOf({ command: ['sleep', '600'] }), noListeners);
    expect(named('cell.ready')).toMatchObject([{ prepared: true }, { prepared: true }]);
    await vi.waitFor(() => expect(sleeping()).toHaveLength(2), PATIENT);
    for (const kind of ['net', 'pid', 'mnt', 'user', 'ipc'])
      expect(new Set(sleeping().map(namespaceOf(kind))).size).toBe(2);
    if (isRoot) expect(new Set(sleeping().map(userOf)).size).toBe(2);
    await Promise.all([one.kill(), other.kill()]);
  });

  it('that was killed while it waited is replaced, and no start notices', async () => {
    const gateway = await open();
    const { pid } = await waiting();
    process.kill(pid, 'SIGKILL');
    await vi.waitFor(() => expect(hostProcesses().some((other) => other.pid === pid)).toBe(false), {
      ...PATIENT,
      interval: 1,
    });
    expect((await run(gateway, { command: ['echo', 'started'] })).stdout).toBe('started\n');
    await prepared(2);
    expect((await run(gateway, { command: ['echo', 'again'] })).stdout).toBe('again\n');
    expect(named('cell.ready').at(-1)).toMatchObject({ prepared: true });
  });

  it.each([
    ['other ports', { tcpPorts: [443, 80, 5432] }],
    ['a terminal', { terminal: true, command: ['true'] }],
  ])('is not used for a cell with %s', async (_what, spec) => {
    const gateway = await open();
    await run(gateway, spec);
    expect(named('cell.ready')).toMatchObject([{ prepared: false }]);
  });

  it.skipIf(!isRoot)('is not used for what was not shown to its launcher (waits for root)', async () => {
    const gateway = await open();
    const hidden = join(root, 'home2');
    mkdirSync(join(hidden, 'shared'), { recursive: true });
    chmodSync(hidden, 0o700);
    const files = [{ host: join(hidden, 'shared'), cell: '/data', write: false }];
    expect((await run(gateway, { command: ['ls', '-d', '/data'], files })).stdout).toBe('/data\n');
    expect(named('cell.ready')).toMatchObject([{ prepared: false }]);
  });

  it('leaves nothing when the gateway is closed: no process, record or descriptor', async () => {
    const count = (): number => readdirSync('/proc/self/fd').length;
    const once = async (): Promise<void> => {
      const gateway = await open(2);
      await run(gateway, {});
      await prepared(2);
      await gateway.close();
      events = [];
    };
    await once();
    expect(running()).toEqual([]);
    expect([recordsDir, aheadDir, pipesDir].flatMap((path) => readdirSync(path))).toEqual([]);
    const before = count();
    for (let round = 0; round < 3; round += 1) await once();
    expect(running()).toEqual([]);
    await vi.waitFor(() => expect(count()).toBeLessThanOrEqual(before), PATIENT);
  });

  it('that cannot be recorded is not kept, and starts go on', async () => {
    const gateway = await open();
    rmSync(aheadDir, { recursive: true });
    expect((await run(gateway, { command: ['echo', 'started'] })).stdout).toBe('started\n');
    await vi.waitFor(() => expect(named('cell.prepare_failed')).toHaveLength(3), PATIENT);
    expect((await run(gateway, { command: ['echo', 'again'] })).stdout).toBe('again\n');
    expect(named('cell.ready')).toMatchObject([{ prepared: true }, { prepared: false }]);
    await vi.waitFor(() => expect(running().filter((one) => !isHelper(one))).toEqual([]), PATIENT);
    mkdirSync(aheadDir);
  });

  it('is not made before a gateway says that it goes on', async () => {
    sandbox = await createSandbox({
      stateDir,
      preparedMax: 2,
      log,
      clock: systemClock,
      random: systemRandom,
    });
    await run(sandbox, {});
    await sandbox.close();
    sandbox.keepReady([[80, 443]]);
    expect(running()).toEqual([]);
    expect(named('cell.ready')).toMatchObject([{ prepared: false }]);
  });
});

describe.each(modes)('gateway as %s', (mode) => {
  it('a cell out of a prepared one runs', async () => {
    const [report] = await runCells(stage, mode, {
      prepared: 1,
      cells: [{ command: ['/bin/sh', '-c', 'id -un; pwd'] }],
    });
    expect(report?.stdout).toBe('cell\n/home/cell\n');
  });

  it('nothing of prepared cells is left when the gateway is killed, and a new one forgets them', async () => {
    const marker = `marker-${process.pid}-${mode}`;
    const gateway = spawnDriver(stage, mode, {
      hold: true,
      prepared: 3,
      cells: [{ command: ['/bin/sh', '-c', 'echo READY; sleep 600', marker] }],
    });
    await new Promise<void>((resolve) => {
      gateway.stdout?.on('data', (chunk: Buffer) =>
        chunk.toString().includes('HOLDING') ? resolve() : undefined,
      );
    });
    const records = (): number[] =>
      ['cells', 'prepared', 'pipes'].map((name) => readdirSync(join(stage.home(mode), 'run', name)).length);
    const before = descendants(gateway.pid ?? 0);
    expect(
      before.filter(({ command }) => command.startsWith('/usr/bin/bwrap --args')).length,
    ).toBeGreaterThanOrEqual(3);
    expect(records()).toEqual([
      1,
      expect.toSatisfy((count: number) => count >= 2),
      expect.toSatisfy((count: number) => count > 0),
    ]);
    gateway.kill('SIGKILL');
    expect(await survivors(before, marker)).toEqual([]);
    const next = await createSandbox({
      stateDir: join(stage.home(mode), 'run'),
      log: silentLog,
      clock: systemClock,
      random: systemRandom,
    });
    expect(await next.sweep()).toBe(1);
    expect(records()).toEqual([0, 0, 0]);
  });
});

const sleeping = (): readonly HostProcess[] => {
  const own = new Set(running().map(({ pid }) => pid));
  return hostProcesses().filter(({ pid, command }) => own.has(pid) && command.trim() === 'sleep 600');
};
const namespaceOf =
  (kind: string) =>
  ({ pid }: HostProcess): string =>
    readlinkSync(`/proc/${pid}/ns/${kind}`);
const userOf = ({ pid }: HostProcess): string =>
  /^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? '';
