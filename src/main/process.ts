/** What a command gets from the process: streams, the running gateway or one of its own, files. */
import { readFile } from 'node:fs/promises';
import { Duplex, Writable } from 'node:stream';
import { createClient } from '../api/index.ts';
import type { CliHost, Connection, RunOptions } from '../cli/index.ts';
import { AppError, type Log, silentLog, systemClock } from '../kernel/index.ts';
import { type Config, type Environment, homeFiles, homeOf, loadConfig, parseListen } from './config.ts';
import { diagnose } from './doctor.ts';
import { createGateway, type Gateway } from './gateway.ts';
import { lockGateway } from './gateway-lock.ts';
import { initHome } from './init.ts';
import { lintReports } from './lint.ts';
import { type Door, openLocalDoor, openProxyDoor, openTcpDoor } from './listeners.ts';
import { createLog } from './log.ts';
import { joinGateway, type StdioOptions } from './stdio-join.ts';
import { stopSignal } from './stop-signal.ts';
import { isListening, joinError, socketTransport } from './transport.ts';
import { VERSION } from './version.ts';

export function processHost(env: Environment): CliHost {
  const home = homeOf(env);
  const files = homeFiles(home);
  return {
    version: VERSION,
    home,
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    onInterrupt(listener) {
      process.once('SIGINT', listener);
      return () => process.removeListener('SIGINT', listener);
    },
    init: () => initHome(loadConfig(env)),
    connect: () => connect(env, files.socket),
    serve: ({ listen, onListening }) => serve(withListen(loadConfig(env), listen), files, onListening),
    stdio: (options) => stdio(env, files.socket, options),
    run: (options) => runCommand(env, options),
    async demo(quiet) {
      // Its MCP client is a fifth of what starting a command takes, and only the demo needs it.
      const { runDemo } = await import('./demo/demo.ts');
      return runDemo(quiet ? new Writable({ write: (_, __, done) => done() }) : process.stdout, env);
    },
    doctor: () => diagnose(env),
    lint: lintReports,
    async readFile(path) {
      try {
        return await readFile(path, 'utf8');
      } catch (error) {
        throw new AppError('file_unreadable', `${path} cannot be read.`, { kind: 'invalid', cause: error });
      }
    },
    reportUnexpected: (error) =>
      createLog('error').error('cli.unexpected', {
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      }),
  };
}

const withListen = (config: Config, listen: string | undefined): Config =>
  listen === undefined ? config : { ...config, listen: parseListen(listen) };

async function connect(env: Environment, socket: string): Promise<Connection> {
  if (await isListening(socket))
    return { client: createClient(socketTransport(socket)), running: true, close: async () => undefined };
  const gateway = await createGateway(loadConfig(env), silentLog);
  return {
    client: createClient(async (request) => gateway.api.fetch(request)),
    running: false,
    close: () => gateway.close(),
  };
}

async function serve(
  config: Config,
  files: ReturnType<typeof homeFiles>,
  onListening: (url: string) => void,
): Promise<void> {
  const log = createLog(config.log);
  const stop = stopSignal(systemClock);
  const gateway = await createGateway(config, log, { auditWriter: 'journal' });
  const doors: Door[] = [];
  let unlock: (() => void) | null = null;
  try {
    unlock = lockGateway(files.gatewayLock);
    await gateway.record('gateway.started', { version: VERSION, pid: process.pid });
    // Before anybody waits for it; absent where Node was not started with bin/flags.mjs.
    await globalThis.gc?.({ type: 'major', execution: 'async', flavor: 'last-resort' });
    let reason = 'it could not listen';
    try {
      doors.push(await openLocalDoor(gateway, files.socket));
      if (config.proxyListen !== null) {
        const proxy = await openProxyDoor(gateway, config.proxyListen);
        doors.push(proxy);
        log.info('proxy.listening', { address: proxy.address });
      }
      const tcp = await openTcpDoor(gateway, config.listen);
      doors.push(tcp);
      gateway.listeningAt(tcp.address);
      log.info('gateway.listening', { url: tcp.address, socket: files.socket });
      onListening(tcp.address);
      reason = await stop.received;
      log.info('gateway.stopping', { signal: reason });
    } finally {
      await gateway.record('gateway.stopped', { reason });
    }
  } finally {
    await Promise.all(doors.map((door) => door.close()));
    await gateway.close();
    unlock?.();
    stop.forget();
  }
}

/** With a gateway of its own: who else serves this home does not matter, and what it logs would stand amid the output. */
async function runCommand(env: Environment, options: RunOptions): Promise<number> {
  const { stdin, stdout, stderr } = process;
  const terminal = stdin.isTTY && stdout.isTTY && stderr.isTTY;
  // A reader that goes away ends the command's output, not this process.
  stdout.removeAllListeners('error').on('error', () => undefined);
  const config = loadConfig(env);
  const log: Log = createLog(config.log === 'info' || config.log === 'warn' ? 'error' : config.log);
  const gateway = await createGateway(config, log, { auditWriter: 'journal' });
  try {
    return await gateway.run({
      ...options,
      folder: process.cwd(),
      terminal,
      streams: { stdin, stdout, stderr },
      environment: env,
    });
  } finally {
    await gateway.close();
  }
}

/** Joins the running gateway, or runs one for this client alone. Nothing but protocol goes to stdout. */
async function stdio(env: Environment, socketPath: string, options: StdioOptions): Promise<void> {
  // A client that no longer reads is gone; what is open here is then closed in order.
  const { promise: unread, resolve } = Promise.withResolvers<void>();
  process.stdout.removeAllListeners('error').on('error', () => resolve());
  const { stdin: input, stdout: output } = process;
  const outcome = await joinGateway(socketPath, options, { input, output, unread });
  if (outcome.kind === 'absent') await ownGateway(env, options, unread);
  else if (outcome.kind !== 'done') throw joinError(outcome);
}

async function ownGateway(env: Environment, options: StdioOptions, unread: Promise<void>): Promise<void> {
  const config = loadConfig(env);
  const log: Log = createLog(config.log === 'info' ? 'warn' : config.log);
  const stop = stopSignal(systemClock);
  const gateway: Gateway = await createGateway(config, log, { auditWriter: 'journal' });
  try {
    const client = Duplex.from({ readable: process.stdin, writable: process.stdout });
    const session = gateway.front.connectStdio(client, gateway.operator, { ...options });
    await Promise.race([session.closed, stop.received, unread]);
  } finally {
    await gateway.close();
    stop.forget();
  }
}
