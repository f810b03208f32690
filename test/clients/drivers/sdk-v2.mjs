// The SDK's second generation, in the revision that it is told to speak.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { report } from './report.mjs';

await report(async ({ url, token, command, args, env, mode }) => {
  const requestInit = { headers: { authorization: `Bearer ${token}` } };
  const transport = url
    ? new StreamableHTTPClientTransport(new URL(url), { requestInit })
    : new StdioClientTransport({ command, args, env });
  const client = new Client(
    { name: 'sdk-v2', version: '1.0.0' },
    { capabilities: { sampling: {} }, versionNegotiation: { mode } },
  );
  const answer = { role: 'assistant', model: 'none', content: { type: 'text', text: 'as sampled' } };
  client.setRequestHandler('sampling/createMessage', async () => answer);
  await client.connect(transport);
  return {
    tools: async () => (await client.listTools()).tools.map(({ name }) => name),
    call: (name, given) => client.callTool({ name, arguments: given }),
    close: () => client.close(),
  };
});
