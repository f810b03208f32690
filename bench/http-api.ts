/**
 * HTTP APIs as tools: what the reading of their documents takes, against the bare parsing of the same text; and a call of a
 * tool through the whole gateway, with its key put in and its answer searched, against the same request sent directly over a
 * kept-alive TLS connection. In one run; the callers take turns.
 *
 *     npm run bench -- http-api [--calls 3000] [--document FILE]…
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, createServer, get } from 'node:https';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { parse } from 'yaml';
import { serveFlags } from '../bin/flags.mjs';
import { parseBase, readOpenApi, takenBy, toolsFromOpenApi } from '../src/http-api/index.ts';
import type { ApiPlace } from './support/api-gateway.ts';
import { type Caller, sessionCaller } from './support/callers.ts';
import { identitiesFor } from './support/identity.ts';
import { median, print, quantile, tableLine } from './support/measured.ts';

const { values: flags } = parseArgs({
  options: {
    calls: { type: 'string', default: '3000' },
    document: { type: 'string', multiple: true, default: [] },
  },
});
const ROUNDS = 5;
const CALLS_PER_ROUND = 250;
const HOST = 'api.bench.example';

const resolve = createRequire(import.meta.url).resolve;
const packages = join(import.meta.dirname, '../node_modules');
const files = [
  join(packages, '@figma/rest-api-spec/openapi/openapi.yaml'),
  resolve('@netlify/open-api'),
  join(packages, '@directus/openapi/dist/oas.json'),
  ...flags.document,
];

function milliseconds(work: () => void): number {
  const start = performance.now();
  work();
  return performance.now() - start;
}

function documents(): void {
  print(
    tableLine(['document', 'KB', 'tools', 'list KB', 'bare ms', 'read ms', 'tools ms', '× bare'], 10, 24),
  );
  for (const file of files) {
    const text = readFileSync(file, 'utf8');
    const bare = () => void (/^\s*\{/.test(text) ? JSON.parse(text) : parse(text));
    const times: [number, number, number][] = [];
    let tools: readonly { readonly definition: string }[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const bareMs = milliseconds(bare);
      const start = performance.now();
      const read = readOpenApi(text);
      const readMs = performance.now() - start;
      const base = parseBase('https://api.bench.example');
      if (!read.ok || !base.ok) throw new Error(`${file} cannot be read`);
      const toolsMs = milliseconds(() => {
        const made = toolsFromOpenApi(read.value, { filter: {}, base: base.value, taken: takenBy([]) });
        if (!made.ok) throw new Error(made.error.message);
        tools = made.value.tools;
      });
      times.push([bareMs, readMs, toolsMs]);
    }
    const [bareMs = 0, readMs = 0, toolsMs = 0] = [0, 1, 2].map((at) =>
      median(times.map((one) => one[at] ?? 0)),
    );
    const listed = tools.reduce((sum, { definition }) => sum + definition.length, 0);
    const cells = [text.length / 1_000, tools.length, listed / 1_000, bareMs, readMs, toolsMs].map((cell) =>
      cell.toFixed(0),
    );
    print(tableLine([basename(file), ...cells, ((readMs + toolsMs) / bareMs).toFixed(1)], 10, 24));
  }
}

async function calls(): Promise<void> {
  const { ca, identities } = identitiesFor([HOST]);
  const upstream = createServer(identities[0], (request, response) => {
    const text = new URL(request.url ?? '', 'https://x').searchParams.get('text');
    response
      .setHeader('Content-Type', 'application/json')
      .end(JSON.stringify({ text, filler: 'x'.repeat(1_000) }));
  });
  upstream.listen(0, '127.0.0.1');
  await once(upstream, 'listening');
  const { port } = upstream.address() as AddressInfo; // a listening TCP server has an AddressInfo
  const place: ApiPlace = { host: HOST, port, caPem: ca, isMcp: false };
  const child = fork(
    fileURLToPath(new URL('./support/api-gateway.ts', import.meta.url)),
    [JSON.stringify(place)],
    {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      execArgv: [...serveFlags],
    },
  );
  const ended = once(child, 'exit');
  const [gateway] = (await once(child, 'message')) as [{ url: string; token: string }];
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const rows: { readonly name: string; readonly caller: Caller; readonly times: number[] }[] = [
    { name: 'direct TLS request', caller: direct({ port, ca, agent }), times: [] },
    {
      name: 'tool of the API',
      caller: await sessionCaller(`${gateway.url}/mcp/default/echo`, gateway.token),
      times: [],
    },
  ];
  let id = 0;
  const timed = async ({ name, caller, times }: (typeof rows)[number]): Promise<void> => {
    id += 1;
    const wanted = `hello ${id}`;
    const start = performance.now();
    const answer = await caller.call(id);
    times.push(performance.now() - start);
    if (!answer.includes(wanted)) throw new Error(`${name} answered ${answer.slice(0, 300)}`);
  };
  for (const row of rows) for (let call = 0; call < CALLS_PER_ROUND; call += 1) await timed(row);
  for (const row of rows) row.times.length = 0;
  for (let done = 0; done < Number(flags.calls); done += CALLS_PER_ROUND)
    for (const row of rows) for (let call = 0; call < CALLS_PER_ROUND; call += 1) await timed(row);
  print(tableLine(['call, ms', 'p50', 'p99', 'added p50', '× direct'], 12, 24));
  const base = quantile(rows[0]?.times.toSorted((a, b) => a - b) ?? [], 0.5);
  for (const { name, times, caller } of rows) {
    const sorted = times.toSorted((a, b) => a - b);
    const p50 = quantile(sorted, 0.5);
    const cells = [p50, quantile(sorted, 0.99), p50 - base, p50 / base].map((value) => value.toFixed(3));
    print(tableLine([name, ...cells], 12, 24));
    caller.close();
  }
  child.disconnect();
  await ended;
  agent.destroy();
  upstream.close();
}

function direct({
  port,
  ca,
  agent,
}: {
  readonly port: number;
  readonly ca: string;
  readonly agent: Agent;
}): Caller {
  return {
    call: (id) =>
      new Promise((done, fail) => {
        const path = `/echo?text=${encodeURIComponent(`hello ${id}`)}`;
        get(
          { host: '127.0.0.1', port, path, agent, ca, servername: HOST, headers: { Host: HOST } },
          (response) => {
            let body = '';
            response.on('data', (piece: Buffer) => {
              body += piece.toString();
            });
            response.on('end', () => done(body));
          },
        ).on('error', fail);
      }),
    close: () => {},
  };
}

documents();
print();
await calls();
