/**
 * A tool call through the gateway against the same call on a direct pipe, one at a time, in one run: the echo server
 * directly, behind the front alone, in a real cell behind the whole gateway with its audit log on disk, and behind other
 * gateways from npm. The callers take turns, so that a busy moment of the machine hits all of them.
 *
 *     npm run bench -- calls [--calls 3000] [--flat] [--fleet]
 *
 * `--flat`: 100,000 calls on one connection; `--fleet`: 1,000 callers at 50 servers, behind the front alone and in cells.
 */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { serveFlags } from '../bin/flags.mjs';
import { type Caller, lineCaller, sessionCaller, statelessCaller, stdioBridge } from './support/callers.ts';
import { flatness } from './support/flatness.ts';
import { nameOf, runFleet, SERVERS } from './support/fleet.ts';
import type { BenchServer, GatewayAddress } from './support/gateway-process.ts';
import { print, quantile, tableLine } from './support/measured.ts';
import { openPeers } from './support/peers.ts';
import { stdioStarts } from './support/stdio-starts.ts';
import { tokenVerification } from './support/token-verification.ts';

const CALLS_PER_ROUND = 250;
const WARM_UP = 300;
const MB = 1e6;

const { values: flags } = parseArgs({
  options: {
    calls: { type: 'string', default: '3000' },
    flat: { type: 'boolean', default: false },
    fleet: { type: 'boolean', default: false },
  },
});
const rounds = Math.ceil(Number(flags.calls) / CALLS_PER_ROUND);
const echoServer = fileURLToPath(new URL('./support/echo-server.mjs', import.meta.url));

interface Started {
  readonly process: ChildProcess;
  readonly address: GatewayAddress;
  close(): Promise<void>;
}

async function start(file: string, words: readonly string[] = []): Promise<Started> {
  const child = fork(fileURLToPath(new URL(`./support/${file}`, import.meta.url)), [...words], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    execArgv: [...serveFlags],
  });
  const ended = once(child, 'exit');
  const failed = ended.then(() => {
    throw new Error(`${file} ended before it was ready`);
  });
  failed.catch(() => undefined);
  const [address] = (await Promise.race([once(child, 'message'), failed])) as [GatewayAddress];
  return {
    process: child,
    address,
    async close() {
      child.disconnect();
      await ended;
    },
  };
}

interface Row {
  readonly name: string;
  readonly caller: Caller;
  readonly times: number[];
}

let id = 0;
async function timed(row: Row): Promise<number> {
  id += 1;
  const before = performance.now();
  const answer = await row.caller.call(id);
  const ms = performance.now() - before;
  if (!answer.includes(`hello ${id}`)) throw new Error(`${row.name} answered ${answer}`);
  return ms;
}

async function latencies(gateway: GatewayAddress): Promise<void> {
  const direct = spawn(process.execPath, [echoServer], { stdio: ['pipe', 'pipe', 'inherit'] });
  const bare = await start('bare-http.mjs');
  const front = await start('front-process.ts');
  const peers = await openPeers(echoServer);
  const path = '/mcp/default/echo';
  const socket = connect(front.address.socket);
  const bridge = await stdioBridge(gateway.socket, '/stdio?profile=default&server=echo');
  const callers: [string, Caller][] = [
    ['direct pipe', await lineCaller(direct.stdin, direct.stdout, () => direct.kill())],
    ['bare HTTP server', await sessionCaller(bare.address.url, '')],
    ['front alone, socket', await lineCaller(socket, socket, () => socket.destroy())],
    ['front alone, HTTP session', await sessionCaller(front.address.url + path, front.address.token)],
    ['gateway and cell, socket', await lineCaller(bridge, bridge, () => bridge.destroy())],
    ['gateway and cell, HTTP session', await sessionCaller(gateway.url + path, gateway.token)],
    [
      'the same, at the profile',
      await sessionCaller(`${gateway.url}/mcp/default`, gateway.token, 'echo__echo'),
    ],
    ['gateway and cell, HTTP stateless', statelessCaller(gateway.url + path, gateway.token)],
  ];
  for (const { name, url } of peers) callers.push([`${name}, HTTP session`, await sessionCaller(url, '')]);
  const rows = callers.map(([name, caller]): Row => ({ name, caller, times: [] }));
  for (const row of rows) for (let call = 0; call < WARM_UP; call += 1) await timed(row);
  for (let round = 0; round < rounds; round += 1) {
    for (const row of rows)
      for (let call = 0; call < CALLS_PER_ROUND; call += 1) row.times.push(await timed(row));
  }
  printLatencies(rows);
  if (peers.length === 0) print('No mcp-proxy and no supergateway: scripts/setup-clients installs them.');
  for (const { caller } of rows) caller.close();
  await Promise.all([bare.close(), front.close(), ...peers.map((peer) => peer.close())]);
}

function printLatencies(rows: readonly Row[]): void {
  const sorted = rows.map(({ times }) => times.toSorted((a, b) => a - b));
  const base = quantile(sorted[0] ?? [], 0.5);
  print(tableLine(['tool call, ms', 'p50', 'p99', 'added p50', '× direct'], 12, 34));
  for (const [index, { name }] of rows.entries()) {
    const times = sorted[index] ?? [];
    const p50 = quantile(times, 0.5);
    const cells = [p50, quantile(times, 0.99), p50 - base, p50 / base].map((value) => value.toFixed(3));
    print(tableLine([name, ...cells], 12, 34));
  }
  print(
    `${rounds * CALLS_PER_ROUND} calls each, one at a time. Budget: 0.25 ms added at p50 behind the gateway.`,
  );
}

async function flat({ address, process: gateway }: Started): Promise<void> {
  const path = '/mcp/default/echo';
  const bridge = await stdioBridge(address.socket, '/stdio?profile=default&server=echo');
  const callers: [string, Caller][] = [
    ['socket', await lineCaller(bridge, bridge, () => bridge.destroy())],
    ['HTTP session', await sessionCaller(address.url + path, address.token)],
    ['HTTP stateless', statelessCaller(address.url + path, address.token)],
  ];
  const columns = ['100,000 calls', 'first p50', 'last p50', 'last/first', 'MB half', 'MB end', 'end/half'];
  print(tableLine(columns, 12, 34));
  for (const [name, caller] of callers) {
    for (let call = 0; call < WARM_UP; call += 1) await caller.call(call);
    const { firstMs, lastMs, halfBytes, endBytes } = await flatness(caller, gateway);
    const cells = [firstMs, lastMs, lastMs / firstMs, halfBytes / MB, endBytes / MB, endBytes / halfBytes];
    print(tableLine([`gateway and cell, ${name}`, ...cells.map((cell) => cell.toFixed(3))], 12, 34));
    caller.close();
  }
  print(
    'Budget: the last 10,000 within 10 % of the first; heap and external memory in the second half within 1 %.',
  );
}

async function fleet(): Promise<void> {
  const script = echoServer;
  const servers = Array.from({ length: SERVERS }, (_, index): BenchServer => {
    return { name: nameOf(index), script, words: [], tools: ['echo'] };
  });
  const columns = ['1,000 callers, 50 servers', 'calls', 'failed', 'p50', 'p99', 'calls/s', 'MB'];
  print(tableLine(columns, 12, 34));
  const worlds: [string, string, string][] = [
    ['front alone', 'front-process.ts', String(SERVERS)],
    ['gateway and cells', 'gateway-process.ts', JSON.stringify(servers)],
  ];
  for (const [name, file, words] of worlds) {
    const world = await start(file, [words]);
    const { url, token } = world.address;
    const result = await runFleet(url, token, world.process.pid ?? 0);
    const numbers = [result.p50Ms, result.p99Ms, result.perSecond, result.rssBytes / MB];
    const cells = [String(result.calls), String(result.failed), ...numbers.map((cell) => cell.toFixed(1))];
    print(tableLine([name, ...cells], 12, 34));
    await world.close();
  }
}

const gateway = await start('gateway-process.ts');
await latencies(gateway.address);
const { firstMs, againUs } = await tokenVerification();
print(
  `\na token that was presented before: ${againUs.toFixed(1)} µs (budget 20); for the first time: ${firstMs.toFixed(1)} ms`,
);
const starts = await stdioStarts(dirname(gateway.address.socket));
print(
  `sallyport stdio to its first answer, joining: ${starts.joinedMs.toFixed(0)} ms (budget 150), ${(starts.joinedMs / starts.bareMs).toFixed(2)} × a Node program that echoes (${starts.bareMs.toFixed(0)} ms)\n`,
);
if (flags.flat) await flat(gateway);
await gateway.close();
if (flags.fleet) await fleet();
