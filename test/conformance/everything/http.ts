/**
 * `node http.ts both|session|stateless`: the everything server over Streamable HTTP on a free port of loopback, at
 * `/mcp`. Prints its address.
 */
import { createServer } from 'node:http';
import { randomUUID } from 'node:crypto';
import { getRequestListener } from '@hono/node-server';
import {
  createMcpHandler,
  type EventStore,
  hostHeaderValidationResponse,
  isLegacyRequest,
  localhostAllowedHostnames,
  localhostAllowedOrigins,
  originValidationResponse,
  WebStandardStreamableHTTPServerTransport,
} from '@modelcontextprotocol/server';
import { type Announce, everythingServer } from './server.ts';

const era = process.argv[2];
const stateless = createMcpHandler(() => everythingServer('modern', announce), { legacy: 'reject' });
const announce: Announce = stateless.notify;
const sessions = new Map<string, WebStandardStreamableHTTPServerTransport>();

/** Everything is kept: these processes live as long as a test. */
function keptEvents(): EventStore {
  const events: { id: string; stream: string; message: Parameters<EventStore['storeEvent']>[1] }[] = [];
  return {
    async storeEvent(stream, message) {
      const id = `${stream}/${events.length}`;
      events.push({ id, stream, message });
      return id;
    },
    async getStreamIdForEventId(wanted) {
      return events.find(({ id }) => id === wanted)?.stream;
    },
    async replayEventsAfter(last, { send }) {
      const at = events.findIndex(({ id }) => id === last);
      const stream = events[at]?.stream ?? '';
      for (const event of events.slice(at + 1))
        if (event.stream === stream) await send(event.id, event.message);
      return stream;
    },
  };
}

async function inSession(request: Request): Promise<Response> {
  const known = sessions.get(request.headers.get('mcp-session-id') ?? '');
  if (known !== undefined) return known.handleRequest(request);
  if (request.headers.has('mcp-session-id')) return new Response(null, { status: 404 });
  const transport = new WebStandardStreamableHTTPServerTransport({
    sessionIdGenerator: () => randomUUID(),
    eventStore: keptEvents(),
    retryInterval: 500,
    onsessioninitialized: (id) => void sessions.set(id, transport),
    onsessionclosed: (id) => void sessions.delete(id),
  });
  await everythingServer('legacy', null).connect(transport);
  return transport.handleRequest(request);
}

const listener = getRequestListener(async (request) => {
  const refused =
    hostHeaderValidationResponse(request, localhostAllowedHostnames()) ??
    originValidationResponse(request, localhostAllowedOrigins());
  if (refused !== undefined) return refused;
  const old = era === 'session' || (era === 'both' && (await isLegacyRequest(request)));
  return old ? inSession(request) : stateless.fetch(request);
});
const server = createServer((incoming, outgoing) => void listener(incoming, outgoing));
server.listen(0, '127.0.0.1', () => {
  const bound = server.address();
  if (typeof bound === 'object') process.stdout.write(`http://127.0.0.1:${bound?.port}/mcp\n`);
});
