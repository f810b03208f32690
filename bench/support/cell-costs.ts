/** What cells take while they are there: memory of their processes and of the gateway, and time when nothing happens. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Log, silentLog, systemClock, systemRandom } from '../../src/kernel/index.ts';
import { createSandbox, type Sandbox } from '../../src/sandbox/index.ts';
import { type Server, startCell, type Started } from './cell-starters.ts';
import { print, tableLine } from './measured.ts';
import { childrenOf, processorTime } from './processes.ts';

const MB = 1e6;
const CELLS = 50;
const PREPARED = 16;
const SERVER = 'sleep';
const CELL_MB_MAX = 3;
const GATEWAY_MB_MAX = 110;
/** How long a gateway is left alone before it is looked at. */
const SETTLE_MS = 3_000;

interface Process {
  readonly pid: number;
  readonly name: string;
}

const nameOf = (pid: number): string => readFileSync(`/proc/${pid}/comm`, 'latin1').trim();

function descendants(pid: number): readonly Process[] {
  try {
    return childrenOf(pid).flatMap((child) => [{ pid: child, name: nameOf(child) }, ...descendants(child)]);
  } catch {
    return []; // It has just ended.
  }
}

/** A process's share of memory: what it has alone, and its part of what it has in common with others. */
function shareOf({ pid }: Process): number {
  try {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1');
    return Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? 0) * 1024;
  } catch {
    return 0; // It has ended: in a prepared cell nobody takes notice of that yet.
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);
const residentOf = (pid: number | 'self'): number =>
  Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0) * 1024;
const descriptorsOf = (): number => readdirSync('/proc/self/fd').length;

const sleeping = (folder: string): Server => ({ command: [SERVER, '1000000'], folder });

async function open(
  stateDir: string,
  preparedMax: number,
  onPrepared: (ready: number) => void,
): Promise<Sandbox> {
  const log: Log = {
    ...silentLog,
    debug: (event, fields) => {
      if (event === 'cell.prepared') onPrepared(Number(fields?.['ready']));
    },
  };
  return createSandbox({ stateDir, preparedMax, log, clock: systemClock, random: systemRandom });
}

async function startMany(sandbox: Sandbox, folder: string, count: number): Promise<readonly Started[]> {
  const started: Started[] = [];
  while (started.length < count) {
    const batch = Array.from({ length: Math.min(2, count - started.length) }, () =>
      startCell(sandbox, sleeping(folder)),
    );
    started.push(...(await Promise.all(batch)));
  }
  return started;
}

/** Prints what one cell takes, without its server: its own processes', and what this process, as its gateway, grew by. */
export async function memoryOfCells(stateDir: string, folder: string): Promise<void> {
  const { promise: allPrepared, resolve } = Promise.withResolvers<void>();
  const sandbox = await open(stateDir, PREPARED, (ready) => (ready >= PREPARED ? resolve() : undefined));
  const warm = await startMany(sandbox, folder, 2);
  for (const cell of warm) await cell.end();
  const before = residentOf('self');
  const started = await startMany(sandbox, folder, CELLS);
  await sleep(SETTLE_MS / 3);
  const own = descendants(process.pid).filter(({ name }) => name !== SERVER);
  const processes = sum(own.map(shareOf)) / CELLS / MB;
  const gateway = (residentOf('self') - before) / CELLS / MB;
  for (const cell of started) await cell.end();
  // As many as were wanted lately are kept.
  sandbox.keepReady([[443, 80]]);
  for (const cell of await startMany(sandbox, folder, PREPARED)) await cell.end();
  await allPrepared;
  await sleep(SETTLE_MS / 3);
  const waiting = sum(descendants(process.pid).map(shareOf)) / PREPARED / MB;
  await sandbox.close();
  print(tableLine([`memory of a cell, of ${CELLS}`, 'MB'], 12, 44));
  print(tableLine(['its processes without the server', processes.toFixed(2)], 12, 44));
  print(tableLine(['what the gateway grew by', gateway.toFixed(2)], 12, 44));
  print(tableLine([`together (budget ${CELL_MB_MAX})`, (processes + gateway).toFixed(2)], 12, 44));
  print(tableLine([`a prepared one, of ${PREPARED}`, waiting.toFixed(2)], 12, 44));
  print();
}

/** Prints what cells cost that do nothing. */
export async function idleCells(
  stateDir: string,
  folder: string,
  count: number,
  seconds: number,
): Promise<void> {
  const sandbox = await open(stateDir, 0, () => {});
  const before = { resident: residentOf('self'), descriptors: descriptorsOf() };
  const began = performance.now();
  const started = await startMany(sandbox, folder, count);
  const took = (performance.now() - began) / 1_000;
  await sleep(SETTLE_MS);
  const all = descendants(process.pid);
  const timeOf = (): number =>
    sum([process.pid, ...all.map(({ pid }) => pid)].map((pid) => processorTime(pid).own));
  const [time, at] = [timeOf(), performance.now()];
  await sleep(seconds * 1_000);
  const idle = (timeOf() - time) / (performance.now() - at);
  print(tableLine([`${count} live cells, idle for ${seconds} s`, ''], 12, 44));
  print(tableLine(['processor time of gateway and cells', `${idle.toFixed(2)} ms/s`], 12, 44));
  print(tableLine(['processes', String(all.length)], 12, 44));
  print(tableLine(['descriptors of the gateway', String(descriptorsOf() - before.descriptors)], 12, 44));
  print(
    tableLine(
      ['memory of gateway', `+${((residentOf('self') - before.resident) / MB).toFixed(0)} MB`],
      12,
      44,
    ),
  );
  print(
    tableLine(['memory of cells, servers included', `${(sum(all.map(shareOf)) / MB).toFixed(0)} MB`], 12, 44),
  );
  print(tableLine(['started in', `${took.toFixed(1)} s`], 12, 44));
  const ending = performance.now();
  await Promise.all(started.map((cell) => cell.end()));
  print(tableLine(['ended in', `${((performance.now() - ending) / 1_000).toFixed(1)} s`], 12, 44));
  print();
  await sandbox.close();
}

/** Prints what a whole gateway takes that nobody uses: the built one, as it is installed. */
export async function memoryOfGateway(folder: string): Promise<void> {
  const program = fileURLToPath(new URL('../../bin/sallyport.mjs', import.meta.url));
  const home = join(folder, 'gateway');
  mkdirSync(home, { mode: 0o700 });
  const env = { ...process.env, SALLYPORT_HOME: home, SALLYPORT_LISTEN: '127.0.0.1:0' };
  const [what, width] = [`an idle gateway (budget ${GATEWAY_MB_MAX})`, 44];
  if (spawnSync(process.execPath, [program, 'init'], { env, stdio: 'ignore' }).status !== 0) {
    print(tableLine([what, 'not built: scripts/setup'], 12, width));
    return;
  }
  const gateway = spawn(process.execPath, [program, 'serve'], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  const exit = once(gateway, 'exit');
  // What it says goes on to come: it must not wait for a reader.
  await Promise.race([once(gateway.stderr.resume(), 'data'), exit]);
  await sleep(SETTLE_MS);
  if (gateway.exitCode !== null) throw new Error(`the gateway ended with ${gateway.exitCode}`);
  print(tableLine([what, `${(residentOf(gateway.pid ?? 0) / MB).toFixed(0)} MB`], 12, width));
  gateway.kill('SIGTERM');
  await exit;
}
