/**
 * What a command gets from the process: streams, the running gateway or one of its own, files. Most commands ask the
 * gateway that runs, and are done before the rest of the product would be loaded: what needs that imports it then.
 */
import { readFile } from 'node:fs/promises';
import { Writable } from 'node:stream';
import { createClient } from '../api/client.ts';
import type { CliHost, Connection } from '../cli/index.ts';
import { AppError } from '../kernel/index.ts';
import { type Environment, homeFiles, homeOf } from './home.ts';
import { joinGateway, type StdioOptions } from './stdio-join.ts';
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
    async init() {
      const [{ initHome }, { loadConfig }] = await Promise.all([import('./init.ts'), import('./config.ts')]);
      return initHome(loadConfig(env));
    },
    connect: () => connect(env, files.socket),
    openCallback: async (port) => (await import('./oauth/callback-door.ts')).openCallbackDoor(port),
    async openBrowser(url) {
      (await import('./oauth/browser.ts')).openBrowser(url);
    },
    serve: async (options) => (await import('./serving.ts')).serve(env, options),
    stdio: (options) => stdio(env, files.socket, options),
    run: async (options) => (await import('./serving.ts')).runCommand(env, options),
    async demo(quiet) {
      const { runDemo } = await import('./demo/demo.ts');
      return runDemo(quiet ? new Writable({ write: (_, __, done) => done() }) : process.stdout, env);
    },
    doctor: async () => (await import('./doctor.ts')).diagnose(env),
    lint: async (paths) => (await import('./lint.ts')).lintReports(paths),
    templates: async () => (await import('../api/index.ts')).templateViews(),
    async readFile(path) {
      try {
        return await readFile(path, 'utf8');
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? String(error.code) : '';
        const message = code === 'ENOENT' ? `There is no file ${path}.` : `${path} cannot be read (${code}).`;
        throw new AppError('file_unreadable', message, { kind: 'invalid', cause: error });
      }
    },
    async reportUnexpected(error) {
      const { createLog } = await import('./log.ts');
      createLog('error').error('cli.unexpected', {
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
    },
  };
}

async function connect(env: Environment, socket: string): Promise<Connection> {
  if (await isListening(socket))
    return { client: createClient(socketTransport(socket)), running: true, close: async () => undefined };
  return (await import('./serving.ts')).connectOwn(env);
}

/** Joins the running gateway, or runs one for this client alone. Nothing but protocol goes to stdout. */
async function stdio(env: Environment, socketPath: string, options: StdioOptions): Promise<void> {
  // A client that no longer reads is gone; what is open here is then closed in order.
  const { promise: unread, resolve } = Promise.withResolvers<void>();
  process.stdout.removeAllListeners('error').on('error', () => resolve());
  const { stdin: input, stdout: output } = process;
  const outcome = await joinGateway(socketPath, options, { input, output, unread });
  if (outcome.kind === 'absent') await (await import('./serving.ts')).serveStdio(env, options, unread);
  else if (outcome.kind !== 'done') throw joinError(outcome);
}
