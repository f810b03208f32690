// An MCP server on stdio that asks its API what it is told to: a request that nobody answers, or a WebSocket that stays open.
import { createInterface } from 'node:readline';

const HOST = 'api.kill.example';
const answer = (id, result) => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', id, result })}\n`);
const said = (id, text) => answer(id, { content: [{ type: 'text', text }] });
const tool = (name) => ({ name, inputSchema: { type: 'object' }, annotations: { readOnlyHint: true } });

createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params } = JSON.parse(line);
  if (id === undefined) return;
  if (method === 'initialize') {
    const serverInfo = { name: 'cell', version: '1.0.0' };
    answer(id, { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo });
  } else if (method === 'tools/list') {
    answer(id, { tools: ['echo', 'hold', 'asked', 'socket'].map(tool) });
  } else if (method === 'tools/call') {
    const { name, arguments: given } = params;
    const headers = { authorization: `Bearer ${process.env.KEY}` };
    if (name === 'hold')
      fetch(`https://${HOST}/hold/${given.text}`, { headers }).then(
        () => said(id, 'answered'),
        (error) => said(id, String(error)),
      );
    else if (name === 'socket') {
      const socket = new WebSocket(`wss://${HOST}/socket/${given.text}?key=${process.env.KEY}`);
      socket.addEventListener('open', () => said(id, 'open'));
      socket.addEventListener('error', () => said(id, 'failed'));
    } else said(id, given.text);
  }
});
