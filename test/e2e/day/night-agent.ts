/**
 * An agent that nobody stops: it asks the same thing over and over, on a few kept connections, and costs the machine as
 * little as it can. Speaks Streamable HTTP with a session, by hand.
 */
import { Agent, type IncomingMessage, request } from 'node:http';

const VERSION = '2025-11-25';

export interface NightAgent {
  /** Calls a tool so many times. @returns how often it was answered with a result, and what else it was told, without repeats */
  calls(count: number, tool: string, args: object): Promise<{ results: number; others: readonly string[] }>;
  close(): void;
}

/** @param url of the profile's endpoint */
export async function startNightAgent(url: string, token: string, lanes: number): Promise<NightAgent> {
  const agent = new Agent({ keepAlive: true, maxSockets: lanes + 1 });
  const headers: Record<string, string> = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
  };
  const send = (method: string, body: string): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      request(url, { method, agent, headers }, resolve).once('error', reject).end(body);
    });
  const post = async (message: object): Promise<{ head: IncomingMessage; text: string }> => {
    const head = await send('POST', JSON.stringify({ jsonrpc: '2.0', ...message }));
    const chunks: Buffer[] = [];
    for await (const chunk of head) chunks.push(Buffer.from(chunk));
    return { head, text: Buffer.concat(chunks).toString() };
  };

  const clientInfo = { name: 'night-agent', version: '1.0.0' };
  const params = { protocolVersion: VERSION, capabilities: {}, clientInfo };
  const { head } = await post({ id: 'init', method: 'initialize', params });
  headers['mcp-session-id'] = String(head.headers['mcp-session-id']);
  headers['mcp-protocol-version'] = VERSION;
  await post({ method: 'notifications/initialized' });
  const stream = await send('GET', '');
  stream.on('error', () => undefined).resume();

  let id = 0;
  return {
    async calls(count, tool, args) {
      let left = count;
      let results = 0;
      const others = new Set<string>();
      const lane = async (): Promise<void> => {
        for (; left > 0; ) {
          left -= 1;
          id += 1;
          const { text } = await post({ id, method: 'tools/call', params: { name: tool, arguments: args } });
          const [answer = ''] = /\{.*\}/.exec(text) ?? [];
          const said = JSON.parse(answer) as { result?: object; error?: { message: string } };
          if (said.result === undefined) others.add(said.error?.message ?? text);
          else results += 1;
        }
      };
      await Promise.all(Array.from({ length: lanes }, lane));
      return { results, others: [...others] };
    },
    close: () => agent.destroy(),
  };
}
