/**
 * MCP servers as their authors publish them, none of which needs a key: each is installed from its registry, starts in a
 * cell, lists its tools and answers a call. The catalog's servers, which do need keys, have a test of their own.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GatewayProcess, startGateway } from '../catalog/gateway-process.ts';
import { startStandIn, type StandIn } from '../catalog/stand-in.ts';
import { createTurns } from '../catalog/turns.ts';
import type { JsonObject } from '../../src/kernel/index.ts';

interface RealServer {
  readonly package: string;
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly hosts?: readonly string[];
  /** Program of this machine that it, or its installation, needs. */
  readonly needs?: string;
  readonly call: { readonly tool: string; readonly arguments: JsonObject };
  /** Text of the call's result. */
  readonly shows: string;
}

const PYTHON = '/usr/bin/python3';
const PAGE_HOST = 'pages.test.example';
/** Folder in every cell: a repository with one file. */
const WORK = '/srv/work';

const servers: readonly RealServer[] = [
  {
    package: 'npm:@modelcontextprotocol/server-everything@2026.8.31',
    command: ['mcp-server-everything'],
    call: { tool: 'echo', arguments: { message: 'two doors' } },
    shows: 'two doors',
  },
  {
    package: 'npm:@modelcontextprotocol/server-filesystem@2026.8.31',
    command: ['mcp-server-filesystem', WORK],
    call: { tool: 'read_text_file', arguments: { path: `${WORK}/gate.txt` } },
    shows: 'one door at a time',
  },
  {
    package: 'npm:@modelcontextprotocol/server-memory@2026.8.31',
    command: ['mcp-server-memory'],
    env: { MEMORY_FILE_PATH: '/home/cell/memory.jsonl' },
    call: {
      tool: 'create_entities',
      arguments: { entities: [{ name: 'gate', entityType: 'door', observations: ['open at noon'] }] },
    },
    shows: 'open at noon',
  },
  {
    package: 'npm:@modelcontextprotocol/server-sequential-thinking@2026.8.31',
    command: ['mcp-server-sequential-thinking'],
    call: {
      tool: 'sequentialthinking',
      arguments: { thought: 'out, then in', nextThoughtNeeded: false, thoughtNumber: 1, totalThoughts: 1 },
    },
    shows: '"thoughtHistoryLength": 1',
  },
  {
    package: 'pypi:mcp-server-time==2026.10.19',
    command: ['mcp-server-time'],
    needs: PYTHON,
    call: {
      tool: 'convert_time',
      arguments: { source_timezone: 'UTC', time: '12:00', target_timezone: 'Asia/Tokyo' },
    },
    shows: '21:00',
  },
  {
    package: 'pypi:mcp-server-fetch==2026.10.24',
    // It refuses addresses of private use, of which those that a cell sees are some; `addresses: real` needs a name of the world.
    command: ['python', '-m', 'mcp_server_fetch', '--allow-private-ips'],
    needs: PYTHON,
    hosts: [PAGE_HOST],
    call: { tool: 'fetch', arguments: { url: `https://${PAGE_HOST}/gate`, raw: true } },
    shows: 'a page about gates',
  },
  {
    package: 'pypi:mcp-server-git==2026.10.19',
    command: ['mcp-server-git', '--repository', WORK],
    needs: '/usr/bin/git',
    call: { tool: 'git_log', arguments: { repo_path: WORK } },
    shows: 'Hang the inner door',
  },
  {
    package: 'pypi:mcp-server-calculator==0.2.1',
    command: ['mcp-server-calculator'],
    needs: PYTHON,
    call: { tool: 'calculate', arguments: { expression: '6 * 7' } },
    shows: '42',
  },
];

/** Generous: they only end what would never end. */
const SETUP_MS = 4 * 60_000;
const SERVERS_MS = 12 * 60_000;
/** Installing waits for the network, running for the processor. */
const turn = createTurns(2);

let folder: string;
let standIn: StandIn;
let gateway: GatewayProcess;
let token: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-real-'));
  chmodSync(folder, 0o755);
  makeWork(join(folder, 'work'));
  standIn = await startStandIn([
    { host: PAGE_HOST, method: 'GET', path: '/robots.txt', status: 404, answer: null },
    { host: PAGE_HOST, method: 'GET', path: '/gate', answer: { says: 'a page about gates' } },
  ]);
  gateway = await startGateway(new Map([[`${PAGE_HOST}:443`, standIn]]));
  const created = await command('token', 'create', '--agent', 'real-servers', '--json');
  ({ token } = JSON.parse(created) as { token: string });
}, SETUP_MS);

afterAll(async () => {
  await gateway?.stop();
  await standIn?.close();
  rmSync(folder, { recursive: true, force: true });
}, SETUP_MS);

describe('a server as it is published', () => {
  for (const server of servers) {
    const { needs = process.execPath } = server;
    const test = existsSync(needs) ? it.concurrent : it.concurrent.skip;
    test(
      `${server.package} starts in a cell, lists its tools and answers a call (waits for ${needs})`,
      async () => {
        using _turn = await turn();
        const name = nameOf(server);
        const file = join(folder, `${name}.json`);
        writeFileSync(file, manifestFor(server));
        await command('server', 'add', file);
        const client = new Client({ name: 'real-servers', version: '1.0.0' });
        const endpoint = new URL(`${gateway.url}/mcp/default/${name}`);
        const headers = { authorization: `Bearer ${token}` };
        await client.connect(new StreamableHTTPClientTransport(endpoint, { requestInit: { headers } }));
        try {
          const { tools } = await client.listTools();
          expect(tools.map((tool) => tool.name)).toEqual([server.call.tool]);
          const { content, isError } = await client.callTool({
            name: server.call.tool,
            arguments: { ...server.call.arguments },
          });
          expect(isError === true ? content : 'no error').toBe('no error');
          expect(JSON.stringify(content).replaceAll('\\"', '"')).toContain(server.shows);
        } finally {
          await client.close();
        }
        await command('server', 'disable', name);
      },
      SERVERS_MS,
    );
  }
});

const nameOf = (server: RealServer): string => server.package.split(/[:@/=]+/).at(-2) ?? '';

function manifestFor(server: RealServer): string {
  const [program = '', ...args] = server.command;
  return JSON.stringify({
    schemaVersion: 2,
    name: nameOf(server),
    version: '1.0.0',
    server: {
      kind: 'sandboxed',
      package: server.package,
      command: [program],
      args,
      env: server.env ?? {},
      files: [{ host: join(folder, 'work'), cell: WORK, write: false }],
    },
    egress: (server.hosts ?? []).map((host) => ({ host })),
    credentials: [],
    tools: { default: [server.call.tool] },
  });
}

/** A folder with a file, under version control where this machine has git. */
function makeWork(work: string): void {
  mkdirSync(work);
  writeFileSync(join(work, 'gate.txt'), 'one door at a time\n');
  if (!existsSync('/usr/bin/git')) return;
  const env = { PATH: '/usr/bin:/bin', HOME: work, GIT_CONFIG_NOSYSTEM: '1' };
  const git = (...args: readonly string[]): void => {
    execFileSync('/usr/bin/git', ['-c', 'user.name=t', '-c', 'user.email=t@t', ...args], { cwd: work, env });
  };
  git('init', '-q');
  git('add', 'gate.txt');
  git('commit', '-q', '-m', 'Hang the inner door');
}

/** Runs a command that has to succeed. @returns its standard output */
async function command(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await gateway.command(args);
  expect({ args, code, said: code === 0 ? '' : stdout + stderr }).toEqual({ args, code: 0, said: '' });
  return stdout;
}
