/** What a command gets from the process: streams, the running gateway or one of its own, files. */
import { readFile } from 'node:fs/promises';
import { Duplex } from 'node:stream';
import { createClient } from '../api/index.ts';
import type { CliHost, Connection } from '../cli/index.ts';
import { AppError, type Log, silentLog } from '../kernel/index.ts';
import { type Config, type Environment, homeFiles, homeOf, loadConfig, parseListen } from './config.ts';
import { runDemo } from './demo/demo.ts';
import { diagnose } from './doctor.ts';
import { createGateway, type Gateway } from './gateway.ts';
import { initHome } from './init.ts';
import { lintReports } from './lint.ts';
import { openLocalDoor, openTcpDoor } from './listeners.ts';
import { createLog } from './log.ts';
import { isListening, openStdioBridge, socketTransport } from './transport.ts';
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
    serve: (options) => serve(withListen(loadConfig(env), options.listen), files.socket),
    stdio: (options) => stdio(env, files.socket, options),
    demo: () => runDemo(process.stdout, env),
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

async function serve(config: Config, socket: string): Promise<void> {
  if (await isListening(socket)) {
    throw new AppError('gateway_running', 'A gateway is running in this home already.', {
      kind: 'conflict',
      hint: '`sallyport status` shows it. Another home: set SALLYPORT_HOME.',
    });
  }
  const log = createLog(config.log);
  const gateway = await createGateway(config, log);
  const doors = [];
  try {
    doors.push(await openLocalDoor(gateway, socket));
    const tcp = await openTcpDoor(gateway, config.listen);
    doors.push(tcp);
    gateway.listeningAt(tcp.address);
    log.info('gateway.listening', { url: tcp.address, socket });
    await stopSignal();
  } finally {
    await Promise.all(doors.map((door) => door.close()));
    await gateway.close();
  }
}

/** Settles at the first SIGINT or SIGTERM; a second one ends the process at once. */
function stopSignal(): Promise<void> {
  return new Promise((done) => {
    const stop = (): void => {
      process.removeListener('SIGINT', stop);
      process.removeListener('SIGTERM', stop);
      done();
    };
    process.once('SIGINT', stop);
    process.once('SIGTERM', stop);
  });
}

/** Joins the running gateway, or runs one for this client alone. Nothing but protocol goes to stdout. */
async function stdio(
  env: Environment,
  socketPath: string,
  options: { profile: string; server?: string },
): Promise<void> {
  if (await isListening(socketPath)) {
    const query = new URLSearchParams({
      profile: options.profile,
      ...(options.server === undefined ? {} : { server: options.server }),
    });
    const bridge = await openStdioBridge(socketPath, query);
    process.stdin.pipe(bridge);
    bridge.pipe(process.stdout);
    await new Promise((done) => bridge.once('close', done));
    process.stdin.destroy();
    return;
  }
  const config = loadConfig(env);
  const log: Log = createLog(config.log === 'info' ? 'warn' : config.log);
  const gateway: Gateway = await createGateway(config, log);
  try {
    const client = Duplex.from({ readable: process.stdin, writable: process.stdout });
    const session = gateway.front.connectStdio(client, gateway.operator, {
      profile: options.profile,
      ...(options.server === undefined ? {} : { server: options.server }),
    });
    await Promise.race([session.closed, stopSignal()]);
  } finally {
    await gateway.close();
  }
}
