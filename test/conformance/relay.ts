/** Passes HTTP requests on as they come, with some headers put in place, in the clear or behind TLS. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';

export interface RelayOptions {
  /** In lower case; in place of the client's. */
  readonly headers: Readonly<Record<string, string>>;
  /** Speaks TLS to its clients. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

export interface Relay {
  readonly port: number;
  close(): Promise<void>;
}

/** @param target every request goes there, whatever its own path */
export async function openRelay(target: URL, { headers, tls }: RelayOptions): Promise<Relay> {
  const answer = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    const own = Object.entries(headers).flat();
    const kept = incoming.rawHeaders.filter(
      (_, index, all) => headers[(all[index - (index % 2)] ?? '').toLowerCase()] === undefined,
    );
    const options = { method: incoming.method, headers: [...kept, ...own], setHost: false };
    const forwarded = request(target, options, (answered) => {
      outgoing.writeHead(answered.statusCode ?? 502, answered.rawHeaders);
      outgoing.flushHeaders();
      answered.on('error', () => outgoing.destroy());
      answered.pipe(outgoing);
    });
    forwarded.on('error', () => outgoing.destroy());
    outgoing.on('close', () => forwarded.destroy());
    incoming.pipe(forwarded);
  };
  const server = tls === undefined ? createServer(answer) : createTlsServer(tls, answer);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bound = server.address();
  return {
    port: typeof bound === 'object' && bound !== null ? bound.port : 0,
    async close() {
      const closed = once(server, 'close');
      server.closeAllConnections();
      server.close();
      await closed;
    },
  };
}
