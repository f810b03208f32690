// The smallest stdio MCP server: one tool that gives its text back.
import { createInterface } from 'node:readline';

const answer = (id, result) => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', id, result })}\n`);

createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params } = JSON.parse(line);
  if (id === undefined) return;
  if (method === 'initialize') {
    const serverInfo = { name: 'echo', version: '1.0.0' };
    answer(id, { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo });
  } else if (method === 'tools/list') {
    const tool = { name: 'echo', inputSchema: { type: 'object' }, annotations: { readOnlyHint: true } };
    answer(id, { tools: [tool] });
  } else if (method !== 'tools/call') {
    const error = { code: -32601, message: 'Method not found' };
    process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', id, error })}\n`);
  } else {
    answer(id, { content: [{ type: 'text', text: params.arguments.text }] });
  }
});
