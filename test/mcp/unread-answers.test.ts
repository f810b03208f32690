/** Clients that ask and do not read: what they leave unread has an end, and it is their own. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { limits } from '../../src/kernel/index.ts';
import { UnreadAnswers } from '../../src/mcp/http/unread-answers.ts';
import { principal, startHarness } from './harness.ts';

/** Five of them are too many. */
const LARGE = Buffer.alloc(limits.mcpUnreadBytesPerCallerMax / 4 - limits.MIB, 'x');

const ended: (() => void)[] = [];
afterEach(() => {
  for (const end of ended.splice(0)) end();
});

/** Answers everybody at length, as the caller that the path names. */
async function serving(): Promise<{ unread: UnreadAnswers; port: number }> {
  const unread = new UnreadAnswers();
  const server = createServer((req, res) => {
    unread.watch(principal(req.url ?? '', 'default'), res);
    res.end(LARGE);
  }).listen(0, '127.0.0.1');
  ended.push(() => {
    unread.close();
    server.closeAllConnections();
    server.close();
  });
  await once(server, 'listening');
  return { unread, port: (server.address() as AddressInfo).port };
}

interface Client {
  readonly socket: Socket;
  readonly state: { bytes: number; closed: boolean };
}

async function asking(port: number, who: string): Promise<Client> {
  const socket = connect(port, '127.0.0.1');
  const state = { bytes: 0, closed: false };
  socket.on('error', () => undefined);
  socket.once('close', () => {
    state.closed = true;
  });
  socket.write(`GET /${who} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  // Its first bytes: it is being answered from then on.
  await once(socket, 'readable');
  ended.push(() => void socket.destroy());
  return { socket, state };
}

const rest = async ({ socket, state }: Client): Promise<boolean> => {
  socket.on('data', (chunk: Buffer) => void (state.bytes += chunk.length));
  await expect.poll(() => state.closed || state.bytes > LARGE.length, { timeout: 20_000 }).toBe(true);
  return !state.closed;
};

describe('what a caller does not read', () => {
  it('is cut off where it is too much, and what others leave is not', async () => {
    const { unread, port } = await serving();
    const greedy = await Promise.all(Array.from({ length: 6 }, () => asking(port, 'a')));
    const other = await asking(port, 'b');
    unread.look();
    const whole = await Promise.all([...greedy, other].map(rest));
    expect(whole.filter((isWhole) => !isWhole)).toHaveLength(2);
    expect(whole.at(-1)).toBe(true);
  });

  it('is looked for in everything that the front answers', async () => {
    const harness = await startHarness({ default: {} });
    ended.push(() => void harness.close());
    let isDestroyed = false;
    const res = {
      headersSent: false,
      destroyed: false,
      writableEnded: false,
      writableLength: limits.mcpUnreadBytesPerCallerMax + 1,
      setHeader: () => undefined,
      writeHead: () => res,
      flushHeaders: () => undefined,
      write: () => undefined,
      end: () => undefined,
      on: () => undefined,
      once: () => undefined,
      destroy: () => {
        isDestroyed = true;
      },
    };
    const headers = {
      host: 'localhost',
      authorization: 'Bearer good.default',
      accept: 'text/event-stream',
    };
    const req = { method: 'GET', url: '/mcp/default', headers, socket: { remoteAddress: '127.0.0.1' } };
    await harness.front.handleHttp(req as never, res as never);
    await expect.poll(() => isDestroyed, { timeout: 10_000 }).toBe(true);
  });
});
