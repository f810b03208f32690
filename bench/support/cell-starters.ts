/** Ways to start a server apart from this process: a bare bubblewrap, a cell, a prepared cell, and a rival's sandbox. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { type Log, newId, silentLog, systemClock, systemRandom } from '../../src/kernel/index.ts';
import { type CellListeners, type CellSpec, createSandbox, type Sandbox } from '../../src/sandbox/index.ts';

/** What is started, in words that every way of starting understands. */
export interface Server {
  /** Program and arguments; a path below `/package` is one in `folder`. */
  readonly command: readonly string[];
  readonly folder: string;
}

export interface Started {
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Resolves when nothing of it runs any more. */
  end(): Promise<void>;
}

export interface Starter {
  readonly name: string;
  /** Called before each start, and not timed. */
  ready(): Promise<void>;
  start(server: Server): Promise<Started>;
  close(): Promise<void>;
}

const NODE = process.execPath;
const TCP_PORTS = [443, 80];

/** Takes what listens, and does nothing with it. */
const listeners: CellListeners = { onTcp: () => {}, onDnsTcp: () => {}, onDnsUdp: () => {} };

export const specOf = ({ command, folder }: Server): CellSpec => ({
  id: newId<'cell'>('cell', systemRandom),
  label: 'bench',
  command,
  args: [],
  env: {},
  tcpPorts: TCP_PORTS,
  caPem: '',
  packageDir: folder,
  files: [],
  limits: {},
});

export async function startCell(sandbox: Sandbox, server: Server): Promise<Started> {
  const cell = await sandbox.launch(specOf(server), listeners);
  cell.stderr.resume();
  return { stdin: cell.stdin, stdout: cell.stdout, end: () => cell.kill() };
}

/** The shortest way into namespaces of one's own with the same program: no way out, no limits, no filter of system calls. */
export function bareBubblewrap(): Starter {
  const links = ['/bin', '/sbin', '/lib', '/lib64'].filter((path) => existsSync(path));
  return {
    name: 'bare bwrap',
    ready: () => Promise.resolve(),
    start({ command, folder }) {
      const words = `--unshare-all --die-with-parent --ro-bind /usr /usr --proc /proc --dev /dev --tmpfs /tmp
        --ro-bind ${NODE} /sallyport/bin/node --ro-bind ${folder} /package
        --clearenv --setenv PATH /sallyport/bin:/usr/bin:/bin`;
      const options = [...words.split(/\s+/), ...links.flatMap((path) => ['--symlink', `usr${path}`, path])];
      const child = spawn('/usr/bin/bwrap', [...options, '--', ...command], {
        env: {},
        stdio: ['pipe', 'pipe', 'ignore'],
      });
      return Promise.resolve({ stdin: child.stdin, stdout: child.stdout, end: () => ended(child) });
    },
    close: () => Promise.resolve(),
  };
}

/** @param stateDir for records of cells; its parent is never shown to a cell */
export async function cells(stateDir: string, preparedMax: number): Promise<Starter> {
  let waiting = 0;
  let onPrepared: (() => void) | null = null;
  const log: Log = {
    ...silentLog,
    debug(event) {
      if (event !== 'cell.prepared') return;
      waiting += 1;
      onPrepared?.();
    },
    warn: (event, fields) => void process.stderr.write(`${event} ${JSON.stringify(fields)}\n`),
  };
  const sandbox = await createSandbox({
    stateDir,
    preparedMax,
    log,
    clock: systemClock,
    random: systemRandom,
  });
  if (preparedMax > 0) sandbox.keepReady([TCP_PORTS]);
  return {
    name: preparedMax > 0 ? 'cell, prepared' : 'cell, cold',
    async ready() {
      if (preparedMax === 0) return;
      if (waiting === 0) await new Promise<void>((resolve) => (onPrepared = resolve));
      onPrepared = null;
    },
    start(server) {
      waiting = Math.max(0, waiting - 1);
      return startCell(sandbox, server);
    },
    close: () => sandbox.close(),
  };
}

/** What is used of `@anthropic-ai/sandbox-runtime`. */
interface SandboxRuntime {
  readonly SandboxManager: {
    initialize(config: object): Promise<void>;
    wrapWithSandbox(command: string): Promise<string>;
    reset(): Promise<void>;
  };
}

/**
 * `@anthropic-ai/sandbox-runtime`, with a list of one domain and nothing to write to. Needs the programs socat and rg.
 *
 * @param folder one that it was installed in
 * @returns null where it is not
 */
export async function sandboxRuntime(folder: string): Promise<Starter | null> {
  const path = join(folder, 'node_modules/@anthropic-ai/sandbox-runtime/dist/index.js');
  if (!existsSync(path)) return null;
  const { SandboxManager } = (await import(pathToFileURL(path).href)) as SandboxRuntime;
  await SandboxManager.initialize({
    network: { allowedDomains: ['api.example.com'], deniedDomains: [] },
    filesystem: { denyRead: [], allowWrite: [], denyWrite: [] },
  });
  return {
    name: 'sandbox-runtime',
    ready: () => Promise.resolve(),
    async start({ command, folder: server }) {
      const words = command.map((word) =>
        word === 'node' ? NODE : word.replace(/^\/package(?=\/)/, server),
      );
      const wrapped = await SandboxManager.wrapWithSandbox(words.map(shellWord).join(' '));
      const child = spawn(wrapped, { shell: true, detached: true, stdio: ['pipe', 'pipe', 'ignore'] });
      return { stdin: child.stdin, stdout: child.stdout, end: () => ended(child, true) };
    },
    close: () => SandboxManager.reset(),
  };
}

const shellWord = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;

async function ended(child: ChildProcess, group = false): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  if (group && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  else child.kill('SIGKILL');
  await exit;
}
