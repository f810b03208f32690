/** The API over the local socket of a running gateway. */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import type { Transport } from '../api/index.ts';
import { AppError } from '../kernel/index.ts';
import { type JoinFailure, joinProblem } from './stdio-join.ts';

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

/** @param outcome what the connection came to */
export function joinError(outcome: JoinFailure, cause?: unknown): AppError {
  const { message, hint } = joinProblem(outcome);
  return new AppError(`gateway_${outcome.kind}`, message, { kind: 'unavailable', hint, cause });
}

const gatewayGone = (cause: unknown): AppError => joinError({ kind: 'gone' }, cause);

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
