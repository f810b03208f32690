/** A user's folder, a home with a server that has a key, and the API that takes it: what `sallyport run` is tried with. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createTestAuthority } from '../egress/test-authority.ts';
import { type Home, makeHome, type Outcome, proberManifest, waitFor } from './harness.ts';

const PROGRAM = resolve(import.meta.dirname, '../../bin/sallyport.mjs');
export const HOST = 'api.test.example';
export const OTHER = 'other.test.example';
export const KEY = 'sk-real-value-0123456789';
/** Where root runs this, its folders have to be somebody's: no command runs as root. */
export const OWNER = 23_456;
export const isRoot = process.getuid?.() === 0;
/** What is said wherever root runs a command that has a key. */
export const AS_OWNER = isRoot
  ? `sallyport: the command is user ${OWNER}, whom the folder belongs to: as long as it runs, every program of that user can use the keys through its cell.\n`
  : '';

interface Given {
  readonly cwd?: string;
  readonly input?: string | Buffer;
  readonly env?: Readonly<Record<string, string>>;
}

interface Running {
  readonly child: ChildProcess;
  readonly said: () => string;
  readonly end: Promise<Outcome>;
}

export interface RunWorld {
  readonly home: Home;
  /** Holds every folder of the user, and is theirs to look into. */
  readonly scratch: string;
  /** Where commands run unless it is said otherwise. */
  readonly folder: string;
  /** Host and key of each request that reached the API. */
  readonly arrived: string[];
  /** Gives it to the user. @returns the same path */
  readonly own: (path: string) => string;
  readonly makeFolder: (name: string) => string;
  /** In `folder`. */
  readonly makeFile: (name: string, text: string) => void;
  readonly start: (args: readonly string[], given?: Given) => ChildProcess;
  /** Runs it to its end. */
  readonly run: (args: readonly string[], given?: Given) => Promise<Outcome & { readonly bytes: Buffer }>;
  readonly sh: (script: string, given?: Given) => Promise<Outcome & { readonly bytes: Buffer }>;
  /** A command that says READY when it runs, and then waits. */
  readonly running: (args: readonly string[]) => Promise<Running>;
  readonly events: (
    type: string,
  ) => Promise<readonly { readonly data: Record<string, unknown>; readonly server?: string }[]>;
  readonly addServer: (name: string, change?: (manifest: Record<string, unknown>) => void) => Promise<void>;
  readonly remove: () => void;
}

const FETCH = `
const [url] = process.argv.slice(2);
try {
  const response = await fetch(url, { headers: { authorization: 'Bearer ' + process.env.API_KEY } });
  console.log(response.status, await response.text());
} catch (error) {
  console.log('failed', error.cause?.code ?? error.message);
}
`;

export async function ended(
  child: ChildProcess,
  input: string | Buffer = '',
): Promise<Outcome & { readonly bytes: Buffer }> {
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => err.push(chunk));
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(input);
  const [code] = (await once(child, 'close')) as [number | null];
  const bytes = Buffer.concat(out);
  return { code, stdout: bytes.toString(), stderr: Buffer.concat(err).toString(), bytes };
}

export async function makeRunWorld(): Promise<RunWorld> {
  const authority = createTestAuthority([HOST, OTHER]);
  const arrived: string[] = [];
  const upstream = createServer(authority.issue(HOST), (request, response) => {
    arrived.push(`${request.headers.host} ${request.headers.authorization}`);
    response.end(JSON.stringify({ sent: request.headers.authorization }));
  });
  upstream.addContext(OTHER, authority.issue(OTHER));
  await new Promise<void>((done) => upstream.listen(0, '127.0.0.1', done));
  const { port } = upstream.address() as AddressInfo; // a listening TCP server has an AddressInfo
  const home = makeHome();
  const scratch = mkdtempSync(join(tmpdir(), 'sallyport-run-'));
  chmodSync(scratch, 0o755);

  function own(path: string): string {
    if (isRoot) chownSync(path, OWNER, OWNER);
    return path;
  }
  function makeFolder(name: string): string {
    const path = join(scratch, name);
    mkdirSync(path);
    return own(path);
  }
  const folder = makeFolder('project');
  function makeFile(name: string, text: string): void {
    writeFileSync(join(folder, name), text);
    own(join(folder, name));
  }

  const start = (args: readonly string[], { cwd = folder, env = {} }: Given = {}): ChildProcess =>
    spawn(process.execPath, [PROGRAM, 'run', ...args], {
      cwd,
      env: {
        PATH: process.env['PATH'] ?? '',
        HOME: scratch,
        SALLYPORT_HOME: home.path,
        TMPDIR: home.temporary,
        NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? '',
        ...env,
      },
      stdio: 'pipe',
    });
  /** Runs it to its end. */
  const run = (args: readonly string[], given: Given = {}) => ended(start(args, given), given.input);
  const sh = (script: string, given: Given = {}) => run(['--', 'sh', '-c', script], given);

  const events = async (
    type: string,
  ): Promise<readonly { readonly data: Record<string, unknown>; readonly server?: string }[]> =>
    (await home.run('audit', 'export')).stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; data: Record<string, unknown>; server?: string })
      .filter((event) => event.type === type);

  async function running(args: readonly string[]): Promise<Running> {
    const child = start(args);
    let said = '';
    child.stdout?.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const end = ended(child);
    await Promise.race([
      waitFor(() => said.includes('READY')),
      end.then(({ stderr }) => Promise.reject(new Error(`it ended: ${stderr}`))),
    ]);
    return { child, said: () => said, end };
  }

  async function addServer(
    name: string,
    change: (manifest: Record<string, unknown>) => void = () => undefined,
  ): Promise<void> {
    const manifest = JSON.parse(proberManifest(home, { name })) as Record<string, unknown>;
    change(manifest);
    const file = join(home.path, `${name}.json`);
    writeFileSync(file, JSON.stringify(manifest));
    await home.json('server', 'add', file);
  }

  const init = await home.run('init');
  if (init.code !== 0) throw new Error(init.stderr);
  const there = [HOST, OTHER].map((host) => `"${host}:443": "127.0.0.1:${port}"`).join(', ');
  writeFileSync(
    join(home.path, 'sallyport.yaml'),
    `egress: { resolve: { ${there} }, extraCa: [ ./upstream.pem ], allowNetworks: [ 127.0.0.0/8 ] }\n`,
    { mode: 0o600 },
  );
  writeFileSync(join(home.path, 'upstream.pem'), authority.caPem);
  await addServer('one');
  await home.runWith({ input: KEY }, 'secret', 'set', 'one', 'API_KEY', '--stdin');
  makeFile('fetch.mjs', FETCH);
  return {
    home,
    scratch,
    folder,
    arrived,
    own,
    makeFolder,
    makeFile,
    start,
    run,
    sh,
    running,
    events,
    addServer,
    remove() {
      upstream.close();
      upstream.closeAllConnections();
      home.remove();
      rmSync(scratch, { recursive: true, force: true });
    },
  };
}
