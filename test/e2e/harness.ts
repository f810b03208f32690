/** Runs the real program, `bin/sallyport.mjs`, as a user would: a home of its own, a gateway of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const PROGRAM = resolve(import.meta.dirname, '../../bin/sallyport.mjs');
const SERVERS = resolve(import.meta.dirname, '../fixtures/servers');

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Home {
  readonly path: string;
  /** A folder that cells may see, with the fixture servers in it. */
  readonly servers: string;
  /** What the program has for `/tmp`. */
  readonly temporary: string;
  /** Runs one command to its end. */
  run(...args: string[]): Promise<Outcome>;
  /** The same, with `--json` and its answer parsed; throws when it fails. */
  json<T>(...args: string[]): Promise<T>;
  runWith(options: { input?: string; env?: Record<string, string> }, ...args: string[]): Promise<Outcome>;
  serve(): Promise<Served>;
  remove(): void;
}

export interface Served {
  readonly process: ChildProcess;
  readonly url: string;
  /** What it logged so far. */
  log(): string;
  /** Ends it as a user would. */
  stop(): Promise<number | null>;
  /** `kill -9`. */
  crash(): Promise<void>;
}

/** @param settings text of sallyport.yaml */
export function makeHome(settings = ''): Home {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-e2e-'));
  const path = join(folder, 'home');
  const servers = join(folder, 'servers');
  const temporary = join(folder, 'tmp');
  cpSync(SERVERS, servers, { recursive: true });
  mkdirSync(temporary);
  const environment = {
    PATH: process.env['PATH'] ?? '',
    HOME: process.env['HOME'] ?? folder,
    SALLYPORT_HOME: path,
    TMPDIR: temporary,
    NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? '',
  };

  const gateways = new Set<ChildProcess>();
  const start = (args: readonly string[], env: Record<string, string> = {}): ChildProcess =>
    spawn(process.execPath, [PROGRAM, ...args], { env: { ...environment, ...env }, stdio: 'pipe' });

  async function runWith(
    { input, env }: { input?: string; env?: Record<string, string> },
    ...args: string[]
  ): Promise<Outcome> {
    const child = start(args, env);
    child.stdin?.on('error', () => undefined).end(input ?? '');
    const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)];
    const code = await new Promise<number | null>((done) => child.once('close', done));
    return { code, stdout: stdout(), stderr: stderr() };
  }

  return {
    path,
    servers,
    temporary,
    run: (...args) => runWith({}, ...args),
    runWith,
    async json<T>(...args: string[]): Promise<T> {
      const outcome = await runWith({}, ...args, '--json');
      if (outcome.code !== 0)
        throw new Error(`sallyport ${args.join(' ')}: ${outcome.code} ${outcome.stdout} ${outcome.stderr}`);
      return JSON.parse(outcome.stdout) as T;
    },
    async serve() {
      writeFileSync(join(path, 'sallyport.yaml'), settings, { mode: 0o600 });
      const child = start(['serve', '--listen', '127.0.0.1:0']);
      gateways.add(child);
      child.once('close', () => gateways.delete(child));
      child.stdin?.end();
      const log = collect(child.stderr);
      const exit = new Promise<number | null>((done) => child.once('close', done));
      const url = await Promise.race([
        waitFor(() => /"url":"([^"]+)"/.exec(log())?.[1]),
        exit.then((code) => Promise.reject(new Error(`the gateway ended with ${code}: ${log()}`))),
      ]);
      return {
        process: child,
        url,
        log,
        async stop() {
          child.kill('SIGTERM');
          return exit;
        },
        async crash() {
          child.kill('SIGKILL');
          await exit;
        },
      };
    },
    remove() {
      // A test that failed may have left one running.
      for (const child of gateways) child.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function collect(stream: NodeJS.ReadableStream | null): () => string {
  const chunks: Buffer[] = [];
  stream?.on('data', (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString('utf8');
}

/** Asks again until there is an answer; the test's own time limit bounds it. */
export async function waitFor<T>(
  ask: () => T | undefined | null | false | Promise<T | undefined | null | false>,
): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    await new Promise((done) => setTimeout(done, 25));
  }
}

/** A manifest that runs `prober.mjs`, or another fixture, in a cell. */
export function proberManifest(
  home: Home,
  options: { name?: string; script?: string; hosts?: string[]; secret?: string; required?: boolean } = {},
): string {
  const {
    name = 'prober',
    script = 'prober.mjs',
    hosts = ['api.test.example'],
    secret = 'API_KEY',
    required = true,
  } = options;
  return JSON.stringify({
    schemaVersion: 2,
    name,
    version: '1.0.0',
    server: {
      kind: 'sandboxed',
      command: ['node', `/srv/${script}`],
      files: [{ host: home.servers, cell: '/srv', write: false }],
    },
    egress: hosts.map((host) => ({ host })),
    credentials: [
      {
        name: secret,
        tier: 'sealed',
        required,
        env: secret,
        placeholder: 'key_{alnum:32}',
        hosts: hosts.slice(0, 1),
        inject: [{ header: 'Authorization', format: 'Bearer {token}' }],
      },
    ],
    tools: { default: ['echo', 'env', 'read', 'sleep', 'exit', 'fail', 'request'] },
  });
}
