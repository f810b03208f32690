/** Stripe's package relays to a hosted MCP server, so its stand-in speaks just enough MCP over Streamable HTTP. */
import type { Json } from '../../../src/kernel/index.ts';
import type { CatalogServer, SeenRequest } from '../catalog-server.ts';
import { bearer } from './bearer.ts';

const HOST = 'mcp.stripe.com';

export const stripe: CatalogServer = {
  name: 'stripe',
  credential: 'STRIPE_SECRET_KEY',
  keyShape: 'rk_live_{alnum:99}',
  placeholder: /^[rs]k_live_[A-Za-z0-9]{99}$/,
  call: { tool: 'retrieve_balance', arguments: {} },
  routes: [
    { host: HOST, method: 'POST', path: '/', answer: hostedServer },
    { host: HOST, method: 'GET', path: '/', status: 405, answer: null },
  ],
  arrivals: [
    { host: HOST, method: 'POST', path: '/', places: [bearer] },
    { host: HOST, method: 'GET', path: '/', places: [bearer] },
  ],
  resultShows: '4711',
};

/** Answers one JSON-RPC message; null for a notification. */
function hostedServer(request: SeenRequest): Json {
  const message: unknown = JSON.parse(request.body);
  if (typeof message !== 'object' || message === null || !('id' in message) || !('method' in message))
    return null;
  const { id, method } = message;
  if (typeof id !== 'number' && typeof id !== 'string') return null;
  return { jsonrpc: '2.0', id, result: resultOf(String(method)) };
}

function resultOf(method: string): Json {
  if (method === 'initialize') {
    return {
      protocolVersion: '2025-06-18',
      capabilities: { tools: {} },
      serverInfo: { name: 'stripe', version: '1.0.0' },
    };
  }
  if (method === 'tools/list') {
    return {
      tools: [
        {
          name: 'retrieve_balance',
          description: 'Retrieve the balance',
          inputSchema: { type: 'object', properties: {} },
          annotations: { readOnlyHint: true },
        },
      ],
    };
  }
  return { content: [{ type: 'text', text: 'available: 4711 {reflected}' }] };
}
