/**
 * Plays an API: one HTTPS listener on loopback, under an authority of its own, that answers for every host of a route
 * table and keeps what it was sent. It hands the request's credentials back in a header, and wherever an answer says
 * `{reflected}`, as careless services do: that has to be masked on the way in.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { CellAuthority } from '../../src/egress/ca/cell-authority.ts';
import { systemClock, systemRandom } from '../../src/kernel/index.ts';
import type { SeenRequest, StandInRoute } from './catalog-server.ts';

const BODY_BYTES_MAX = 1024 * 1024;
const CREDENTIAL_HEADERS = ['authorization', 'x-api-key', 'api-key', 'x-subscription-token', 'x-figma-token'];

export interface StandIn {
  /** `address:port`, what `egress.resolve` maps each host to. */
  readonly authority: string;
  /** What `extraCa` has to trust. */
  readonly caPem: string;
  readonly requests: readonly SeenRequest[];
  close(): Promise<void>;
}

export async function startStandIn(routes: readonly StandInRoute[]): Promise<StandIn> {
  const requests: SeenRequest[] = [];
  const hosts = [...new Set(routes.map((route) => route.host))];
  const ca = new CellAuthority('stand-in', hosts, { clock: systemClock, random: systemRandom });
  const server = createServer(
    {
      SNICallback: (name, done) => {
        if (hosts.includes(name)) done(null, ca.contextFor(name));
        else done(new Error(`the stand-in plays no ${name}`));
      },
    },
    (request, response) => {
      answer(request, response, routes, requests).catch((cause: unknown) => {
        response.destroy(cause instanceof Error ? cause : new Error(String(cause)));
      });
    },
  );
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo; // a listening TCP server has an AddressInfo
  return {
    authority: `127.0.0.1:${port}`,
    caPem: ca.caPem,
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
  const headers = Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [name, [value ?? []].flat().join(', ')]),
  );
  const host = (headers['host'] ?? '').replace(/:\d+$/, '');
  const method = request.method ?? '';
  const target = request.url ?? '';
  const route = routes.find(
    (one) => one.host === host && one.method === method && pathMatches(one.path, pathOf(target)),
  );
  const seen: SeenRequest = { host, method, target, headers, body, known: route !== undefined };
  requests.push(seen);
  const credentials = CREDENTIAL_HEADERS.flatMap((name) => headers[name] ?? []);
  const reflected = [...credentials, target].join(' ');
  response.setHeader('x-reflected', reflected);
  response.setHeader('content-type', 'application/json');
  if (route === undefined) {
    response.writeHead(404);
    response.end('{"error":"no such route in the stand-in"}');
    return;
  }
  const content = typeof route.answer === 'function' ? route.answer(seen) : route.answer;
  response.writeHead(route.status ?? (content === null ? 202 : 200), route.headers);
  if (content === null) response.end();
  else
    response.end(JSON.stringify(content).replaceAll('{reflected}', JSON.stringify(reflected).slice(1, -1)));
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
