/** A server elsewhere that tests write: plain HTTP on loopback, and the way there without a data plane in between. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CellId } from '../../../src/kernel/index.ts';
import type { HttpTransport, UpstreamExit } from '../../../src/mcp/index.ts';
import type { Parsed } from '../harness.ts';

/** A request as the server got it. */
export interface Got {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** The body parsed; empty where there is none. */
  readonly message: Parsed;
}

export type Answerer = (got: Got, res: ServerResponse) => unknown;

export interface StandIn {
  readonly url: string;
  readonly got: Got[];
  /** `POST tools/call`, `GET`, `DELETE`, in order. */
  readonly seen: string[];
  close(): Promise<void>;
}

/** @param isStateless whether it is told that somebody asks which revisions it speaks */
export async function standIn(answer: Answerer, isStateless = false): Promise<StandIn> {
  const got: Got[] = [];
  const seen: string[] = [];
  const server = createServer((req, res) => {
    void (async () => {
      const pieces: Buffer[] = [];
      for await (const piece of req) pieces.push(piece as Buffer);
      const body = Buffer.concat(pieces).toString('utf8');
      const { method = '', url: path = '' } = req;
      const message = (body === '' ? {} : JSON.parse(body)) as Parsed;
      const one: Got = { method, path, headers: req.headers, body, message };
      // Asked for the revision that it does not speak.
      if (message['method'] === 'server/discover' && !isStateless) return json(res, {}, {}, 400);
      got.push(one);
      seen.push(
        `${method} ${body === '' ? '' : typeof message['method'] === 'string' ? message['method'] : 'answer'}`.trim(),
      );
      answer(one, res);
    })();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    got,
    seen,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

export interface TestTransport extends HttpTransport {
  readonly notes: string[];
  readonly challenges: string[];
  /** Has the server told that it is over, and no more. */
  farewell(): Promise<void>;
}

const ignored = (): void => undefined;

/** @param challenged whether to ask once more, each time */
export function transportTo(
  address: string,
  cell: CellId,
  challenged: readonly boolean[] = [],
): TestTransport {
  const over = Promise.withResolvers<UpstreamExit>();
  const [notes, challenges]: [string[], string[]] = [[], []];
  const answers = [...challenged];
  const farewells = new Set<() => Promise<void>>();
  const farewell = async (): Promise<void> => {
    await Promise.all([...farewells].map((tell) => tell()));
  };
  const close = async (reason: string): Promise<void> => {
    await farewell().catch(() => undefined);
    over.resolve({ code: null, signal: null, reason });
  };
  return {
    kind: 'http',
    cell,
    url: new URL(address),
    exited: over.promise,
    notes,
    challenges,
    note: (text) => void notes.push(text),
    onFarewell(tell) {
      farewells.add(tell);
      return () => farewells.delete(tell);
    },
    close,
    farewell,
    streamEnded: () => close('its event stream ended'),
    challenged: (status, said) => {
      challenges.push(`${status} ${said}`);
      return Promise.resolve(answers.shift() ?? false);
    },
    exchange: ({ method, url, headers, body }, signal) =>
      new Promise((resolve, reject) => {
        const outgoing = request(url, { method, headers: Object.fromEntries(headers), signal }, (res) => {
          res.on('error', () => undefined);
          const header = (name: string): string | null => {
            const value = res.headers[name];
            return typeof value === 'string' ? value : null;
          };
          resolve({ status: res.statusCode ?? 0, header, body: res });
        });
        outgoing.on('error', reject);
        // Between an answer and its connection's way back to the pool nothing of Node's listens there.
        outgoing.on('socket', (socket) => {
          if (!socket.listeners('error').includes(ignored)) socket.on('error', ignored);
        });
        outgoing.end(body ?? undefined);
      }),
  };
}

export const json = (res: ServerResponse, value: unknown, headers = {}, status = 200): void => {
  res.writeHead(status, { 'Content-Type': 'application/json', ...headers });
  res.end(JSON.stringify(value));
};

export const stream = (res: ServerResponse, headers = {}): void => {
  res.writeHead(200, { 'Content-Type': 'text/event-stream', ...headers });
  res.flushHeaders();
};

export const event = (value: unknown, id?: string): string =>
  `${id === undefined ? '' : `id: ${id}\n`}data: ${typeof value === 'string' ? value : JSON.stringify(value)}\n\n`;

export const resultOf = ({ message }: Got, result: unknown): Parsed => ({
  jsonrpc: '2.0',
  id: message['id'],
  result,
});

const HELLO = {
  protocolVersion: '2025-06-18',
  capabilities: { tools: { listChanged: true }, resources: {} },
  serverInfo: { name: 'far', version: '1' },
};
const TOOL = {
  name: 'echo',
  inputSchema: { type: 'object' },
  annotations: { readOnlyHint: true },
};

/** What every server here does with the rest: a session, one tool, no stream of its own. */
export function usual(got: Got, res: ServerResponse, sessions: readonly string[] = ['s-1']): void {
  const { method, message } = got;
  if (method === 'DELETE') res.writeHead(204).end();
  else if (method === 'GET') res.writeHead(405).end();
  else if (message['id'] === undefined || message['method'] === undefined) res.writeHead(202).end();
  else if (message['method'] === 'initialize')
    json(res, resultOf(got, HELLO), sessions[0] === undefined ? {} : { 'Mcp-Session-Id': sessions[0] });
  else if (message['method'] === 'tools/list') json(res, resultOf(got, { tools: [TOOL] }));
  else json(res, resultOf(got, { content: [{ type: 'text', text: 'done' }] }));
}

export const isCall = ({ message }: Got): boolean => message['method'] === 'tools/call';
