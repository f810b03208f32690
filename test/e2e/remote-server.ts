/** Servers elsewhere, behind one TLS listener: each host is another kind of server. All but one want a key. */
import { once } from 'node:events';
import { type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createSecureContext } from 'node:tls';
import { createGzip } from 'node:zlib';
import { McpServer, WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/server';
import { createTestAuthority } from '../egress/test-authority.ts';

export const hosts = {
  raw: 'mcp.raw.test.example',
  sdk: 'sdk.test.example',
  old: 'old.test.example',
  packed: 'packed.test.example',
} as const;

export interface Seen {
  readonly host: string;
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export interface Elsewhere {
  readonly seen: Seen[];
  readonly caPem: string;
  /** Of `sallyport.yaml`: where the names lead. */
  readonly settings: string;
  /** What the key has to be, wherever it stands. */
  key: string;
  /** Calls of `wait` that are being worked on. */
  readonly waiting: Set<ServerResponse>;
  close(): void;
}

const TOOLS = ['echo', 'wait'].map((name) => ({
  name,
  inputSchema: { type: 'object' },
  annotations: { readOnlyHint: true },
}));

const resultFor = (method: string, key: string): object => {
  if (method === 'initialize')
    return {
      protocolVersion: '2025-11-25',
      capabilities: { tools: {} },
      serverInfo: { name: 'far', version: '1' },
    };
  if (method === 'tools/list') return { tools: TOOLS };
  return { content: [{ type: 'text', text: `your key is ${key}, ${Buffer.from(key).toString('base64')}` }] };
};

export async function openElsewhere(): Promise<Elsewhere> {
  const names: readonly string[] = Object.values(hosts);
  const authority = createTestAuthority([...names]);
  const contexts = new Map(names.map((host) => [host, createSecureContext(authority.issue(host))]));
  const seen: Seen[] = [];
  const waiting = new Set<ServerResponse>();
  let events: ServerResponse | null = null;
  const sdk = sdkServer();

  const server = createServer(
    { ...authority.issue(hosts.raw), SNICallback: (name, done) => done(null, contexts.get(name)) },
    (req, res) => void answer(req, res),
  );

  async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const pieces: Buffer[] = [];
    for await (const piece of req) pieces.push(piece as Buffer);
    const body = Buffer.concat(pieces).toString('utf8');
    const { method = '', url = '', headers } = req;
    const host = headers.host ?? '';
    seen.push({ host, method, url, headers, body });
    if (host === hosts.sdk) return sdk(seen.at(-1), res);
    const message = (body === '' ? {} : JSON.parse(body)) as {
      id?: number;
      method?: string;
      params?: { name?: string };
    };
    const reply = (): string =>
      JSON.stringify({
        jsonrpc: '2.0',
        id: message.id,
        result: resultFor(message.method ?? '', elsewhere.key),
      });
    if (host === hosts.packed) return packed(res, message.id === undefined ? null : reply());
    if (!JSON.stringify([headers, url]).includes(elsewhere.key)) return void res.writeHead(401).end();
    if (host === hosts.old) {
      if (method === 'GET') {
        events = res;
        res.writeHead(200, { 'Content-Type': 'text/event-stream' });
        res.write('event: endpoint\ndata: /messages?session=1\n\n');
      } else if (url.startsWith('/messages')) {
        res.writeHead(202).end();
        if (message.id !== undefined) events?.write(`event: message\ndata: ${reply()}\n\n`);
      } else res.writeHead(405).end();
    } else if (method !== 'POST') res.writeHead(method === 'GET' ? 405 : 204).end();
    else if (message.id === undefined) res.writeHead(202).end();
    else if (message.params?.name === 'wait') {
      waiting.add(res);
      res.on('close', () => waiting.delete(res));
      res.writeHead(200, { 'Content-Type': 'text/event-stream' });
      res.write(': working\n\n');
    } else {
      const session = message.method === 'initialize' ? { 'Mcp-Session-Id': 'raw-1' } : {};
      res.writeHead(200, { 'Content-Type': 'application/json', 'X-Your-Key': elsewhere.key, ...session });
      res.end(reply());
    }
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // a listening TCP server has an AddressInfo
  const resolve = names.map((host) => `"${host}:443": "127.0.0.1:${port}"`).join(', ');
  const elsewhere: Elsewhere = {
    seen,
    caPem: authority.caPem,
    settings: `egress: { resolve: { ${resolve} }, extraCa: [ ./upstream.pem ], allowNetworks: [ 127.0.0.0/8 ] }\n`,
    key: '',
    waiting,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
  return elsewhere;
}

/** Events, each of them compressed as it comes, from a server that nothing has to be searched of. */
function packed(res: ServerResponse, text: string | null): void {
  if (text === null) return void res.writeHead(202).end();
  res.writeHead(200, { 'Content-Type': 'text/event-stream', 'Content-Encoding': 'gzip' });
  const coder = createGzip();
  coder.pipe(res);
  coder.write(`data: ${text}\n\n`);
  // The stream stays open: what was sent has to arrive all the same.
  coder.flush();
  res.on('close', () => coder.destroy());
}

/** The SDK's own server, which writes its answers as events and serves one session at a time. */
function sdkServer(): (got: Seen | undefined, res: ServerResponse) => Promise<void> {
  let transport = new WebStandardStreamableHTTPServerTransport({ sessionIdGenerator: () => 'sdk-session' });
  return async (got, res) => {
    if (got === undefined) return;
    if (got.body.includes('"initialize"')) {
      const mcp = new McpServer({ name: 'sdk', version: '1.0.0' });
      mcp.registerTool('greet', { annotations: { readOnlyHint: true } }, async () => ({
        content: [{ type: 'text', text: 'hello from elsewhere' }],
      }));
      transport = new WebStandardStreamableHTTPServerTransport({ sessionIdGenerator: () => 'sdk-session' });
      await mcp.connect(transport);
    }
    const { method, url, headers, body } = got;
    const request = new Request(`https://${hosts.sdk}${url}`, {
      method,
      headers: Object.entries(headers).flatMap(([name, value]): [string, string][] =>
        typeof value === 'string' ? [[name, value]] : [],
      ),
      ...(body === '' ? {} : { body }),
    });
    const answer = await transport.handleRequest(request);
    res.writeHead(answer.status, Object.fromEntries(answer.headers));
    res.flushHeaders();
    for await (const piece of answer.body ?? []) res.write(piece);
    res.end();
  };
}
