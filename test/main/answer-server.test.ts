/** The gateway in place of a registry, asked by somebody who means no good. */
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeEach, expect, it } from 'vitest';
import { limits } from '../../src/kernel/index.ts';
import { type AnswerServer, createAnswerServer } from '../../src/main/packages/answer-server.ts';
import { waitFor } from '../e2e/harness.ts';

const root = mkdtempSync(join(tmpdir(), 'sallyport-answers-'));
const LARGE_BYTES = 400 * 1_024 * 1_024;
writeFileSync(join(root, 'archive'), 'of the archive');
writeFileSync(join(root, 'large'), '');
truncateSync(join(root, 'large'), LARGE_BYTES);
afterAll(() => rmSync(root, { recursive: true, force: true }));

let asked: string[];
/** Lets `/slow` be answered. */
let release: () => void;
let answers: AnswerServer;
let listener: Server;
const sockets: Socket[] = [];

beforeEach(async () => {
  asked = [];
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  answers = createAnswerServer(async (path) => {
    asked.push(path);
    if (path === '/slow') await gate;
    if (path === '/broken') throw new Error('no');
    if (path === '/nothing') return null;
    if (path === '/gone')
      return { status: 200, type: 'application/octet-stream', body: { file: join(root, 'gone') } };
    if (path === '/archive' || path === '/large')
      return { status: 200, type: 'application/octet-stream', body: { file: join(root, path) } };
    return { status: 200, type: 'text/plain', body: Buffer.from(`answer to ${path}`) };
  });
  listener = createServer({ pauseOnConnect: true });
  answers.accept(listener);
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
});
afterEach(() => {
  answers.close();
  listener.close();
  for (const socket of sockets.splice(0)) socket.destroy();
});

const port = (): number => (listener.address() as AddressInfo).port; // a TCP listener has one
function dial(): Socket {
  const socket = connect(port(), '127.0.0.1').on('error', () => undefined);
  sockets.push(socket);
  return socket;
}
/** All that comes back, until the other side ends. */
async function say(words: string): Promise<string> {
  const socket = dial();
  socket.write(words);
  return text(socket).catch(() => '');
}
const get = (path: string, rest = '', method = 'GET'): string =>
  `${method} ${path} HTTP/1.1\r\nhost: x\r\n${rest}\r\n`;
const last = 'connection: close\r\n';

it('gives answers and files, one after the other on one connection', async () => {
  const socket = dial();
  socket.write(get('/one'));
  await new Promise((resolve) => socket.once('data', resolve));
  socket.write(get('/archive', last));
  const came = await text(socket);
  expect(came).toContain('content-length: 14\r\n');
  expect(came.endsWith('of the archive')).toBe(true);
  expect(await say(get('/nothing', last))).toMatch(/^HTTP\/1\.1 404 /);
  const asksOnly = await say(get('/archive', last, 'HEAD'));
  expect(asksOnly).toContain('content-length: 14\r\n');
  expect(asksOnly.endsWith('\r\n\r\n')).toBe(true);
});

it.each([
  ['with a body', get('/one', 'content-length: 5\r\n')],
  ['with a body of any length', get('/one', 'transfer-encoding: chunked\r\n')],
  ['that would change something', get('/one', '', 'PUT')],
  ['that fails', get('/broken')],
  ['for a file that is gone', get('/gone')],
  ['that is none', 'no HTTP at all\r\n\r\n'],
])('cuts a connection with a request %s', async (_, words) => {
  expect(await say(words)).not.toMatch(/ 200 /);
});

it('answers one request of a connection at a time', async () => {
  const came = say(get('/slow') + get('/one') + get('/two'));
  expect(await came).toBe('');
  release();
  expect(asked).toEqual(['/slow']);
});

it('has a bound of connections, which is there again when some end', async () => {
  const first = Array.from({ length: limits.packageAnswerConnectionsMax }, dial);
  for (const socket of first) socket.write(get('/one'));
  await Promise.all(first.map((socket) => new Promise((resolve) => socket.once('data', resolve))));
  expect(await say(get('/more', last))).toBe('');
  expect(asked).not.toContain('/more');
  first[0]?.destroy();
  await waitFor(async () => (await say(get('/more', last))).includes(' 200 '));
});

it('holds only pieces of what nobody reads', async () => {
  const before = process.memoryUsage();
  const readers = Array.from({ length: 8 }, dial);
  for (const socket of readers) {
    socket.pause();
    socket.write(get('/large'));
  }
  await waitFor(() => asked.length === readers.length);
  const after = process.memoryUsage();
  expect(after.arrayBuffers + after.external - before.arrayBuffers - before.external).toBeLessThan(
    LARGE_BYTES / 4,
  );
});
