// The MCP client of an agent framework: LangChain's adapters.
import { MultiServerMCPClient } from '@langchain/mcp-adapters';
import { report } from './report.mjs';

await report(async ({ url, token, command, args, env }) => {
  const server = url
    ? { transport: 'http', url, headers: { Authorization: `Bearer ${token}` } }
    : { transport: 'stdio', command, args, env };
  const client = new MultiServerMCPClient({ mcpServers: { gateway: server }, throwOnLoadError: true });
  const tools = await client.getTools();
  return {
    tools: async () => tools.map(({ name }) => name),
    async call(name, given) {
      const tool = tools.find((candidate) => candidate.name === name);
      try {
        return { content: [{ type: 'text', text: String(await tool.invoke(given)) }] };
      } catch (error) {
        return { isError: true, content: [{ type: 'text', text: error.message }] };
      }
    },
    close: () => client.close(),
  };
});
