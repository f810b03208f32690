/** A gateway in this process: one that serves, or one for a single client or command. Everything of the product is loaded with it. */
import { Duplex } from 'node:stream';
import { createClient } from '../api/client.ts';
import type { Connection, RunOptions, ServeOptions } from '../cli/index.ts';
import { type Log, silentLog, systemClock } from '../kernel/index.ts';
import { type Config, type Environment, homeFiles, loadConfig, parseListen } from './config.ts';
import { createGateway } from './gateway.ts';
import { lockGateway } from './gateway-lock.ts';
import { type Door, openLocalDoor, openMetricsDoor, openProxyDoor, openTcpDoor } from './listeners.ts';
import { createLog } from './log.ts';
import type { StdioOptions } from './stdio-join.ts';
import { stopSignal } from './stop-signal.ts';
import { VERSION } from './version.ts';

const withListen = (config: Config, listen: string | undefined): Config =>
  listen === undefined ? config : { ...config, listen: parseListen(listen) };

/** For the time of one command. */
export async function connectOwn(env: Environment): Promise<Connection> {
  const gateway = await createGateway(loadConfig(env), silentLog);
  return {
    client: createClient(async (request) => gateway.api.fetch(request)),
    running: false,
    close: () => gateway.close(),
  };
}

export async function serve(env: Environment, { listen, onListening }: ServeOptions): Promise<void> {
  const config = withListen(loadConfig(env), listen);
  const files = homeFiles(config.home);
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
      if (config.metricsListen !== null) {
        const metrics = await openMetricsDoor(gateway, config.metricsListen);
        doors.push(metrics);
        log.info('metrics.listening', { address: metrics.address });
      }
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
export async function runCommand(env: Environment, options: RunOptions): Promise<number> {
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

/** @param unread settles when nobody reads what the client is sent */
export async function serveStdio(
  env: Environment,
  options: StdioOptions,
  unread: Promise<void>,
): Promise<void> {
  const config = loadConfig(env);
  const log: Log = createLog(config.log === 'info' ? 'warn' : config.log);
  const stop = stopSignal(systemClock);
  const gateway = await createGateway(config, log, { auditWriter: 'journal' });
  try {
    const client = Duplex.from({ readable: process.stdin, writable: process.stdout });
    const session = gateway.front.connectStdio(client, gateway.operator, { ...options });
    await Promise.race([session.closed, stop.received, unread]);
  } finally {
    await gateway.close();
    stop.forget();
  }
}
