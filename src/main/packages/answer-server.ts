/**
 * The gateway in place of a registry: answers one install cell over HTTP. What asks is not trusted, and may ask as fast and as
 * oddly as it likes: it has few connections, each with one request at a time, and of what is large only pieces are held.
 */
import { open } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Server, Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { limits } from '../../kernel/index.ts';
import type { LocalAnswer } from '../../sandbox/index.ts';

export interface AnswerServer {
  /** @param server listening inside the cell, with `pauseOnConnect` */
  accept(server: Server): void;
  /** Cuts every connection. */
  close(): void;
}

export function createAnswerServer(answer: (path: string) => Promise<LocalAnswer | null>): AnswerServer {
  const connected = new Set<Socket>();
  const busy = new Set<Socket>();
  const http = createServer((request, response) => {
    const { socket } = request;
    // Whoever fetches waits for one answer before it asks for the next, and says nothing more than what it wants.
    if (busy.has(socket) || !isPlain(request)) {
      socket.destroy();
      return;
    }
    busy.add(socket);
    response.once('close', () => busy.delete(socket));
    void respond(request, response, answer).catch(() => socket.destroy());
  });
  // Of either side: who does not read is no better than who does not ask.
  http.timeout = limits.packageAnswerIdleMs;
  return {
    accept(server) {
      server.on('connection', (socket) => {
        if (connected.size >= limits.packageAnswerConnectionsMax) {
          socket.destroy();
          return;
        }
        connected.add(socket);
        socket
          .on('error', () => undefined)
          .once('close', () => {
            connected.delete(socket);
            busy.delete(socket);
          });
        http.emit('connection', socket);
        socket.resume();
      });
    },
    close() {
      for (const socket of connected) socket.destroy();
    },
  };
}

const isPlain = ({ method, headers }: IncomingMessage): boolean =>
  (method === 'GET' || method === 'HEAD') &&
  headers['transfer-encoding'] === undefined &&
  (headers['content-length'] ?? '0') === '0';

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  answer: (path: string) => Promise<LocalAnswer | null>,
): Promise<void> {
  const found = (await answer(request.url ?? '/')) ?? NOT_FOUND;
  const { body } = found;
  const isWanted = request.method !== 'HEAD';
  if (!('file' in body)) {
    head(response, found, body.length).end(isWanted ? body : undefined);
    return;
  }
  const file = await open(body.file);
  try {
    const { size } = await file.stat();
    head(response, found, size);
    if (!isWanted || size === 0) response.end();
    else await pipeline(file.createReadStream({ end: size - 1, autoClose: false }), response);
  } finally {
    await file.close();
  }
}

const head = (response: ServerResponse, { status, type }: LocalAnswer, bytes: number): ServerResponse =>
  response.writeHead(status, { 'content-type': type, 'content-length': bytes });

const NOT_FOUND: LocalAnswer = { status: 404, type: 'application/json', body: Buffer.from('{}') };
