/**
 * Plays an API: one HTTPS listener on loopback that answers for every host of a route table and keeps what it was sent.
 * Every answer also hands the request's credentials back in a header, as careless services do: that has to be masked on the way in.
 */
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { SeenRequest, StandInRoute } from './catalog-server.ts';
import type { TestCa } from './test-ca.ts';

const BODY_BYTES_MAX = 1024 * 1024;

export interface StandIn {
  /** `address:port`, what `egress.resolve` maps each host to. */
  readonly authority: string;
  readonly requests: readonly SeenRequest[];
  close(): Promise<void>;
}

export async function startStandIn(ca: TestCa, routes: readonly StandInRoute[]): Promise<StandIn> {
  const requests: SeenRequest[] = [];
  const hosts = [...new Set(routes.map((route) => route.host))];
  const server = createServer(await ca.issue(hosts), (request, response) => {
    answer(request, response, routes, requests).catch((cause: unknown) => {
      response.destroy(cause instanceof Error ? cause : new Error(String(cause)));
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo; // a listening TCP server has an AddressInfo
  return {
    authority: `127.0.0.1:${port}`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Whether `path` (no query) is the one that a route or an arrival names. */
export function pathMatches(pattern: string, path: string): boolean {
  return pattern.endsWith('*') ? path.startsWith(pattern.slice(0, -1)) : path === pattern;
}

/** The path of a request without its query. */
export function pathOf(target: string): string {
  return target.split('?', 1)[0] ?? '';
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  routes: readonly StandInRoute[],
  requests: SeenRequest[],
): Promise<void> {
  const body = await readBody(request);
  const host = (request.headers.host ?? '').replace(/:\d+$/, '');
  const method = request.method ?? '';
  const target = request.url ?? '';
  const route = routes.find(
    (one) => one.host === host && one.method === method && pathMatches(one.path, pathOf(target)),
  );
  const headers = Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [name, [value ?? []].flat().join(', ')]),
  );
  const seen: SeenRequest = { host, method, target, headers, body, known: route !== undefined };
  requests.push(seen);
  response.setHeader('x-reflected', [headers['authorization'], headers['x-api-key']].join(' '));
  if (route === undefined) {
    response.writeHead(404, { 'content-type': 'application/json' });
    response.end('{"error":"no such route in the stand-in"}');
    return;
  }
  const content = typeof route.answer === 'function' ? route.answer(seen) : route.answer;
  response.writeHead(route.status ?? (content === null ? 202 : 200), {
    'content-type': 'application/json',
    ...route.headers,
  });
  response.end(content === null ? '' : JSON.stringify(content));
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > BODY_BYTES_MAX) throw new Error('request body too large for the stand-in');
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}
