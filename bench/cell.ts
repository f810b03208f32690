/**
 * What a cell costs: until a server in it answers its first line, against a bare bubblewrap that starts the same server, and
 * beside `@anthropic-ai/sandbox-runtime` where that is installed; what a start costs besides; how many start in a second; what
 * each takes in memory; and what 200 of them cost when nothing happens.
 *
 *     npm run bench -- cell [--rounds 30] [--live 200] [--idle 20] [--srt FOLDER]
 *
 * FOLDER: where `npm install --ignore-scripts @anthropic-ai/sandbox-runtime` was run; it needs the programs socat and rg.
 */
import { chmodSync, cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { idleCells, memoryOfCells, memoryOfGateway } from './support/cell-costs.ts';
import { bareBubblewrap, cells, sandboxRuntime, type Server, type Starter } from './support/cell-starters.ts';
import { median, print, tableLine } from './support/measured.ts';
import { commandInCell, packageCheck } from './support/start-costs.ts';

const COLD_MS_MAX = 45;
const PREPARED_MS_MAX = 5;
const AT_ONCE = [1, 2, 4];
const STARTS_PER_LANE = 8;
const INITIALIZE = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'bench', version: '1.0.0' },
  },
});

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '30' },
    live: { type: 'string', default: '200' },
    idle: { type: 'string', default: '20' },
    srt: { type: 'string', default: process.cwd() },
  },
});

const quantile = (numbers: readonly number[], q: number): number =>
  numbers.toSorted((one, other) => one - other)[Math.floor(numbers.length * q)] ?? Number.NaN;

/** Starts a server, asks it one thing, ends it. @returns milliseconds until its answer */
async function timed(starter: Starter, server: Server): Promise<number> {
  await starter.ready();
  const before = performance.now();
  const started = await starter.start(server);
  const { stdin, stdout } = started;
  stdin.on('error', () => {});
  stdin.write(`${INITIALIZE}\n`);
  const lines = createInterface({ input: stdout });
  const answered = await Promise.race([
    new Promise<boolean>((resolve) => lines.once('line', () => resolve(true))),
    new Promise<boolean>((resolve) => lines.once('close', () => resolve(false))),
  ]);
  const ms = performance.now() - before;
  await started.end();
  if (!answered) throw new Error(`${starter.name} did not start ${server.command.join(' ')}`);
  return ms;
}

async function starts(
  starters: readonly Starter[],
  name: string,
  server: Server,
  rounds: number,
): Promise<void> {
  const times = new Map<Starter, number[]>(starters.map((starter) => [starter, []]));
  for (const starter of starters) await timed(starter, server);
  // In turns, so that a busy moment of the machine hits all of them.
  for (let round = 0; round < rounds; round += 1) {
    for (const starter of starters) times.get(starter)?.push(await timed(starter, server));
  }
  const [bare] = starters.map((starter) => median(times.get(starter) ?? []));
  print(tableLine([name, 'p50', 'p95', 'more than bare', '× bare'], 15));
  for (const [{ name: starter }, all] of times) {
    const p50 = median(all);
    const added = p50 - (bare ?? p50);
    const figures = [p50, quantile(all, 0.95), added].map((value) => `${value.toFixed(1)} ms`);
    print(tableLine([starter, ...figures, (p50 / (bare ?? p50)).toFixed(2)], 15));
  }
  print();
}

/** Each lane starts one after the other. */
async function perSecond(starter: Starter, server: Server, lanes: number): Promise<number> {
  const began = performance.now();
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      for (let start = 0; start < STARTS_PER_LANE; start += 1) await timed(starter, server);
    }),
  );
  return (lanes * STARTS_PER_LANE * 1_000) / (performance.now() - began);
}

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'sallyport-bench-')));
chmodSync(folder, 0o755);
mkdirSync(join(folder, 'home'), { mode: 0o700 });
const packageDir = join(folder, 'package');
mkdirSync(packageDir, { mode: 0o755 });
cpSync(new URL('support/echo-server.mjs', import.meta.url), join(packageDir, 'echo-server.mjs'));
chmodSync(join(packageDir, 'echo-server.mjs'), 0o644);

const shell: Server = { command: ['sh', '-c', 'read line; echo "$line"; read line'], folder: packageDir };
const node: Server = { command: ['node', '/package/echo-server.mjs'], folder: packageDir };

const stateDir = (name: string): string => join(folder, 'home', name);
const bare = bareBubblewrap();
const cold = await cells(stateDir('cold'), 0);
const prepared = await cells(stateDir('prepared'), 2);
const rival = await sandboxRuntime(flags.srt).catch((error: unknown) => {
  print(`sandbox-runtime does not work here: ${String(error)}`);
  return null;
});
const starters = [bare, cold, prepared, ...(rival === null ? [] : [rival])];
// A gateway lives by what it listens on; what makes its cells ahead would not keep a process alive.
const awake = setInterval(() => undefined, 1_000);
try {
  const rounds = Number(flags.rounds);
  await starts(starters, 'first answer of sh', shell, rounds);
  await starts(starters, 'first answer of Node', node, rounds);
  if (rival === null) print('sandbox-runtime: none, see --srt');
  print(
    `Budgets: a cold cell at most ${COLD_MS_MAX} ms more than bare bwrap, a prepared one ${PREPARED_MS_MAX} ms.`,
  );
  print();

  await packageCheck(folder, rounds);
  await commandInCell(folder, rounds);
  print();

  print(tableLine(['starts of sh per second', ...AT_ONCE.map((lanes) => `${lanes} at once`)], 12, 28));
  for (const starter of [bare, cold]) {
    const all: string[] = [];
    for (const lanes of AT_ONCE) all.push((await perSecond(starter, shell, lanes)).toFixed(1));
    print(tableLine([starter.name, ...all], 12, 28));
  }
  print();
  await prepared.close();
  await memoryOfCells(stateDir('memory'), packageDir);
  await idleCells(stateDir('idle'), packageDir, Number(flags.live), Number(flags.idle));
  await memoryOfGateway(folder);
} finally {
  clearInterval(awake);
  for (const starter of starters) await starter.close();
  rmSync(folder, { recursive: true, force: true });
}
