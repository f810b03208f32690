/**
 * Where a browser comes back to from a login: a port of this machine for the time of one command (RFC 8252 section 7.3).
 * Whatever reaches it may be from anybody on the machine, or from a page that knows the port: what is in a query is
 * handed on unread, and whose it is decides the `state` in it.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CallbackArrival, CallbackDoor } from '../../cli/index.ts';
import { AppError, limits } from '../../kernel/index.ts';

const HOST = '127.0.0.1';
const PATH = '/oauth/callback';

/** @param port 0: any that is free. @throws AppError `listen_failed` */
export async function openCallbackDoor(port: number): Promise<CallbackDoor> {
  const waiting: CallbackArrival[] = [];
  let wake: (() => void) | null = null;
  let closed = false;
  const server = createServer({ maxHeaderSize: limits.requestHeadBytesMax }, (req, res) => {
    const [path, query = ''] = (req.url ?? '').split('?', 2);
    if (req.headers.host !== origin) return say(res, 403, 'This address is not for that name.');
    if (path !== PATH || req.method !== 'GET') return say(res, 404, 'There is nothing here.');
    if (waiting.length >= limits.oauthLoginsMax) return say(res, 503, 'Too much at a time.');
    waiting.push({ query, answer: (good, text) => say(res, good ? 200 : 400, text) });
    wake?.();
  });
  server.unref();
  await new Promise<void>((done, fail) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      fail(
        new AppError('listen_failed', `Cannot listen on ${HOST}:${port}: ${error.code ?? 'unknown error'}.`, {
          kind: 'failed',
          hint: 'Choose another port with --port, and have it registered where the authorization server asks for that.',
          cause: error,
        }),
      ),
    );
    server.listen(port, HOST, done);
  });
  const origin = `${HOST}:${(server.address() as AddressInfo).port}`; // it listens on TCP

  async function* arrivals(): AsyncGenerator<CallbackArrival> {
    while (!closed) {
      const next = waiting.shift();
      if (next === undefined)
        await new Promise<void>((done) => {
          wake = done;
        });
      else yield next;
    }
  }
  return {
    redirectUri: `http://${origin}${PATH}`,
    arrivals: arrivals(),
    async close() {
      closed = true;
      wake?.();
      const over = new Promise((done) => server.close(done));
      server.closeIdleConnections();
      setTimeout(() => server.closeAllConnections(), limits.oauthFarewellMs).unref();
      await over;
    },
  };
}

/** Text only, with nothing of the request in it, and kept from being looked at by anybody else. */
function say(res: ServerResponse<IncomingMessage>, status: number, text: string): void {
  res.writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-store',
    connection: 'close',
  });
  res.end(`${text}\n`);
}
