/**
 * A call at a server elsewhere, over TLS on loopback: through a whole gateway, by the network, as a client with a session,
 * against the same POST sent directly on a connection that is kept.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Agent, createServer, request, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { serveFlags } from '../../bin/flags.mjs';
import type { ApiPlace } from './api-gateway.ts';
import { type Caller, sessionCaller } from './callers.ts';
import { identitiesFor } from './identity.ts';
import { printLatencies } from './measured.ts';
import { scheduledUs } from './processes.ts';

const HOST = 'mcp.bench.example';
const PER_ROUND = 100;

interface Asked {
  readonly id?: number | string;
  readonly method: string;
  readonly params?: { readonly arguments?: { readonly text?: string } };
}

function resultOf({ method, params }: Asked): object {
  const serverInfo = { name: 'echo', version: '1.0.0' };
  if (method === 'initialize')
    return { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo };
  if (method === 'tools/list') return { tools: [{ name: 'echo', inputSchema: { type: 'object' } }] };
  return { content: [{ type: 'text', text: params?.arguments?.text ?? '' }] };
}

async function echoServer(identity: { readonly cert: string; readonly key: string }): Promise<Server> {
  const server = createServer(identity, (incoming, response) => {
    if (incoming.method !== 'POST') {
      response.writeHead(405).end();
      return;
    }
    let text = '';
    incoming.setEncoding('utf8').on('data', (piece: string) => (text += piece));
    incoming.on('end', () => {
      const asked = JSON.parse(text) as Asked;
      if (asked.id === undefined) response.writeHead(202).end();
      else
        response
          .setHeader('Content-Type', 'application/json')
          .end(JSON.stringify({ jsonrpc: '2.0', id: asked.id, result: resultOf(asked) }));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

function direct(port: number, ca: string): Caller {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const headers = {
    Host: HOST,
    'Content-Type': 'application/json',
    Accept: 'application/json, text/event-stream',
  };
  return {
    call: (id) =>
      new Promise((done, fail) => {
        const options = {
          host: '127.0.0.1',
          port,
          path: '/mcp',
          method: 'POST',
          agent,
          ca,
          servername: HOST,
        };
        const outgoing = request({ ...options, headers }, (response) => {
          let body = '';
          response.setEncoding('utf8').on('data', (piece: string) => (body += piece));
          response.on('end', () => done(body));
        });
        outgoing.on('error', fail);
        const params = { name: 'echo', arguments: { text: `hello ${id}` } };
        outgoing.end(JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params }));
      }),
    close: () => agent.destroy(),
  };
}

/** @param calls of each */
export async function remoteCalls(calls: number): Promise<void> {
  const { ca, identities } = identitiesFor([HOST]);
  const server = await echoServer(identities[0]);
  const { port } = server.address() as AddressInfo; // a listening TCP server has an AddressInfo
  const place: ApiPlace = { host: HOST, port, caPem: ca, isMcp: true };
  const child = fork(fileURLToPath(new URL('api-gateway.ts', import.meta.url)), [JSON.stringify(place)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    execArgv: [...serveFlags],
  });
  const ended = once(child, 'exit');
  const [gateway] = (await once(child, 'message')) as [{ url: string; token: string }];
  const ours = await sessionCaller(`${gateway.url}/mcp/default/echo`, gateway.token);
  const costs: number[] = [];
  const rows = [
    { name: 'direct, TLS, a session', caller: direct(port, ca), times: [] as number[], costs: [] },
    { name: 'gateway, HTTP session', caller: ours, times: [] as number[], costs },
  ];
  let id = 0;
  const turn = async ({ name, caller, times }: (typeof rows)[number]): Promise<void> => {
    for (let call = 0; call < PER_ROUND; call += 1) {
      id += 1;
      const before = performance.now();
      const answer = await caller.call(id);
      times.push(performance.now() - before);
      if (!answer.includes(`hello ${id}"`)) throw new Error(`${name} answered ${answer.slice(0, 300)}`);
    }
  };
  for (const row of rows) await turn(row);
  for (const row of rows) row.times.length = 0;
  for (let done = 0; done < calls; done += PER_ROUND) {
    for (const row of rows) {
      const before = scheduledUs(child.pid ?? 0);
      await turn(row);
      if (row.caller === ours) costs.push((scheduledUs(child.pid ?? 0) - before) / PER_ROUND);
    }
  }
  printLatencies('a server elsewhere, ms', rows);
  for (const { caller } of rows) caller.close();
  child.disconnect();
  await ended;
  server.closeAllConnections();
  server.close();
}
