/**
 * Everything real for an attack: the program `sallyport serve` in a process of its own, cells with a hostile server in
 * them, and an upstream of the attacker's choice. What is in a cell is told what to try as code.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import type * as ChildProcessModule from 'node:child_process';
import type * as DgramModule from 'node:dgram';
import type * as DnsModule from 'node:dns/promises';
import type * as FsModule from 'node:fs';
import type * as Http2Module from 'node:http2';
import type * as HttpsModule from 'node:https';
import type * as NetModule from 'node:net';
import type * as TlsModule from 'node:tls';
import type * as GrpcModule from '@grpc/grpc-js';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo, Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext, createServer, type TLSSocket } from 'node:tls';
import { type ApiClient, createClient } from '../../src/api/index.ts';
import { limits } from '../../src/kernel/index.ts';
import { socketTransport } from '../../src/main/transport.ts';
import { createTestAuthority } from '../egress/test-authority.ts';
import { shownIn } from '../own-process.ts';

/** The key that no byte of may reach a cell. */
export const KEY = 'key_Zq7Rk2Vw9Xj4Nc8Tb3Mf6Ld1Hs5Gy0Pq';
/** Bound: the key goes here. */
export const API = 'api.test.example';
/** Listed, but not bound; in the hands of the attacker. */
export const HOSTILE = 'hostile.test.example';

const PROGRAM = 'bin/sallyport.mjs';
const USER = 12_345;
const isRoot = process.getuid?.() === 0;

interface CellModules {
  /** Where the test has put it. */
  '@grpc/grpc-js': typeof GrpcModule;
  'node:child_process': typeof ChildProcessModule;
  'node:dgram': typeof DgramModule;
  'node:dns/promises': typeof DnsModule;
  'node:fs': typeof FsModule;
  'node:http2': typeof Http2Module;
  'node:https': typeof HttpsModule;
  'node:net': typeof NetModule;
  'node:tls': typeof TlsModule;
}
/** `require` as code in a cell is given it. */
export type CellRequire = <Name extends keyof CellModules>(name: Name) => CellModules[Name];

/** Which user the gateway runs as. */
export type Mode = 'root' | 'user';
export const modes: readonly Mode[] = isRoot ? ['root', 'user'] : ['user'];

interface Arrived {
  readonly host: string;
  /** The request as the upstream got it, Latin-1. */
  readonly head: string;
  readonly body: string;
}

/** Answers one request, by writing bytes as it likes. */
type Answerer = (seen: Arrived, socket: Socket) => void | Promise<void>;

interface AuditLine {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface World {
  readonly folder: string;
  readonly home: string;
  readonly url: string;
  readonly gateway: ChildProcess;
  /** What the upstream was asked, by all cells. */
  readonly arrived: Arrived[];
  /** How the upstream answers from now on. */
  answer: Answerer;
  /** Runs code in the cell of a server; gives what it returned, or `{error}`. */
  inCell<T, G>(
    code: (given: G, require: CellRequire) => T | Promise<T>,
    given: G,
    server?: string,
  ): Promise<Awaited<T>>;
  /** Runs a program in the cell of a server, to its end; those of `probes/` are in `/srv`. Gives the JSON that it printed. */
  probe<T>(command: readonly string[], server?: string): Promise<T>;
  /** A command line to its end. */
  run(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }>;
  /** The operator's API, over the local socket. */
  readonly client: ApiClient;
  /** What `sallyport audit export` prints. Throws where `sallyport audit verify` finds anything wrong. */
  exported(): Promise<string>;
  /** Waits until one of the last 1,000 events is like this. */
  event(test: (line: AuditLine) => boolean): Promise<AuditLine>;
  /** Adds a server and gives it the key, where it has a place for one. */
  addServer(manifest: Record<string, unknown>): Promise<void>;
  log(): string;
  close(): Promise<void>;
}

export interface WorldOptions {
  readonly mode?: Mode;
  readonly env?: Record<string, string>;
  /** Further fields of the manifest of the server `attacker`. */
  readonly manifest?: (world: { folder: string }) => Record<string, unknown>;
  /** Text of `sallyport.yaml`. */
  readonly settings?: (known: { readonly resolve: string; readonly ca: string }) => string;
}

const hosts = [API, HOSTILE];
const usualSettings: NonNullable<WorldOptions['settings']> = ({ resolve, ca }) =>
  `egress: { resolve: ${resolve}, extraCa: [ ${ca} ], allowNetworks: [ 127.0.0.0/8 ] }\n`;

export async function openWorld(options: WorldOptions = {}): Promise<World> {
  const mode = options.mode ?? modes[0] ?? 'user';
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-whole-'));
  chmodSync(folder, 0o755);
  const servers = join(folder, 'servers');
  mkdirSync(servers, { mode: 0o755 });
  copyFileSync(join(import.meta.dirname, 'whole-attacker.mjs'), join(servers, 'attacker.mjs'));
  chmodSync(join(servers, 'attacker.mjs'), 0o644);
  const probes = join(import.meta.dirname, 'probes');
  for (const name of readdirSync(probes)) {
    copyFileSync(join(probes, name), join(servers, name));
    chmodSync(join(servers, name), 0o644);
  }
  const arrived: Arrived[] = [];
  const authority = createTestAuthority(hosts);
  const state = { answer: (() => undefined) as Answerer };
  const upstream = await openUpstream(authority, async (seen, socket) => {
    arrived.push(seen);
    await state.answer(seen, socket);
  });
  const { port } = upstream.address() as AddressInfo; // a listening TCP server has an AddressInfo
  const own = join(folder, 'own');
  mkdirSync(own, { mode: 0o755 });
  const asUser = mode === 'user' && isRoot;
  if (asUser) execFileSync('/usr/bin/chown', [`${USER}:${USER}`, own]);
  const home = join(own, 'home');
  const environment = { PATH: process.env['PATH'] ?? '', HOME: own, SALLYPORT_HOME: home, ...options.env };

  const shown = shownIn(folder);
  const identity = ['/usr/bin/setpriv', `--reuid=${USER}`, `--regid=${USER}`, '--clear-groups'];
  const program = asUser
    ? [...shown.before, ...identity, shown.node, join(shown.checkout, PROGRAM)]
    : [process.execPath, join(import.meta.dirname, '../..', PROGRAM)];
  const start = (args: readonly string[]): ChildProcess =>
    spawn(program[0] ?? '', [...program.slice(1), ...args], { env: environment, cwd: '/', stdio: 'pipe' });
  const run = async (...args: string[]) => {
    const child = start(args);
    child.stdin?.end();
    const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)];
    const code = await new Promise<number | null>((done) => child.once('close', done));
    return { code, stdout: stdout(), stderr: stderr() };
  };

  const made = await run('init');
  if (made.code !== 0) throw new Error(made.stderr);
  const ca = join(folder, 'upstream.pem');
  writeFileSync(ca, authority.caPem, { mode: 0o644 });
  const resolve = `{ ${hosts.map((host) => `"${host}:443": "127.0.0.1:${port}"`).join(', ')} }`;
  const settings = (options.settings ?? usualSettings)({ resolve, ca });
  writeFileSync(join(home, 'sallyport.yaml'), settings, { mode: 0o600 });
  if (asUser) execFileSync('/usr/bin/chown', [`${USER}:${USER}`, join(home, 'sallyport.yaml')]);
  const gateway = start(['serve', '--listen', '127.0.0.1:0']);
  gateway.stdin?.end();
  const log = collect(gateway.stderr);
  gateway.stdout?.resume();
  const ended = new Promise<number | null>((done) => gateway.once('close', done));
  const url = await Promise.race([
    waitFor(() => /"url":"([^"]+)"/.exec(log())?.[1]),
    ended.then((code) => Promise.reject(new Error(`the gateway ended with ${code}: ${log()}`))),
  ]);

  const client = createClient(socketTransport(join(home, 'sallyport.sock')));
  const world: World = {
    folder,
    home,
    url,
    gateway,
    arrived,
    get answer() {
      return state.answer;
    },
    set answer(next) {
      state.answer = next;
    },
    async inCell(code, given, server = 'attacker') {
      const text = await client.call(
        server,
        'run',
        JSON.stringify({ code: code.toString(), given }),
        undefined,
      );
      const result = JSON.parse(text) as { content: [{ text: string }] };
      const said = JSON.parse(result.content[0].text) as { value?: never; error?: string };
      if (said.error !== undefined) throw new Error(said.error);
      return said.value as never; // JSON of what the code returned
    },
    async probe(command, server) {
      const { stdout, stderr } = await world.inCell(runProgram, command, server);
      if (!stdout.startsWith('{')) throw new Error(stderr);
      return JSON.parse(stdout) as never; // the caller knows its program
    },
    run,
    client,
    async exported() {
      const verified = await run('audit', 'verify');
      if (verified.code !== 0) throw new Error(verified.stdout + verified.stderr);
      return (await run('audit', 'export')).stdout;
    },
    event: (test) =>
      waitFor(async () => {
        for await (const one of client.audit({ last: limits.auditTailMax })) {
          const line = one as unknown as AuditLine; // as the API describes it
          if (test(line)) return line;
        }
        return null;
      }),
    async addServer(manifest) {
      const name = String(manifest['name']);
      await client.addServer({ source: `${name}.json`, manifest: JSON.stringify(manifest) }, () => undefined);
      if ((manifest['credentials'] as unknown[]).length > 0) await client.setSecret(name, 'API_KEY', KEY);
    },
    log,
    async close() {
      gateway.kill('SIGTERM');
      await ended;
      upstream.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await world.addServer({ ...attackerManifest(folder), ...options.manifest?.({ folder }) });
  return world;
}

/** Runs in the cell. */
function runProgram(
  [program = '', ...args]: readonly string[],
  require: CellRequire,
): Promise<{ stdout: string; stderr: string }> {
  const { execFile } = require('node:child_process');
  return new Promise((done) =>
    execFile(program, args, { maxBuffer: 1e8 }, (_error, stdout, stderr) => done({ stdout, stderr })),
  );
}

/** A server that runs `whole-attacker.mjs`, with a key bound to `API` and a second host that is only listed. */
export function attackerManifest(folder: string, name = 'attacker'): Record<string, unknown> {
  return {
    schemaVersion: 2,
    name,
    version: '1.0.0',
    server: {
      kind: 'sandboxed',
      command: ['node', '/srv/attacker.mjs'],
      files: [{ host: join(folder, 'servers'), cell: '/srv', write: false }],
    },
    egress: [{ host: API }, { host: HOSTILE }],
    credentials: [
      {
        name: 'API_KEY',
        tier: 'sealed',
        env: 'API_KEY',
        placeholder: 'key_{alnum:32}',
        hosts: [API],
        inject: [
          { header: 'Authorization', format: 'Bearer {token}' },
          { basic: 'password' },
          { query: 'api_key' },
          { json: '/api_key' },
        ],
      },
    ],
    tools: { default: ['run'] },
  };
}

/** An HTTPS server that reads whole requests and leaves the answer, byte by byte, to the test. */
async function openUpstream(
  authority: ReturnType<typeof createTestAuthority>,
  answer: Answerer,
): Promise<Server> {
  const contexts = new Map(hosts.map((host) => [host, createSecureContext(authority.issue(host))]));
  const server = createServer(
    { SNICallback: (name, done) => done(null, contexts.get(name)) },
    (socket: TLSSocket) => {
      let text = '';
      socket.on('error', () => socket.destroy());
      socket.on('data', (bytes: Buffer) => {
        text += bytes.toString('latin1');
        for (let request = takeRequest(text); request !== null; request = takeRequest(text)) {
          text = request.rest;
          void answer({ host: String(socket.servername), head: request.head, body: request.body }, socket);
        }
      });
    },
  );
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return server;
}

/** The gateway writes lengths and chunks only; that is all this has to read. */
function takeRequest(text: string): { head: string; body: string; rest: string } | null {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return null;
  const head = text.slice(0, end);
  const after = text.slice(end + 4);
  const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
  if (/^transfer-encoding: *chunked/im.test(head)) {
    const last = after.indexOf('0\r\n\r\n');
    return last < 0 ? null : { head, body: after.slice(0, last), rest: after.slice(last + 5) };
  }
  return after.length < length ? null : { head, body: after.slice(0, length), rest: after.slice(length) };
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
