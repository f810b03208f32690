/** The API over the local socket of a running gateway. */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { Transport } from '../api/index.ts';
import { AppError } from '../kernel/index.ts';

/** Whether a gateway answers on this socket. */
export function isListening(path: string): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      done(true);
    });
    socket.once('error', () => done(false));
  });
}

export const gatewayGone = (cause?: unknown): AppError =>
  new AppError('gateway_gone', 'The gateway ended the connection before it was done.', {
    kind: 'unavailable',
    hint: 'See whether it is still running: `sallyport status`; its log says why it stopped.',
    cause,
  });

export function socketTransport(path: string): Transport {
  return async (request) => {
    const body = request.body === null ? null : Buffer.from(await request.arrayBuffer());
    const url = new URL(request.url);
    return new Promise((done, fail) => {
      const outgoing = httpRequest(
        {
          socketPath: path,
          path: `${url.pathname}${url.search}`,
          method: request.method,
          headers: {
            ...Object.fromEntries(request.headers),
            host: 'localhost',
            ...(body === null ? {} : { 'content-length': body.length }),
          },
          agent: false,
        },
        (incoming) => {
          const headers = new Headers();
          for (const [name, value] of Object.entries(incoming.headers))
            if (typeof value === 'string') headers.set(name, value);
          done(
            new Response(webStream(incoming), {
              status: incoming.statusCode ?? 502,
              headers,
            }),
          );
        },
      );
      outgoing.once('error', (error) => fail(gatewayGone(error)));
      outgoing.end(body ?? undefined);
    });
  };
}

/** An answer that was cut off is an error, not a short answer. Whoever stops reading ends the request. */
function webStream(incoming: IncomingMessage): ReadableStream<Uint8Array> {
  const chunks = incoming[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  return new ReadableStream({
    async pull(controller) {
      try {
        const { done, value } = await chunks.next();
        if (done === true) controller.close();
        else controller.enqueue(value);
      } catch (error) {
        controller.error(gatewayGone(error));
      }
    },
    cancel() {
      incoming.destroy();
    },
  });
}

/** A raw stream for one stdio MCP client, through the running gateway. */
export function openStdioBridge(path: string, query: URLSearchParams): Promise<Socket> {
  return new Promise((done, fail) => {
    const outgoing = httpRequest({
      socketPath: path,
      path: `/stdio?${query.toString()}`,
      headers: { host: 'localhost', connection: 'Upgrade', upgrade: 'mcp-stdio' },
      agent: false,
    });
    outgoing.once('upgrade', (_, socket, head) => {
      if (head.length > 0) socket.unshift(head);
      done(socket);
    });
    outgoing.once('response', (response) => {
      response.resume();
      fail(
        new AppError('gateway_refused', `The gateway answered ${response.statusCode} to the stdio client.`, {
          kind: 'unavailable',
        }),
      );
    });
    outgoing.once('error', (error) => fail(gatewayGone(error)));
    outgoing.end();
  });
}
