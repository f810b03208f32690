// The SDK's first generation, which most clients in use are built on.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { CreateMessageRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { report } from './report.mjs';

await report(async ({ url, token, command, args, env, sse }) => {
  const requestInit = { headers: { authorization: `Bearer ${token}` } };
  const Http = sse ? SSEClientTransport : StreamableHTTPClientTransport;
  const transport = url
    ? new Http(new URL(url), { requestInit })
    : new StdioClientTransport({ command, args, env });
  const client = new Client({ name: 'sdk-v1', version: '1.0.0' }, { capabilities: { sampling: {} } });
  const answer = { role: 'assistant', model: 'none', content: { type: 'text', text: 'as sampled' } };
  client.setRequestHandler(CreateMessageRequestSchema, async () => answer);
  await client.connect(transport);
  return {
    tools: async () => (await client.listTools()).tools.map(({ name }) => name),
    call: (name, given) => client.callTool({ name, arguments: given }),
    close: () => client.close(),
  };
});
