/**
 * A tool call through the gateway against the same call on a direct pipe, one at a time, in one run: the echo server
 * directly, behind the front alone, in a real cell behind the whole gateway with its audit log on disk, and behind other
 * gateways from npm; and with all of governance at work: a hundred rules, masking, recordings with arguments. The callers take
 * turns, so that a busy moment of the machine hits all of them. The same once more with all of it on one processor: then
 * nobody waits until a processor is awake that slept, which on virtual machines is most of what is added. Then a server
 * elsewhere, and what is no plain call: a long list, a call that asks its client, a change that many hear of.
 *
 *     npm run bench -- calls [--calls 3000] [--table] [--flat] [--fleet]
 *
 * `--table`: the first table and no more; `--flat`: 100,000 calls on one connection; `--fleet`: 1,000 callers at 50 servers,
 * behind the front alone and in cells.
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
import { print, printLatencies, tableLine } from './support/measured.ts';
import { busy, otherRequests } from './support/other-requests.ts';
import { openPeers } from './support/peers.ts';
import { scheduledUs } from './support/processes.ts';
import { remoteCalls } from './support/remote-calls.ts';
import { stdioStarts } from './support/stdio-starts.ts';
import { tokenVerification } from './support/token-verification.ts';

const CALLS_PER_ROUND = 250;
/** Before these a program that serves for days would be measured as one that has just begun: V8 has not made machine code of it. */
const WARM_UP = 2_000;
const MB = 1e6;

const { values: flags } = parseArgs({
  options: {
    calls: { type: 'string', default: '3000' },
    table: { type: 'boolean', default: false },
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
  /** What serves it; without the server behind it. */
  readonly pid: number;
  readonly times: number[];
  /** Microseconds of the processor for a call, of each round. */
  readonly costs: number[];
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

async function latencies(gateway: GatewayAddress, gatewayPid: number): Promise<void> {
  const direct = spawn(process.execPath, [echoServer], { stdio: ['pipe', 'pipe', 'inherit'] });
  const bare = await start('bare-http.mjs');
  const front = await start('front-process.ts');
  const governed = await start('gateway-process.ts', [JSON.stringify([echo]), 'governed']);
  const peers = await openPeers(echoServer);
  const path = '/mcp/default/echo';
  const socket = connect(front.address.socket);
  const echoAt = '/stdio?profile=default&server=echo';
  const bridge = await stdioBridge(gateway.socket, echoAt);
  const governedBridge = await stdioBridge(governed.address.socket, echoAt);
  const { url: governedUrl, token: governedToken } = governed.address;
  const governedPid = governed.process.pid ?? 0;
  const [barePid, frontPid] = [bare.process.pid ?? 0, front.process.pid ?? 0];
  const callers: [string, Caller, number][] = [
    ['direct pipe', await lineCaller(direct.stdin, direct.stdout, () => direct.kill()), 0],
    ['bare HTTP server', await sessionCaller(bare.address.url, ''), barePid],
    ['front alone, socket', await lineCaller(socket, socket, () => socket.destroy()), frontPid],
    [
      'front alone, HTTP session',
      await sessionCaller(front.address.url + path, front.address.token),
      frontPid,
    ],
    ['gateway and cell, socket', await lineCaller(bridge, bridge, () => bridge.destroy()), gatewayPid],
    ['gateway and cell, HTTP session', await sessionCaller(gateway.url + path, gateway.token), gatewayPid],
    [
      'the same, at the profile',
      await sessionCaller(`${gateway.url}/mcp/default`, gateway.token, 'echo__echo'),
      gatewayPid,
    ],
    ['gateway and cell, HTTP stateless', statelessCaller(gateway.url + path, gateway.token), gatewayPid],
    [
      'governed, socket',
      await lineCaller(governedBridge, governedBridge, () => governedBridge.destroy()),
      governedPid,
    ],
    ['governed, HTTP session', await sessionCaller(governedUrl + path, governedToken), governedPid],
    ['governed, HTTP stateless', statelessCaller(governedUrl + path, governedToken), governedPid],
  ];
  const rows: Row[] = [];
  const add = async (name: string, caller: Caller, pid: number): Promise<void> => {
    const row = { name, caller, pid, times: [], costs: [] };
    rows.push(row);
    for (let call = 0; call < WARM_UP; call += 1) await timed(row);
  };
  for (const [name, caller, pid] of callers) await add(name, caller, pid);
  // These end a connection that nobody used for five seconds.
  for (const { name, url, pid } of peers)
    await add(`${name}, HTTP session`, await sessionCaller(url, ''), pid);
  for (let round = 0; round < rounds; round += 1) {
    for (const row of rows) await measured(row);
  }
  printLatencies('tool call, ms', rows);
  print(
    `${rounds * CALLS_PER_ROUND} calls each, one at a time. Budget: 0.25 ms added at p50 behind the gateway. Least µs: processor time\nfor a call, of the process that serves it, in the round where it was least. Governed: 100 rules, of which 10 are judged by the\narguments of the call, masking with every detector and by key, recordings with arguments, audit.`,
  );
  if (peers.length === 0) print('No mcp-proxy and no supergateway: scripts/setup-clients installs them.');
  for (const { caller } of rows) caller.close();
  await Promise.all([bare.close(), front.close(), governed.close(), ...peers.map((peer) => peer.close())]);
}

async function measured(row: Row): Promise<void> {
  const before = row.pid === 0 ? 0 : scheduledUs(row.pid);
  for (let call = 0; call < CALLS_PER_ROUND; call += 1) row.times.push(await timed(row));
  if (row.pid !== 0) row.costs.push((scheduledUs(row.pid) - before) / CALLS_PER_ROUND);
}

/** The same table of a run that has one processor for everything; nothing where that cannot be said. */
async function onOneProcessor(): Promise<void> {
  const words = ['-c', '0', process.execPath, ...process.execArgv, fileURLToPath(import.meta.url)];
  const again = spawn('taskset', [...words, '--table', '--calls', flags.calls], { stdio: 'inherit' });
  print('\nall on one processor');
  const ended = await once(again, 'exit').catch(() => null);
  if (ended === null) print('not tried: there is no taskset here (Debian: util-linux)');
}

async function flat({ address, process: gateway }: Started): Promise<void> {
  const path = '/mcp/default/echo';
  const overSocket = async (): Promise<Caller> => {
    const bridge = await stdioBridge(address.socket, '/stdio?profile=default&server=echo');
    return lineCaller(bridge, bridge, () => bridge.destroy());
  };
  // Each connects when its turn comes: the gateway ends connections that nobody uses for a while.
  const ways: [string, () => Promise<Caller> | Caller][] = [
    ['socket', overSocket],
    ['HTTP session', () => sessionCaller(address.url + path, address.token)],
    ['HTTP stateless', () => statelessCaller(address.url + path, address.token)],
  ];
  const columns = ['100,000 calls', 'first p50', 'last p50', 'last/first', 'MB half', 'MB end', 'end/half'];
  print(tableLine(columns, 12, 34));
  for (const [name, connect] of ways) {
    const caller = await connect();
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

const echo: BenchServer = { name: 'echo', script: echoServer, words: [], tools: ['echo'] };
const gateway = await start('gateway-process.ts', [JSON.stringify([echo, ...busy])]);
await latencies(gateway.address, gateway.process.pid ?? 0);
if (!flags.table) {
  await onOneProcessor();
  print();
  await remoteCalls(Number(flags.calls));
  print();
  await otherRequests(gateway.address);
  const { firstMs, againUs } = await tokenVerification();
  print(
    `\na token that was presented before: ${againUs.toFixed(1)} µs (budget 20); for the first time: ${firstMs.toFixed(1)} ms`,
  );
  const starts = await stdioStarts(dirname(gateway.address.socket));
  print(
    `sallyport stdio to its first answer, joining: ${starts.joinedMs.toFixed(0)} ms (budget 150), ${(starts.joinedMs / starts.bareMs).toFixed(2)} × a Node program that echoes (${starts.bareMs.toFixed(0)} ms)\n`,
  );
}
if (flags.flat) await flat(gateway);
await gateway.close();
if (flags.fleet) await fleet();
