/**
 * A tool call through the gateway against the same call on a direct pipe, one at a time, in one run: the echo server
 * directly, behind the front alone, and in a real cell behind the whole gateway with its audit log on disk. The
 * callers take turns, so that a busy moment of the machine hits all of them.
 */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { type Caller, lineCaller, sessionCaller, statelessCaller, stdioBridge } from './support/callers.ts';
import type { GatewayAddress } from './support/gateway-process.ts';
import { quantile } from './support/measured.ts';

const ROUNDS = 12;
const CALLS_PER_ROUND = 250;
const WARM_UP = 300;

interface Row {
  readonly name: string;
  readonly caller: Caller;
  readonly times: number[];
}

async function start(file: URL): Promise<{ process: ChildProcess; address: GatewayAddress }> {
  const child = fork(file, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const told = once(child, 'message');
  const ended = once(child, 'exit').then(() => {
    throw new Error(`${file.pathname} ended before it was ready`);
  });
  const [address] = (await Promise.race([told, ended])) as [GatewayAddress];
  ended.catch(() => undefined);
  return { process: child, address };
}

const echoServer = fileURLToPath(new URL('./support/echo-server.mjs', import.meta.url));
const direct = spawn(process.execPath, [echoServer], { stdio: ['pipe', 'pipe', 'inherit'] });
const front = await start(new URL('./support/front-process.ts', import.meta.url));
const gateway = await start(new URL('./support/gateway-process.ts', import.meta.url));
const frontSocket = connect(front.address.socket);
const bridge = await stdioBridge(gateway.address.socket, '/stdio?profile=default&server=echo');

const path = '/mcp/default/echo';
const callers: [string, Caller][] = [
  ['direct pipe', await lineCaller(direct.stdin, direct.stdout, () => direct.kill())],
  ['front alone, socket', await lineCaller(frontSocket, frontSocket, () => frontSocket.destroy())],
  ['front alone, HTTP session', await sessionCaller(front.address.url + path, front.address.token)],
  ['gateway and cell, socket', await lineCaller(bridge, bridge, () => bridge.destroy())],
  ['gateway and cell, HTTP session', await sessionCaller(gateway.address.url + path, gateway.address.token)],
  ['gateway and cell, HTTP stateless', statelessCaller(gateway.address.url + path, gateway.address.token)],
];
const rows: Row[] = callers.map(([name, caller]) => ({ name, caller, times: [] }));

let id = 0;
async function timed(row: Row): Promise<number> {
  id += 1;
  const before = performance.now();
  const answer = await row.caller.call(id);
  const ms = performance.now() - before;
  if (!answer.includes(`hello ${id}`)) throw new Error(`${row.name} answered ${answer}`);
  return ms;
}

for (const row of rows) for (let call = 0; call < WARM_UP; call += 1) await timed(row);
for (let round = 0; round < ROUNDS; round += 1) {
  for (const row of rows)
    for (let call = 0; call < CALLS_PER_ROUND; call += 1) row.times.push(await timed(row));
}

const [base] = rows.map((row) =>
  quantile(
    row.times.toSorted((a, b) => a - b),
    0.5,
  ),
);
const line = (cells: readonly string[]): string =>
  `${(cells[0] ?? '').padEnd(34)}${cells
    .slice(1)
    .map((cell) => cell.padStart(12))
    .join('')}\n`;
process.stdout.write(line(['tool call, ms', 'p50', 'p99', 'added p50', '× direct']));
for (const row of rows) {
  const sorted = row.times.toSorted((a, b) => a - b);
  const p50 = quantile(sorted, 0.5);
  const added = p50 - (base ?? 0);
  const cells = [p50, quantile(sorted, 0.99), added, p50 / (base ?? p50)].map((value) => value.toFixed(3));
  process.stdout.write(line([row.name, ...cells]));
}
process.stdout.write(
  `${ROUNDS * CALLS_PER_ROUND} calls each, one at a time. Budget: 0.25 ms added at p50 behind the gateway.\n`,
);

for (const { caller } of rows) caller.close();
const ends = [front, gateway].map(({ process: child }) => once(child, 'exit'));
for (const { process: child } of [front, gateway]) child.disconnect();
await Promise.all(ends);
