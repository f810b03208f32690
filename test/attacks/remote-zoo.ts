/** Servers elsewhere that misbehave when they are called, one for each name, over TLS on loopback. */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createSecureContext } from 'node:tls';
import { createTestAuthority } from '../egress/test-authority.ts';

interface Message {
  readonly id?: number | string;
  readonly method?: string;
}
type Misdeed = (res: ServerResponse, id: string) => void;

const result = (id: string, text: string): string =>
  `{"jsonrpc":"2.0","id":${id},"result":{"content":[{"type":"text","text":"${text}"}]}}`;
const json = (res: ServerResponse, text: string, headers: Record<string, string> = {}): void =>
  void res.writeHead(200, { 'Content-Type': 'application/json', ...headers }).end(text);
const events = (res: ServerResponse): ServerResponse =>
  res.writeHead(200, { 'Content-Type': 'text/event-stream' });

/** For as long as anybody reads. */
function forever(res: ServerResponse, piece: string): void {
  const more = (): void => {
    if (!res.destroyed) res.write(piece, () => setImmediate(more));
  };
  more();
}

const NOTIFICATION =
  'data: {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"none","progress":1}}\n\n';

const MISDEEDS: Readonly<Record<string, Misdeed>> = {
  'remote-hangs': () => undefined,
  'remote-floods': (res) => forever(events(res), NOTIFICATION.repeat(200)),
  'remote-endless-line': (res) => forever(events(res), 'x'.repeat(65_536)),
  'remote-answers-others': (res, id) =>
    events(res).end(`data: ${result('"not-yours"', 'not yours')}\n\ndata: ${result(id, 'mine')}\n\n`),
  'remote-answers-twice': (res, id) =>
    events(res).end(`data: ${result(id, 'first')}\n\ndata: ${result(id, 'second')}\n\n`),
  'remote-breaks-off': (res) => {
    res.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': '1000' });
    res.write('{"jsonrpc":"2.0",', () => res.destroy());
  },
  'remote-lies-of-coding': (res, id) => json(res, result(id, 'x'), { 'Content-Encoding': 'gzip' }),
  'remote-codes-often': (res, id) =>
    json(res, result(id, 'x'), { 'Content-Encoding': Array.from({ length: 500 }, () => 'gzip').join(',') }),
  'remote-goes-round': (res) => void res.writeHead(307, { Location: '/mcp' }).end(),
  'remote-ends-sessions': (res) => void res.writeHead(404).end(),
};

export const REMOTE_ZOO: readonly string[] = Object.keys(MISDEEDS);

export interface RemoteZoo {
  /** Of `sallyport.yaml`, but for the file of the authority. */
  readonly egress: {
    readonly resolve: Readonly<Record<string, string>>;
    readonly allowNetworks: readonly string[];
  };
  readonly caPem: string;
  /** Calls that arrived, by name. */
  readonly calls: Map<string, number>;
  manifestOf(name: string): string;
  close(): void;
}

const hostOf = (name: string): string => `${name}.zoo.test`;

export async function openRemoteZoo(): Promise<RemoteZoo> {
  const authority = createTestAuthority(['zoo.test']);
  const contexts = new Map(
    REMOTE_ZOO.map((name) => [hostOf(name), createSecureContext(authority.issue(hostOf(name)))]),
  );
  const calls = new Map<string, number>();

  function answer(name: string, { id, method }: Message, res: ServerResponse): void {
    const idText = JSON.stringify(id);
    if (id === undefined) res.writeHead(202).end();
    else if (method === 'initialize')
      json(
        res,
        `{"jsonrpc":"2.0","id":${idText},"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"${name}","version":"1"}}}`,
        { 'Mcp-Session-Id': 'zoo' },
      );
    else if (method === 'tools/list')
      json(
        res,
        `{"jsonrpc":"2.0","id":${idText},"result":{"tools":[{"name":"go","inputSchema":{"type":"object"}}]}}`,
      );
    else if (method === 'tools/call') {
      calls.set(name, (calls.get(name) ?? 0) + 1);
      MISDEEDS[name]?.(res, idText);
    } else json(res, `{"jsonrpc":"2.0","id":${idText},"error":{"code":-32601,"message":"no"}}`);
  }

  const server = createServer(
    {
      ...authority.issue(hostOf(REMOTE_ZOO[0] ?? '')),
      SNICallback: (host, done) => done(null, contexts.get(host)),
    },
    (req: IncomingMessage, res: ServerResponse) => {
      const pieces: Buffer[] = [];
      res.on('error', () => undefined);
      req.on('data', (piece: Buffer) => pieces.push(piece));
      req.on('end', () => {
        if (req.method !== 'POST') {
          res.writeHead(405).end();
          return;
        }
        const name = (req.headers.host ?? '').split('.', 1)[0] ?? '';
        answer(name, JSON.parse(Buffer.concat(pieces).toString('utf8')) as Message, res);
      });
    },
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // a listening TCP server has an AddressInfo
  return {
    egress: {
      resolve: Object.fromEntries(REMOTE_ZOO.map((name) => [`${hostOf(name)}:443`, `127.0.0.1:${port}`])),
      allowNetworks: ['127.0.0.1/32'],
    },
    caPem: authority.caPem,
    calls,
    manifestOf: (name) =>
      JSON.stringify({
        schemaVersion: 2,
        name,
        version: '1.0.0',
        server: { kind: 'remote', url: `https://${hostOf(name)}/mcp` },
        egress: [{ host: hostOf(name) }],
        tools: { default: ['go'] },
      }),
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
