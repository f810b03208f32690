/**
 * A home with a gateway that serves it, as a user starts it, and one more of the same home in this process; an API that holds
 * what it is asked; servers of every kind that ask it. For the benchmark of the kill switch.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { WebSocketServer } from 'ws';
import { type ApiClient, createClient } from '../../src/api/index.ts';
import { silentLog } from '../../src/kernel/index.ts';
import { createGateway, type Gateway, initHome, loadConfig } from '../../src/main/index.ts';
import { socketTransport } from '../../src/main/transport.ts';
import { identitiesFor, type Identity } from './identity.ts';

export const HOST = 'api.kill.example';
const PROGRAM = resolve(import.meta.dirname, '../../bin/sallyport.mjs');

/** Something that the API is asked and does not answer. */
export interface Held {
  /** Settles when its connection is gone. */
  readonly gone: Promise<void>;
}

export interface KillWorld {
  readonly url: string;
  readonly socket: string;
  readonly proxy: { readonly host: string; readonly port: number };
  /** Of the gateway that serves. */
  readonly client: ApiClient;
  /** The other process: this one. */
  readonly other: Gateway;
  readonly otherClient: ApiClient;
  /** What is asked under this name, as soon as it is. */
  held(name: string): Promise<Held>;
  /** A program of the product. */
  program(...words: readonly string[]): ChildProcess;
  close(): Promise<void>;
}

interface Asked {
  readonly id?: number | string;
  readonly method: string;
  readonly params?: { readonly name?: string; readonly arguments?: { readonly text?: string } };
}

export async function openKillWorld(): Promise<KillWorld> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-kill-'));
  const home = join(folder, 'home');
  const scripts = join(folder, 'scripts');
  mkdirSync(home, { mode: 0o700 });
  mkdirSync(scripts);
  copyFileSync(fileURLToPath(new URL('kill-server.mjs', import.meta.url)), join(scripts, 'server.mjs'));
  const { ca, identities } = identitiesFor([HOST]);
  const api = await openApi(identities[0]);
  writeFileSync(join(folder, 'ca.pem'), ca);
  const settings = {
    listen: '127.0.0.1:0',
    proxy: { listen: '127.0.0.1:0' },
    egress: {
      resolve: { [`${HOST}:443`]: `127.0.0.1:${api.port}` },
      extraCa: [join(folder, 'ca.pem')],
      allowNetworks: ['127.0.0.0/8'],
    },
  };
  writeFileSync(join(home, 'sallyport.yaml'), JSON.stringify(settings), { mode: 0o600 });
  const environment = { ...process.env, SALLYPORT_HOME: home };
  const config = loadConfig(environment);
  await initHome(config);
  const program = (...words: readonly string[]): ChildProcess =>
    spawn(process.execPath, [PROGRAM, ...words], { cwd: scripts, env: environment, stdio: 'pipe' });
  const serving = program('serve');
  let log = '';
  serving.stderr?.on('data', (data: Buffer) => (log += data.toString()));
  serving.stdout?.resume();
  const said = async (pattern: RegExp): Promise<string> => {
    for (;;) {
      const found = pattern.exec(log)?.[1];
      if (found !== undefined) return found;
      if (serving.exitCode !== null) throw new Error(log);
      if (serving.stderr !== null) await Promise.race([once(serving.stderr, 'data'), once(serving, 'exit')]);
    }
  };
  const url = await said(/"url":"([^"]+)"/);
  const [host = '', port = ''] = (await said(/"address":"([^"]+)"/)).split(':');
  const socket = join(home, 'sallyport.sock');
  const client = createClient(socketTransport(socket));
  for (const manifest of manifests(scripts)) {
    const source = { source: `${String(manifest['name'])}.json`, manifest: JSON.stringify(manifest) };
    await client.addServer(source, () => undefined);
  }
  await client.setSecret('cell', 'KEY', 'sk-kill-0123456789abcdef0123456789');
  const rules = [{ id: 'ask', match: { tools: ['asked'] }, do: 'approve' }];
  await client.applyPolicy({ text: JSON.stringify({ rules }), profile: null });
  const other = await createGateway(config, silentLog, { auditWriter: 'journal' });
  return {
    url,
    socket,
    proxy: { host, port: Number(port) },
    client,
    other,
    otherClient: createClient(async (request) => other.api.fetch(request)),
    held: api.held,
    program,
    async close() {
      await other.close();
      serving.kill('SIGTERM');
      await once(serving, 'exit');
      api.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const manifests = (scripts: string): readonly Record<string, unknown>[] => [
  {
    schemaVersion: 2,
    name: 'cell',
    version: '1.0.0',
    server: {
      kind: 'sandboxed',
      command: ['node', '/bench/server.mjs'],
      files: [{ host: scripts, cell: '/bench', write: false }],
    },
    egress: [{ host: HOST }],
    credentials: [
      {
        name: 'KEY',
        tier: 'sealed',
        env: 'KEY',
        placeholder: 'sk-{alnum:32}',
        hosts: [HOST],
        inject: [{ header: 'Authorization', format: 'Bearer {token}' }, { query: 'key' }],
      },
    ],
  },
  {
    schemaVersion: 2,
    name: 'far',
    version: '1.0.0',
    server: { kind: 'remote', url: `https://${HOST}/mcp` },
    egress: [{ host: HOST }],
    tools: { default: ['echo', 'hold'] },
  },
  {
    schemaVersion: 2,
    name: 'api',
    version: '1.0.0',
    server: { kind: 'api', baseUrl: `https://${HOST}`, request: true },
    egress: [{ host: HOST }],
    tools: { default: ['request'] },
  },
];

interface Api {
  readonly port: number;
  readonly held: KillWorld['held'];
  close(): void;
}

/** Answers what it is asked, but for `/hold/NAME`, WebSockets at `/socket/NAME`, and the tool `hold`. */
async function openApi(identity: Identity): Promise<Api> {
  const waiting = new Map<string, PromiseWithResolvers<Held>>();
  const placeOf = (name: string): PromiseWithResolvers<Held> => {
    const known = waiting.get(name) ?? Promise.withResolvers<Held>();
    waiting.set(name, known);
    return known;
  };
  const came = (name: string, socket: Duplex): void =>
    placeOf(name).resolve({ gone: new Promise((done) => socket.once('close', () => done())) });
  const server: Server = createServer(identity, (request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (piece: string) => (text += piece));
    request.on('error', () => undefined);
    request.on('end', () => {
      const [, kind, name = ''] = new URL(request.url ?? '/', 'https://x').pathname.split('/');
      if (kind === 'hold') return came(name, request.socket);
      if (kind !== 'mcp') return response.end('{}');
      if (request.method !== 'POST') return response.writeHead(405).end();
      const asked = JSON.parse(text) as Asked;
      if (asked.id === undefined) return response.writeHead(202).end();
      if (asked.params?.name === 'hold') return came(asked.params.arguments?.text ?? '', request.socket);
      const result = resultOf(asked);
      response
        .setHeader('Content-Type', 'application/json')
        .end(JSON.stringify({ jsonrpc: '2.0', id: asked.id, result }));
      return undefined;
    });
  });
  const sockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request, socket, head) => {
    sockets.handleUpgrade(request, socket, head, () => {
      came(new URL(request.url ?? '/', 'https://x').pathname.split('/')[2] ?? '', socket);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port, // a listening TCP server has one
    held: (name) => placeOf(name).promise,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function resultOf({ method, params }: Asked): object {
  const serverInfo = { name: 'far', version: '1.0.0' };
  if (method === 'initialize')
    return { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo };
  const tool = (name: string) => ({
    name,
    inputSchema: { type: 'object' },
    annotations: { readOnlyHint: true },
  });
  if (method === 'tools/list') return { tools: [tool('echo'), tool('hold')] };
  return { content: [{ type: 'text', text: params?.arguments?.text ?? '' }] };
}
