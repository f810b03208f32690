// The MCP client of an agent framework: Vercel's AI SDK.
import { createMCPClient } from '@ai-sdk/mcp';
import { Experimental_StdioMCPTransport as StdioTransport } from '@ai-sdk/mcp/mcp-stdio';
import { report } from './report.mjs';

await report(async ({ url, token, command, args, env }) => {
  const transport = url
    ? { type: 'http', url, headers: { Authorization: `Bearer ${token}` } }
    : new StdioTransport({ command, args, env });
  const client = await createMCPClient({ transport });
  const tools = await client.tools();
  return {
    tools: async () => Object.keys(tools),
    call: (name, given) => tools[name].execute(given, { toolCallId: 'call', messages: [] }),
    close: () => client.close(),
  };
});
