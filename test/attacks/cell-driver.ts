/**
 * A gateway as small as can be: starts the cells it is told to, answers what arrives on their listeners with "sallyport",
 * and reports as one line of JSON. A program of its own, so that tests can run it as another user, and kill it.
 *
 * Arguments: home folder, JSON of `DriverInput`.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { type Log, newId, silentLog, systemClock, systemRandom } from '../../src/kernel/index.ts';
import { type Cell, createSandbox, type CellSpec } from '../../src/sandbox/index.ts';
import type { CellReport, DriverInput, DriverReport } from './cell-harness.ts';

const [home = '', json = ''] = process.argv.slice(2);
const input = JSON.parse(json) as DriverInput;
const preparedMax = input.prepared ?? 0;
const { promise: allPrepared, resolve: onAllPrepared } = Promise.withResolvers<void>();
const prepared = new Set<unknown>();
const log: Log = {
  ...silentLog,
  info(event, fields) {
    if (event === 'cell.ready' && fields?.['prepared'] === true) prepared.add(fields['cell']);
  },
  debug(event, fields) {
    if (event === 'cell.prepared' && fields?.['ready'] === preparedMax) onAllPrepared();
  },
};
const sandbox = await createSandbox({
  stateDir: join(home, 'run'),
  preparedMax,
  log,
  clock: systemClock,
  random: systemRandom,
});

interface Started {
  readonly cell: Cell;
  readonly report: Promise<CellReport>;
  /** Resolves at the program's line READY, or at its end. */
  readonly ready: Promise<unknown>;
}

async function start(wanted: DriverInput['cells'][number]): Promise<Started> {
  const arrived: string[] = [];
  const spec: CellSpec = {
    id: newId<'cell'>('cell', systemRandom),
    label: 'attack',
    args: [],
    env: {},
    tcpPorts: [443, 80],
    caPem: '',
    files: [],
    limits: {},
    ...wanted,
  };
  const cell = await sandbox.launch(spec, {
    onTcp(port, server) {
      server.on('connection', (socket) => {
        arrived.push(`tcp ${port} ${socket.localAddress}`);
        socket.on('error', () => undefined).end('sallyport');
      });
    },
    onDnsUdp(socket) {
      socket.on('message', (query, from) => {
        arrived.push(`dns ${query.toString('latin1')}`);
        socket.send('sallyport', from.port, from.address);
      });
    },
    onDnsTcp(server) {
      server.on('connection', (socket) => socket.destroy());
      const [program, ...args] = input.meanwhile ?? [];
      if (program !== undefined) execFileSync(program, args);
    },
  });
  let stdout = '';
  let stderr = '';
  const ready = new Promise<void>((resolve) => {
    cell.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      if (stdout.includes('READY\n')) resolve();
    });
    void cell.exited.then(() => resolve());
  });
  cell.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = new Promise((resolve) => cell.stdout.once('end', resolve));
  const wasPrepared = prepared.has(cell.id);
  const report = Promise.all([cell.exited, ended]).then(([exit]) => ({
    exit,
    stdout,
    stderr,
    arrived,
    wasPrepared,
  }));
  cell.stdin.on('error', () => undefined);
  return { cell, report, ready };
}

/** Resolves at the first line of a cell that this is true of, or at its end. */
function line(cell: Cell, test: (text: string) => boolean): Promise<void> {
  return new Promise((resolve) => {
    let rest = '';
    const look = (text: string): void => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      if (!lines.some(test)) return;
      cell.stdout.off('data', look);
      resolve();
    };
    cell.stdout.on('data', look);
    void cell.exited.then(() => resolve());
  });
}

/** While the last cell holds what it took, each of the others does a round of work; then it is let go. */
async function workMeanwhile(others: readonly Cell[], last: Cell): Promise<void> {
  await line(last, (text) => text === 'HELD');
  for (const other of others) {
    const done = line(other, (text) => text.startsWith('{'));
    other.stdin.write('go\n');
    await done;
  }
  last.stdin.end('go\n');
}

if (preparedMax > 0) {
  // Of other shapes, so that there is more than one at once.
  sandbox.keepReady(
    Array.from({ length: preparedMax }, (_, more) => [443, 80, ...(more === 0 ? [] : [8000 + more])]),
  );
  // A gateway has listeners that keep it going while it waits.
  const going = setInterval(() => undefined, 1_000);
  await allPrepared;
  clearInterval(going);
}
const started: Started[] = [];
// For tests that kill this program while it starts cells, or while they run.
if (input.hold === true) process.stdout.write('LAUNCHING\n');
for (const [index, wanted] of input.cells.entries()) {
  const next = await start(wanted);
  started.push(next);
  const others = started.slice(0, -1).map(({ cell }) => cell);
  if (input.held === true && index === input.cells.length - 1) await workMeanwhile(others, next.cell);
  else await next.ready;
}
if (input.hold === true) process.stdout.write('HOLDING\n');
await started.at(-1)?.report;
await Promise.all(started.slice(0, -1).map(({ cell }) => cell.kill()));
const report: DriverReport = { cells: await Promise.all(started.map((one) => one.report)) };
await sandbox.close();
// A pipe takes what fits; the end must not come before the rest.
process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(0));
