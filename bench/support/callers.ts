/** Clients that cost as little as possible: one tool call at a time, over lines or over a kept HTTP connection. */
import { once } from 'node:events';
import { request } from 'node:http';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { type Answer, KeptConnection } from './kept-connection.ts';

export interface Caller {
  /** One `tools/call`; resolves with the answer's text. */
  call(id: number): Promise<string>;
  close(): void;
}

const VERSION = '2025-11-25';
export const INITIALIZE = JSON.stringify({
  jsonrpc: '2.0',
  id: 'init',
  method: 'initialize',
  params: { protocolVersion: VERSION, capabilities: {}, clientInfo: { name: 'bench', version: '1.0.0' } },
});
const INITIALIZED = '{"jsonrpc":"2.0","method":"notifications/initialized"}';

const callText = (id: number, meta = '', tool = 'echo'): string =>
  `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"${tool}","arguments":{"text":"hello ${id}"}${meta}}}`;

export async function lineCaller(input: Writable, output: Readable, close: () => void): Promise<Caller> {
  const waiting: ((line: string) => void)[] = [];
  createInterface({ input: output }).on('line', (line) => waiting.shift()?.(line));
  const exchange = (text: string): Promise<string> =>
    new Promise((resolve) => {
      waiting.push(resolve);
      input.write(`${text}\n`);
    });
  await exchange(INITIALIZE);
  input.write(`${INITIALIZED}\n`);
  return { call: (id) => exchange(callText(id)), close };
}

const COMMON = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };

export async function sessionCaller(url: string, token: string, tool = 'echo'): Promise<Caller> {
  const authorization = `Bearer ${token}`;
  const first = new KeptConnection(url, { ...COMMON, authorization });
  const session = (await post(first, INITIALIZE)).fields.get('mcp-session-id') ?? '';
  first.close();
  const named = { 'mcp-session-id': session, 'mcp-protocol-version': VERSION };
  const connection = new KeptConnection(url, { ...COMMON, authorization, ...named });
  await post(connection, INITIALIZED);
  return {
    call: async (id) => (await post(connection, callText(id, '', tool))).body,
    close: () => connection.close(),
  };
}

const STATELESS = '2026-07-28';
/** What each request says of itself, as a member of its parameters. */
export const ENVELOPE = `"_meta":${JSON.stringify({
  'io.modelcontextprotocol/protocolVersion': STATELESS,
  'io.modelcontextprotocol/clientInfo': { name: 'bench', version: '1.0.0' },
  'io.modelcontextprotocol/clientCapabilities': { elicitation: {} },
})}`;

/** For requests of revision 2026-07-28: every one stands for itself. */
export const statelessConnection = (
  url: string,
  token: string,
  method: string,
  name: string,
): KeptConnection =>
  new KeptConnection(url, {
    ...COMMON,
    authorization: `Bearer ${token}`,
    'mcp-protocol-version': STATELESS,
    'mcp-method': method,
    ...(name === '' ? {} : { 'mcp-name': name }),
  });

export function statelessCaller(url: string, token: string): Caller {
  const connection = statelessConnection(url, token, 'tools/call', 'echo');
  return {
    call: async (id) => (await post(connection, callText(id, `,${ENVELOPE}`))).body,
    close: () => connection.close(),
  };
}

/** A line connection through the gateway's local socket, as `sallyport stdio` makes it. */
export async function stdioBridge(socketPath: string, path: string): Promise<Socket> {
  const headers = { host: 'localhost', connection: 'Upgrade', upgrade: 'mcp-stdio' };
  const outgoing = request({ socketPath, path, headers, agent: false });
  outgoing.end();
  const [, socket] = (await once(outgoing, 'upgrade')) as [unknown, Socket];
  return socket;
}

async function post(connection: KeptConnection, text: string): Promise<Answer> {
  const answer = await connection.post(text);
  if (answer.status >= 300) throw new Error(`HTTP ${answer.status}: ${answer.body}`);
  return answer;
}
