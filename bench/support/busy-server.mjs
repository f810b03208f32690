// A stdio MCP server with as many tools as its argument says, among them one that asks its client before it answers, and one that says its tools changed.
import { createInterface } from 'node:readline';

const TOOLS = Number(process.argv[2]);
const write = (message) => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
const tool = (name) => ({
  name,
  description: `Does what ${name} says, for as long as it takes, and tells how it went in a sentence or two.`,
  inputSchema: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] },
  annotations: { readOnlyHint: true },
});
const names = Array.from({ length: TOOLS - 2 }, (_, index) => `tool_${index}`);
const tools = [...names, 'ask', 'change'].map(tool);
const asked = new Map();

createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params, result } = JSON.parse(line);
  if (id === undefined) return;
  if (method === undefined) {
    write({ id: asked.get(id), result: { content: [{ type: 'text', text: result.content.name }] } });
    asked.delete(id);
  } else if (method === 'initialize') {
    const serverInfo = { name: 'busy', version: '1.0.0' };
    const capabilities = { tools: { listChanged: true } };
    write({ id, result: { protocolVersion: '2025-11-25', capabilities, serverInfo } });
  } else if (method === 'tools/list') {
    write({ id, result: { tools } });
  } else if (method !== 'tools/call') {
    write({ id, error: { code: -32601, message: 'Method not found' } });
  } else if (params.name === 'ask') {
    asked.set(`q${id}`, id);
    const requestedSchema = { type: 'object', properties: { name: { type: 'string' } } };
    write({ id: `q${id}`, method: 'elicitation/create', params: { message: 'name?', requestedSchema } });
  } else {
    if (params.name === 'change') write({ method: 'notifications/tools/list_changed' });
    write({ id, result: { content: [] } });
  }
});
