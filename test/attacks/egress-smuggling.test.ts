/**
 * ATTACKS 11: requests that two readers could cut differently. The upstream is a plain socket that keeps every
 * byte. The control is a request that has one reading: it arrives, once.
 */
import { describe, expect, it } from 'vitest';
import { API, errorOf, inWorld, rawUpstream, type World } from '../egress/world.ts';

const HOST = `Host: ${API}\r\n`;
const SMUGGLED = `GET /smuggled HTTP/1.1\r\n${HOST}\r\n`;

async function withListener(body: (world: World, received: () => string) => Promise<void>): Promise<void> {
  let text = '';
  const upstream = await rawUpstream((socket) => {
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1');
      if (text.includes('\r\n\r\n')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
  });
  await inWorld({ upstreams: { 'api.test:443': upstream } }, (world) => body(world, () => text));
}

describe('ATTACKS 11: smuggling', () => {
  it('control: a request in a body with one reading stays a body', async () => {
    await withListener(async (world, received) => {
      const text = await world.exchange(
        `POST /a HTTP/1.1\r\n${HOST}Content-Length: ${SMUGGLED.length}\r\nConnection: close\r\n\r\n${SMUGGLED}`,
      );
      expect(text.match(/HTTP\/1\.1 200/g)).toHaveLength(1);
      expect(received()).toContain(`Content-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`);
    });
  });

  it('control: requests that come together are each one, in their order', async () => {
    await withListener(async (world, received) => {
      const text = await world.exchange(
        `GET /1 HTTP/1.1\r\n${HOST}\r\nPOST /2 HTTP/1.1\r\n${HOST}Content-Length: 2\r\n\r\nhiGET /3 HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`,
      );
      expect(text.match(/HTTP\/1\.1 200/g)).toHaveLength(3);
      expect(received().match(/^(?:hi)?(?:GET|POST) \/\d/gm)).toEqual(['GET /1', 'POST /2', 'hiGET /3']);
    });
  });

  it('what comes behind a request that is refused is not read', async () => {
    await withListener(async (world, received) => {
      const text = await world.exchange(
        `GET /1 HTTP/1.1\r\n${HOST}\r\nGET /2 HTTP/1.1\r\n${HOST}X : y\r\n\r\n${SMUGGLED}`,
      );
      expect(text).toMatch(/^HTTP\/1\.1 200 [^]*HTTP\/1\.1 400 /);
      expect(text.match(/HTTP\/1\.1 \d{3} /g)).toHaveLength(2);
      expect(received()).toContain('GET /1 ');
      expect(received()).not.toMatch(/\/2 |smuggled/);
      expect((await world.eventsOf('egress.refused'))[0]?.data).toMatchObject({
        code: 'egress_request_malformed',
      });
    });
  });

  it.each([
    [
      'length and chunks',
      `POST / HTTP/1.1\r\n${HOST}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
    ],
    [
      'two lengths',
      `POST / HTTP/1.1\r\n${HOST}Content-Length: 0\r\nContent-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
    ],
    [
      'chunked, identity',
      `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${SMUGGLED}`,
    ],
    [
      'two codings',
      `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n${SMUGGLED}`,
    ],
    [
      'a folded coding',
      `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
    ],
    ['a bare LF', `POST / HTTP/1.1\r\n${HOST}X: a\nContent-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`],
    ['NUL', `POST / HTTP/1.1\r\n${HOST}X: a\0b\r\n\r\n${SMUGGLED}`],
    [
      'space before the colon',
      `POST / HTTP/1.1\r\n${HOST}Content-Length : ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
    ],
    [
      'a chunk extension',
      `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0;x=y\r\n\r\n${SMUGGLED}`,
    ],
    [
      'LF in a chunk extension',
      `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n2;\nxx\r\n0\r\n\r\n${SMUGGLED}`,
    ],
    [
      'a chunk size that overflows',
      `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n\r\n${SMUGGLED}`,
    ],
    [
      'more data than the chunk',
      `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n${SMUGGLED}`,
    ],
    ['an empty length', `POST / HTTP/1.1\r\n${HOST}Content-Length:\r\n\r\n${SMUGGLED}`],
    ['a length of nothing with a sign', `POST / HTTP/1.1\r\n${HOST}Content-Length: +0\r\n\r\n${SMUGGLED}`],
    ['a length of nothing in hex', `POST / HTTP/1.1\r\n${HOST}Content-Length: 0x0\r\n\r\n${SMUGGLED}`],
    ['a length with a blank in it', `POST / HTTP/1.1\r\n${HOST}Content-Length: 0 0\r\n\r\n${SMUGGLED}`],
    [
      'a list of lengths',
      `POST / HTTP/1.1\r\n${HOST}Content-Length: 0, ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
    ],
    [
      'a chunk size of no digits',
      `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n\r\n${SMUGGLED}`,
    ],
    [
      'a chunk size of nothing in hex',
      `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n${SMUGGLED}`,
    ],
    [
      'chunked twice',
      `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
    ],
    [
      'chunked, as another word',
      `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
    ],
    [
      'chunks in HTTP/1.0',
      `POST / HTTP/1.0\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
    ],
    ['a negative length', `POST / HTTP/1.1\r\n${HOST}Content-Length: -1\r\n\r\n${SMUGGLED}`],
    [
      'a length in a trailer',
      `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 9\r\n\r\n${SMUGGLED}`,
    ],
    [
      'Content-Length taken away by Connection',
      `POST / HTTP/1.1\r\n${HOST}Connection: Content-Length\r\nContent-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
    ],
  ])('%s: refused, closed, and nothing of it arrives', async (_name, bytes) => {
    await withListener(async (world, received) => {
      const text = await world.exchange(bytes);
      expect(text.startsWith('HTTP/1.1 400 Bad Request\r\n')).toBe(true);
      expect(text).toContain('Connection: close');
      expect(errorOf(text).code).toBe('egress_request_malformed');
      expect(received()).not.toContain('smuggled');
      expect((await world.eventsOf('egress.refused'))[0]?.data).toMatchObject({
        code: 'egress_request_malformed',
      });
    });
  });

  it('Upgrade without a 101: nothing is tunnelled', async () => {
    await withListener(async (world, received) => {
      const text = await world.exchange(
        `GET / HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n${SMUGGLED}`,
      );
      expect(text).toContain('egress_websocket_malformed');
      expect(received()).not.toMatch(/upgrade/i);
      expect((await world.eventsOf('egress.refused'))[0]?.data).toMatchObject({
        code: 'egress_websocket_malformed',
      });
    });
  });
});

describe('ATTACKS 7, as far as one connection goes', () => {
  it.each([
    ['a head without end', `GET / HTTP/1.1\r\n${HOST}X: ${'a'.repeat(40_000)}`],
    ['a line without end', 'G'.repeat(40_000)],
    ['fields without end', `GET / HTTP/1.1\r\n${HOST}${'A: b\r\n'.repeat(200)}`],
  ])('%s', async (_name, bytes) => {
    await withListener(async (world) => {
      const text = await world.exchange(bytes);
      expect(errorOf(text).code).toBe('egress_request_malformed');
      expect((await world.eventsOf('egress.refused'))[0]?.data).toMatchObject({
        code: 'egress_request_malformed',
      });
    });
  });
});
