/**
 * The upstream of the soak: answers by path, well or badly. Tells its parent its port, and when asked, how many
 * connections and requests are open.
 */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Identity } from './identity.ts';
import { webSocketServer } from './soak-websocket.ts';

export interface UpstreamSetup {
  readonly identity: Identity;
  readonly key: string;
}

export interface UpstreamState {
  readonly connections: number;
  /** Requests that are not answered. */
  readonly requests: number;
  /** Requests without the real key. */
  readonly unauthorized: number;
}

const QUICK = JSON.stringify({ items: Array.from({ length: 10 }, (_, id) => ({ id, name: `item-${id}` })) });
const LARGE = Buffer.alloc(2 ** 20, '{"id":1,"name":"item"}\n');
const EVENTS = 20;
const EVENT_MS = 1_000;
const SLOW_HEAD_MS = 5_000;
/** Of the answer that ends in its middle. */
const PART = 4_096;

const behaviours: Readonly<
  Record<string, (request: IncomingMessage, response: ServerResponse) => void | Promise<void>>
> = {
  '/v1/quick': (_request, response) => void response.end(QUICK),
  '/v1/large': (_request, response) => void response.end(LARGE),
  '/v1/hang': () => undefined,
  '/v1/cut': (request) => void request.socket.destroy(),
  '/v1/half': (_request, response) => {
    response.setHeader('content-length', LARGE.length);
    response.write(LARGE.subarray(0, PART));
  },
  '/v1/reset': (request, response) => {
    response.setHeader('content-length', LARGE.length);
    response.write(LARGE.subarray(0, PART), () => request.socket.destroy());
  },
  async '/v1/slow'(_request, response) {
    await sleep(SLOW_HEAD_MS);
    response.end(QUICK);
  },
  async '/v1/events'(_request, response) {
    response.setHeader('content-type', 'text/event-stream');
    for (let event = 0; event < EVENTS && !response.destroyed; event += 1) {
      response.write(`data: {"event":${event}}\n\n`);
      await sleep(EVENT_MS);
    }
    response.end();
  },
  async '/v1/echo'(request, response) {
    let bytes = 0;
    for await (const piece of request) bytes += (piece as Buffer).length;
    response.end(JSON.stringify({ bytes }));
  },
};

const [{ identity, key }] = (await once(process, 'message')) as [UpstreamSetup];
let [connections, requests, unauthorized] = [0, 0, 0];
const server = createServer({ ...identity, keepAliveTimeout: 60_000 }, (request, response) => {
  requests += 1;
  response.once('close', () => {
    requests -= 1;
  });
  request.on('error', () => undefined);
  response.on('error', () => undefined);
  if (request.headers.authorization !== `Bearer ${key}`) {
    unauthorized += 1;
    response.writeHead(401).end();
    return;
  }
  const behave = behaviours[request.url ?? ''];
  if (behave === undefined) response.writeHead(404).end();
  else Promise.resolve(behave(request, response)).catch(() => undefined); // whoever asked has gone
});
const upgrade = webSocketServer((more) => {
  requests += more;
});
server.on('upgrade', (request, socket, head) => {
  if (request.headers.authorization !== `Bearer ${key}`) {
    unauthorized += 1;
    socket.destroy();
  } else upgrade(request, socket, head);
});
server.requestTimeout = 0;
server.headersTimeout = 0;
server.on('connection', (socket) => {
  connections += 1;
  socket.once('close', () => {
    connections -= 1;
  });
});
server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 });
await once(server, 'listening');
process.on('message', () => {
  process.send?.({ connections, requests, unauthorized } satisfies UpstreamState);
});
process.once('disconnect', () => process.exit(0));
process.send?.({ port: (server.address() as AddressInfo).port });
