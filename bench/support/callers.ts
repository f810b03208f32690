/** Clients that cost as little as possible: one tool call at a time, over lines or over a kept HTTP connection. */
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

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

export async function sessionCaller(url: string, token: string, tool = 'echo'): Promise<Caller> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const headers: Record<string, string> = { authorization: `Bearer ${token}` };
  const { sessionId } = await post(agent, url, headers, INITIALIZE);
  headers['mcp-session-id'] = sessionId;
  headers['mcp-protocol-version'] = VERSION;
  await post(agent, url, headers, INITIALIZED);
  return {
    call: async (id) => (await post(agent, url, headers, callText(id, '', tool))).body,
    close: () => agent.destroy(),
  };
}

/** Revision 2026-07-28: every request stands for itself. */
export function statelessCaller(url: string, token: string): Caller {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const version = '2026-07-28';
  const headers = {
    authorization: `Bearer ${token}`,
    'mcp-protocol-version': version,
    'mcp-method': 'tools/call',
    'mcp-name': 'echo',
  };
  const meta = {
    'io.modelcontextprotocol/protocolVersion': version,
    'io.modelcontextprotocol/clientInfo': { name: 'bench', version: '1.0.0' },
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  const suffix = `,"_meta":${JSON.stringify(meta)}`;
  return {
    call: async (id) => (await post(agent, url, headers, callText(id, suffix))).body,
    close: () => agent.destroy(),
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

async function post(
  agent: Agent,
  url: string,
  headers: Readonly<Record<string, string>>,
  text: string,
): Promise<{ body: string; sessionId: string }> {
  const body = Buffer.from(text);
  const req = request(url, {
    agent,
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'content-length': body.length,
      accept: 'application/json, text/event-stream',
      ...headers,
    },
  });
  req.end(body);
  const [res] = await once(req, 'response');
  let answer = '';
  for await (const chunk of res) answer += String(chunk);
  if (res.statusCode >= 300) throw new Error(`HTTP ${res.statusCode}: ${answer}`);
  return { body: answer, sessionId: String(res.headers['mcp-session-id'] ?? '') };
}
