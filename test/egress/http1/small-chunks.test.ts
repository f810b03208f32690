/** A body in chunks of one byte takes its way in pieces of the size of a read, in either direction. */
import { once } from 'node:events';
import { describe, expect, it, vi } from 'vitest';
import { CellOverhead } from '../../../src/egress/cell-overhead.ts';
import { readBody } from '../../../src/egress/http1/small-chunks.ts';
import { BodyReader } from '../../../src/wire/index.ts';
import { API, errorOf, httpsUpstream, inWorld, rawUpstream, readAll, TOKEN } from '../world.ts';

const CHUNKS = 5_000;
const text = Array.from({ length: CHUNKS }, (_, index) => 'abcdefg'.charAt(index % 7)).join('');
const body = Array.from(text, (char) => `1\r\n${char}\r\n`).join('');
/** What is left of a chunked body without its framing, and in how many chunks it was. */
function chunksOf(message: string): { text: string; chunks: number } {
  const pieces: Buffer[] = [];
  const reader = new BodyReader({ kind: 'chunked' }, { extensions: 'refuse' });
  reader.read(Buffer.from(message.slice(message.indexOf('\r\n\r\n') + 4), 'latin1'), 0, {
    onBody: (data) => pieces.push(data),
  });
  return { text: Buffer.concat(pieces).toString('latin1'), chunks: pieces.length };
}

describe('chunks of one byte', () => {
  it('are put together as they were read, around larger ones', () => {
    const large = 'x'.repeat(5_000);
    const bytes = Buffer.from(`${body}1388\r\n${large}\r\n${body}0\r\n\r\n`, 'latin1');
    for (const cut of [0, 1, 7, 20_000, bytes.length - 3]) {
      const pieces: Buffer[] = [];
      const reader = new BodyReader({ kind: 'chunked' }, { extensions: 'refuse' });
      for (const part of [bytes.subarray(0, cut), bytes.subarray(cut)])
        readBody(reader, part, 0, { onBody: (data) => pieces.push(data) });
      expect(reader.done).toBe(true);
      expect(Buffer.concat(pieces).toString('latin1') === text + large + text).toBe(true);
      expect(pieces.length).toBeLessThan(8);
    }
  });

  it('of a request arrive as larger ones', async () => {
    let seen = '';
    const upstream = await rawUpstream((socket) => {
      socket.on('data', (bytes: Buffer) => {
        seen += bytes.toString('latin1');
        if (seen.endsWith('\r\n0\r\n\r\n')) socket.write('HTTP/1.1 204 No Content\r\n\r\n');
      });
    });
    await inWorld({ upstreams: { [`${API}:443`]: upstream } }, async (world) => {
      const head = `POST / HTTP/1.1\r\nHost: ${API}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n`;
      expect(await world.exchange(`${head}${body}0\r\n\r\n`)).toContain('204');
      const sent = chunksOf(seen);
      expect(sent.text === text).toBe(true);
      expect(sent.chunks).toBeLessThan(CHUNKS / 50);
    });
  });

  it('of an answer arrive as larger ones, and a key in them is found', async () => {
    const key = Array.from(TOKEN, (char) => `1\r\n${char}\r\n`).join('');
    const answer = `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body}${key}${body}0\r\n\r\n`;
    const upstream = await rawUpstream((socket) => socket.on('data', () => socket.write(answer)));
    await inWorld({ upstreams: { [`${API}:443`]: upstream } }, async (world) => {
      const received = chunksOf(
        await world.exchange(`GET / HTTP/1.1\r\nHost: ${API}\r\nConnection: close\r\n\r\n`),
      );
      expect(received.text.startsWith(text) && received.text.endsWith(text)).toBe(true);
      expect(received.text).not.toContain(TOKEN);
      expect(received.chunks).toBeLessThan(CHUNKS / 50);
    });
  });

  it('without end: refused in words, and a neighbour that sends larger ones is not concerned', async () => {
    const upstream = await httpsUpstream((request, response) => {
      request.on('error', () => undefined).resume();
      request.on('end', () => response.end('ok'));
    });
    await inWorld({ upstreams: { [`${API}:443`]: upstream } }, async (world) => {
      const socket = await world.connectTls();
      const answered = readAll(socket);
      socket.write(`POST / HTTP/1.1\r\nHost: ${API}\r\nTransfer-Encoding: chunked\r\n\r\n`);
      const piece = '1\r\na\r\n'.repeat(10_000);
      for (let sent = 0; !socket.destroyed && sent < 64 * 1024 * 1024; sent += piece.length)
        if (!socket.write(piece)) await Promise.race([once(socket, 'drain'), answered]);
      expect(errorOf(await answered).code).toBe('egress_request_malformed');
      expect((await world.eventsOf('egress.refused'))[0]?.data).toMatchObject({ reason: 'chunks_too_small' });
      const large = `${(60_000).toString(16)}\r\n${'x'.repeat(60_000)}\r\n`.repeat(50);
      const usual = '5\r\nabcde\r\n'.repeat(10_000);
      const head = `POST / HTTP/1.1\r\nHost: ${API}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n`;
      expect(await world.exchange(`${head}${large}${usual}0\r\n\r\n`)).toContain('200 OK');
    });
  });

  it('that are too many with the last one: the upstream never has all of it, and the connection ends', async () => {
    let seen = '';
    let begun = (): void => undefined;
    const hasBegun = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const upstream = await rawUpstream((socket) => {
      socket.on('data', (bytes: Buffer) => {
        seen += bytes.toString('latin1');
        begun();
      });
    });
    const draw = vi.spyOn(CellOverhead.prototype, 'draw').mockReturnValue(false);
    await inWorld({ upstreams: { [`${API}:443`]: upstream } }, async (world) => {
      const socket = await world.connectTls();
      const answered = readAll(socket);
      socket.write(`POST / HTTP/1.1\r\nHost: ${API}\r\nTransfer-Encoding: chunked\r\n\r\n`);
      await hasBegun;
      socket.write(`${'1\r\na\r\n'.repeat(10)}0\r\n\r\n`);
      expect(errorOf(await answered).code).toBe('egress_request_malformed');
    });
    draw.mockRestore();
    expect(seen).toContain('POST / HTTP/1.1\r\n');
    expect(seen).not.toContain('\r\n0\r\n\r\n');
  });
});
