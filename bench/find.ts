/**
 * A profile of 2,000 tools, listed whole and searched: what its clients are sent, and what a search takes, in one run over one
 * connection to the front. The definitions are those of three published APIs, each under several servers' names.
 *
 *     npm run bench -- find [--tools 2000] [--rounds 20]
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { duplexPair } from 'node:stream';
import { parseArgs } from 'node:util';
import { parseBase, readOpenApi, takenBy, toolsFromOpenApi } from '../src/http-api/index.ts';
import type { CellId, WorkspaceId } from '../src/kernel/index.ts';
import type { ApprovedTool, Principal, UpstreamTransport } from '../src/mcp/index.ts';
import { bareFront, everythingAgreed } from './support/bare-front.ts';
import { INITIALIZE } from './support/callers.ts';
import { print, quantile, tableLine } from './support/measured.ts';

const { values: flags } = parseArgs({
  options: { tools: { type: 'string', default: '2000' }, rounds: { type: 'string', default: '20' } },
});
const COUNT = Number(flags.tools);
const ROUNDS = Number(flags.rounds);
const PER_SERVER = 50;
const QUERIES = [
  'list the files of a project',
  'add a comment',
  'who changed this last',
  'delete a deploy key',
  'create a new site',
  'update user permissions',
  'get file version history',
  'roll back a deploy',
  'invite somebody to a team',
  'search assets by name',
  'lst form submisions',
  'show dns zones in server 7',
];

const modules = join(import.meta.dirname, '../node_modules');
const documents = [
  join(modules, '@figma/rest-api-spec/openapi/openapi.yaml'),
  createRequire(import.meta.url).resolve('@netlify/open-api'),
  join(modules, '@directus/openapi/dist/oas.json'),
];

function publishedTools(): readonly ApprovedTool[] {
  return documents.flatMap((file) => {
    const read = readOpenApi(readFileSync(file, 'utf8'));
    const base = parseBase('https://api.bench.example');
    if (!read.ok || !base.ok) throw new Error(`${file} cannot be read`);
    const made = toolsFromOpenApi(read.value, { filter: {}, base: base.value, taken: takenBy([]) });
    if (!made.ok) throw new Error(made.error.message);
    return made.value.tools.map(({ name, definition }) => ({ name, text: definition, hash: name }));
  });
}

const published = publishedTools();
const all = Array.from({ length: COUNT }, (_, at) => published[at % published.length]).filter(
  (tool) => tool !== undefined,
);
const servers = new Map<string, readonly ApprovedTool[]>();
for (let from = 0; from < all.length; from += PER_SERVER)
  servers.set(`server-${servers.size}`, all.slice(from, from + PER_SERVER));

const principal: Principal = {
  workspace: 'ws_bench' as WorkspaceId,
  actor: { kind: 'token', id: 'tok_bench' },
  profile: 'all',
  agent: 'bench',
};
const transports = new Map(
  [...servers].map(([slug, tools]): [string, UpstreamTransport] => [
    slug,
    {
      kind: 'service',
      cell: `cell_${slug}` as CellId,
      exited: new Promise(() => undefined),
      close: async () => undefined,
      service: {
        info: { name: slug, version: '1' },
        tools: async () => tools.map(({ text }) => text),
        call: async () => '{"content":[]}',
        templates: [],
        read: () => null,
      },
    },
  ]),
);
const front = bareFront(
  {
    onProfile: () => () => undefined,
    profile: async (_, name) => ({
      name,
      tokenInUrl: false,
      search: name === 'searched',
      servers: [...servers.keys()].map((slug) => ({
        slug,
        title: null,
        tools: '*',
        defaultTools: null,
        callSeconds: null,
      })),
    }),
    async open(_principal, _profile, slug) {
      const transport = transports.get(slug);
      if (transport === undefined) throw new Error(`there is no server ${slug}`);
      return transport;
    },
  },
  principal,
  { definitions: { ...everythingAgreed, approvedTools: async (_, slug) => servers.get(slug) ?? null } },
);

type Ask = (method: string, params?: object) => Promise<string>;

async function connect(profile: string): Promise<Ask> {
  const [mine, its] = duplexPair();
  front.connectStdio(its, { ...principal, profile }, { profile });
  const waiting: ((line: string) => void)[] = [];
  createInterface({ input: mine }).on('line', (line) => waiting.shift()?.(line));
  const exchange = (text: string): Promise<string> =>
    new Promise((resolve) => {
      waiting.push(resolve);
      mine.write(`${text}\n`);
    });
  await exchange(INITIALIZE);
  let id = 0;
  return async (method, params = {}) => {
    id += 1;
    const answer = await exchange(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
    if (!answer.includes('"result"')) throw new Error(answer.slice(0, 300));
    return answer;
  };
}

const [plain, searched] = [await connect('all'), await connect('searched')];
const find = (query: string): Promise<string> =>
  searched('tools/call', { name: 'find_tools', arguments: { query } });

const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
const begun = performance.now();
await find('anything');
const firstMs = performance.now() - begun;
delay.disable();

interface Row {
  readonly name: string;
  readonly ask: (turn: number) => Promise<string>;
  readonly times: number[];
  bytes: number;
}
const row = (name: string, ask: Row['ask']): Row => ({ name, ask, times: [], bytes: 0 });
const rows = [
  row('ping', () => searched('ping')),
  row('tools/list, the two', () => searched('tools/list')),
  row('find_tools', (turn) => find(QUERIES[turn % QUERIES.length] ?? '')),
  row('find_tools, no word known', (turn) => find(`zzyzx${turn} qwerty${turn} blorptang frobnicate`)),
  row(`tools/list, all ${all.length}`, () => plain('tools/list')),
];
for (let round = 0; round < ROUNDS; round += 1) {
  for (const each of rows) {
    for (let turn = 0; turn < QUERIES.length; turn += 1) {
      const start = performance.now();
      const answer = await each.ask(turn);
      each.times.push(performance.now() - start);
      each.bytes = Math.max(each.bytes, answer.length);
    }
  }
}
const base = quantile(rows[0]?.times.toSorted((a, b) => a - b) ?? [], 0.5);
print(tableLine([`${servers.size} servers`, 'p50 ms', 'p99 ms', 'KB at most', '× ping'], 12, 30));
for (const { name, times, bytes } of rows) {
  const sorted = times.toSorted((a, b) => a - b);
  const p50 = quantile(sorted, 0.5);
  const cells = [p50, quantile(sorted, 0.99), bytes / 1_000, p50 / base].map((cell) => cell.toFixed(2));
  print(tableLine([name, ...cells], 12, 30));
}
const [, two, , , whole] = rows;
print(
  `\nlisting the two in place of all: ${((100 * (two?.bytes ?? 0)) / (whole?.bytes ?? 1)).toFixed(2)} % of the bytes`,
);
print(
  `the first search, which makes the index: ${firstMs.toFixed(0)} ms, during which nothing else waited longer than ${(delay.max / 1e6).toFixed(0)} ms`,
);
await front.close();
