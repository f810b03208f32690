/** ATTACKS 17: an upstream that sends the key back. The control is a cell without secrets, to which it comes through. */
import { once } from 'node:events';
import type { TLSSocket } from 'node:tls';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { limits } from '../../src/kernel/index.ts';
import { API, inWorld, PLACEHOLDER, rawUpstream, readAll, TOKEN, type World } from '../egress/world.ts';

const hex = Buffer.from(TOKEN).toString('hex');
const base64 = (before: string): string => Buffer.from(`${before}${TOKEN} and more`).toString('base64');

/** Forms in which the key can be recognised; a control finds each, a scrubbed answer holds none. */
const spellings: readonly [name: string, text: string][] = [
  ['plain', TOKEN],
  ['base64, first alignment', base64('')],
  ['base64, second alignment', base64('a')],
  ['base64, third alignment', base64('ab')],
  ['base64 for URLs', Buffer.from(`>>>${TOKEN}???`).toString('base64url')],
  ['hex', hex],
  ['upper-case hex', hex.toUpperCase()],
  ['percent escapes', hex.replace(/../g, '%$&')],
  ['JSON escapes', hex.replace(/../g, '\\u00$&')],
  ['HTML entities', TOKEN.replace(/./g, (char) => `&#${char.charCodeAt(0)};`)],
];

/** Answers every request with these bytes, in these pieces. */
async function reflecting(
  pieces: readonly (string | Buffer)[],
  body: (world: World) => Promise<void>,
  secrets: Readonly<Record<string, string>> = { TOKEN },
): Promise<void> {
  const act = async (socket: TLSSocket): Promise<void> => {
    for (const piece of pieces) {
      socket.write(piece);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  };
  const upstream = await rawUpstream((socket) => socket.on('data', () => void act(socket)));
  await inWorld({ upstreams: { 'api.test:443': upstream }, secrets }, body);
}

const GET = `GET / HTTP/1.1\r\nHost: ${API}\r\nConnection: close\r\n\r\n`;
const sized = (body: string | Buffer, fields = ''): Buffer =>
  Buffer.concat([
    Buffer.from(`HTTP/1.1 200 OK\r\n${fields}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n`),
    Buffer.from(body),
  ]);
const chunked = (parts: readonly (string | Buffer)[], fields = '', trailers = ''): Buffer =>
  Buffer.concat([
    Buffer.from(`HTTP/1.1 200 OK\r\n${fields}Transfer-Encoding: chunked\r\n\r\n`),
    ...parts.flatMap((part) => [
      Buffer.from(`${Buffer.byteLength(part).toString(16)}\r\n`),
      Buffer.from(part),
      Buffer.from('\r\n'),
    ]),
    Buffer.from(`0\r\n${trailers}\r\n`),
  ]);

const masked = async (world: World): Promise<void> => {
  const [event] = await world.eventsOf('egress.masked');
  expect(event?.data).toMatchObject({ credentials: ['TOKEN'], host: API });
};

describe('ATTACKS 17: reflection', () => {
  it.each(spellings)('in a body: %s', async (_name, text) => {
    const body = `{"before":1,"echo":"${text}","after":2}`;
    await reflecting(
      [sized(body)],
      async (world) => {
        expect(await world.exchange(GET), 'the control').toContain(text);
      },
      {},
    );
    await reflecting([sized(body)], async (world) => {
      const answer = await world.exchange(GET);
      expect(answer).not.toContain(text);
      expect(answer).toContain('{"before":1,"echo":"');
      expect(answer).toContain('","after":2}');
      await masked(world);
    });
  });

  it.each([
    ['the low byte first', (text: string) => Buffer.from(text, 'utf16le')],
    ['the high byte first', (text: string) => Buffer.from(text, 'utf16le').swap16()],
  ])('in a body: UTF-16, %s', async (_name, encode) => {
    const shows = async (world: World): Promise<boolean> =>
      Buffer.from(await world.exchange(GET), 'latin1').includes(encode(TOKEN));
    await reflecting([sized(encode(`x ${TOKEN} y`))], async (world) => {
      expect(await shows(world)).toBe(false);
      await masked(world);
    });
    const control = async (world: World): Promise<void> => expect(await shows(world)).toBe(true);
    await reflecting([sized(encode(`x ${TOKEN} y`))], control, {});
  });

  it.each([
    ['a header', `HTTP/1.1 200 OK\r\nX-Echo: ${TOKEN}\r\nContent-Length: 2\r\n\r\nok`],
    ['Set-Cookie', `HTTP/1.1 200 OK\r\nSet-Cookie: a=${base64('a')}\r\nContent-Length: 2\r\n\r\nok`],
    ['Location', `HTTP/1.1 302 Found\r\nLocation: https://x.test/?t=${TOKEN}\r\nContent-Length: 0\r\n\r\n`],
    ['the name of a header', `HTTP/1.1 200 OK\r\nX-${TOKEN}: 1\r\nContent-Length: 2\r\n\r\nok`],
    ['the reason phrase', `HTTP/1.1 200 ${TOKEN}\r\nContent-Length: 2\r\n\r\nok`],
    [
      'an interim answer',
      `HTTP/1.1 103 Early Hints\r\nLink: <${TOKEN}>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok`,
    ],
    ['an error page', sized(`<h1>Bad credentials: ${TOKEN}</h1>`, 'Content-Type: text/html\r\n')],
    ['a trailer', chunked(['ok'], '', `X-Echo: ${TOKEN}\r\n`)],
    [
      'octets',
      sized(
        Buffer.concat([Buffer.of(0, 255, 1), Buffer.from(TOKEN), Buffer.of(0)]),
        'Content-Type: application/octet-stream\r\n',
      ),
    ],
    ['JSON', sized(`{"a":"${TOKEN}"}`, 'Content-Type: application/json\r\n')],
    ['a form', sized(`a=1&token=${TOKEN}&b`, 'Content-Type: application/x-www-form-urlencoded\r\n')],
    [
      'a multipart form',
      sized(`--b\r\n\r\n${TOKEN}\r\n--b--\r\n`, 'Content-Type: multipart/form-data; boundary=b\r\n'),
    ],
    ['an event stream', chunked([`data: ${TOKEN}\n\n`], 'Content-Type: text/event-stream\r\n')],
  ])('in %s', async (_name, answer) => {
    await reflecting([answer], async (world) => {
      const text = await world.exchange(GET);
      expect(text).not.toContain(TOKEN);
      expect(text).not.toContain(base64('a').slice(2, -12));
      expect(text).toMatch(/HTTP\/1\.1 (200|302)/);
      await masked(world);
    });
    await reflecting(
      [answer],
      async (world) => {
        const text = await world.exchange(GET);
        expect(text.includes(TOKEN) || text.includes(base64('a')), 'the control').toBe(true);
      },
      {},
    );
  });

  const page = Buffer.from(`${'x'.repeat(500)}${TOKEN}${'y'.repeat(500)}`);
  it.each([
    ['gzip', gzipSync(page)],
    ['deflate', deflateSync(page)],
    ['deflate', deflateRawSync(page)],
    ['br', brotliCompressSync(page)],
    ['zstd', zstdCompressSync(page)],
    ['gzip', Buffer.concat([gzipSync(page.subarray(0, 510)), gzipSync(page.subarray(510))])],
    ['gzip, br', brotliCompressSync(gzipSync(page))],
  ])('through %s', async (coding, bytes) => {
    for (const answer of [
      sized(bytes, `Content-Encoding: ${coding}\r\n`),
      chunked([bytes.subarray(0, 20), bytes.subarray(20)], `Content-Encoding: ${coding}\r\n`),
    ]) {
      await reflecting([answer], async (world) => {
        const reply = await world.request();
        expect(reply.body.toString()).toBe(`${'x'.repeat(500)}${PLACEHOLDER}${'y'.repeat(500)}`);
        expect(reply.headers['content-encoding']).toBe(undefined);
        await masked(world);
      });
      const passed = async (world: World): Promise<void> => {
        const reply = await world.request();
        expect([reply.headers['content-encoding'], reply.body.equals(page)]).toEqual([undefined, true]);
      };
      await reflecting([answer], passed, {}); // the control: decoded, it has the key in it
    }
  });

  it('split at every place, over packets and over chunks', async () => {
    for (let at = 1; at < TOKEN.length; at += 3) {
      const parts = [`a${TOKEN.slice(0, at)}`, `${TOKEN.slice(at)}b`];
      await reflecting(['HTTP/1.1 200 OK\r\nContent-Length: 42\r\n\r\n', ...parts], async (world) => {
        expect((await world.request()).body.toString()).toBe(`a${PLACEHOLDER}b`);
      });
      await reflecting([chunked(parts)], async (world) => {
        expect((await world.request()).body.toString()).toBe(`a${PLACEHOLDER}b`);
        await masked(world);
      });
    }
  });

  it('asks for nothing that it could not read, and passes nothing that it cannot read', async () => {
    let asked = '';
    const upstream = await rawUpstream((socket) => {
      socket.on('data', (bytes) => {
        asked = bytes.toString('latin1');
        socket.write(sized('opaque', 'Content-Encoding: x-unknown\r\n'));
      });
    });
    await inWorld({ upstreams: { 'api.test:443': upstream } }, async (world) => {
      const reply = await world.request({ headers: { 'Accept-Encoding': 'x-unknown, gzip;q=0.5, br, *' } });
      expect(asked).toMatch(/^Accept-Encoding: gzip;q=0\.5, br\r$/im);
      expect(reply.body.toString()).toContain('egress_content_coding');
      expect(reply.body.toString()).not.toContain('opaque');
    });
  });

  it.each(['Content-Encoding', 'Grpc-Encoding', 'Connect-Content-Encoding'])(
    'says nothing of what stands in %s when it refuses an answer for that',
    async (field) => {
      await reflecting([sized('ok', `${field}: ${TOKEN}\r\n`)], async (world) => {
        const reply = await world.request();
        expect(reply.body.toString()).toContain('egress_content_coding');
        await world.eventsOf('egress.finished');
        const told = JSON.stringify([reply.headers, reply.body.toString(), world.events]).toLowerCase();
        expect(told).not.toContain(TOKEN.toLowerCase());
      });
    },
  );

  it('does not let a key come back in two ranges', async () => {
    let asked = '';
    const upstream = await rawUpstream((socket) => {
      socket.on('data', (bytes) => {
        asked = bytes.toString('latin1');
        socket.write(sized('ok'));
      });
    });
    await inWorld({ upstreams: { 'api.test:443': upstream } }, async (world) => {
      await world.request({ headers: { Range: 'bytes=0-9', 'If-Range': '"x"' } });
      expect(asked).not.toMatch(/range/i);
    });
  });

  it('masks a value that was rotated away, and a new one from the moment it is known', async () => {
    const fresh = 'ghp_fresh0value1after2rotation3xyz';
    await reflecting([sized(`${TOKEN} ${fresh}`)], async (world) => {
      expect((await world.request()).body.toString()).toBe(`${PLACEHOLDER} ${fresh}`);
      world.secrets.set('TOKEN', fresh);
      await world.cell.refresh();
      expect((await world.request()).body.toString()).toBe(`${PLACEHOLDER} ${PLACEHOLDER}`);
    });
  });

  it('masks the value in a request that was made before it was rotated away', async () => {
    const { promise: asked, resolve: ask } = Promise.withResolvers<TLSSocket>();
    const upstream = await rawUpstream((socket) => socket.once('data', () => ask(socket)));
    await inWorld({ upstreams: { 'api.test:443': upstream } }, async (world) => {
      const reply = world.request({ headers: { Authorization: `Bearer ${PLACEHOLDER}` } });
      const socket = await asked;
      world.secrets.set('TOKEN', 'ghp_fresh0value1after2rotation3xyz');
      await world.cell.refresh();
      socket.write(sized(`${TOKEN} ghp_fresh0value1after2rotation3xyz`));
      expect((await reply).body.toString()).toBe(`${PLACEHOLDER} ${PLACEHOLDER}`);
    });
  });

  it.each([
    ['plain', (text: string) => Buffer.from(text), ''],
    ['gzip', (text: string) => gzipSync(text), 'Content-Encoding: gzip\r\n'],
  ])('masks a new value in an answer that began before it was known, %s', async (_name, encode, field) => {
    const fresh = 'ghp_fresh0value1after2rotation3xyz';
    const { promise: asked, resolve: ask } = Promise.withResolvers<TLSSocket>();
    const upstream = await rawUpstream((socket) => socket.once('data', () => ask(socket)));
    await inWorld({ upstreams: { 'api.test:443': upstream } }, async (world) => {
      const socket = await world.connectTls();
      socket.write(GET);
      const origin = await asked;
      const whole = encode(`${TOKEN} ${fresh} ${fresh} end`);
      origin.write(`HTTP/1.1 200 OK\r\n${field}Content-Length: ${whole.length}\r\n\r\n`);
      origin.write(whole.subarray(0, 8));
      const [head] = (await once(socket, 'data')) as [Buffer];
      world.secrets.set('TOKEN', fresh);
      await world.cell.refresh();
      for (const byte of whole.subarray(8)) origin.write(Buffer.of(byte));
      const body = `${head.toString()}${await readAll(socket)}`.replace(/\r\n[0-9a-f]+\r\n/g, '');
      expect(body).toContain(`${PLACEHOLDER} ${PLACEHOLDER} ${PLACEHOLDER} end`);
    });
  });

  it('masks what is still in use, however often another credential was rotated', async () => {
    const steady = 'steady-value-that-nobody-rotates';
    const secrets = { STEADY: steady, TOKEN };
    await reflecting(
      [sized(steady)],
      async (world) => {
        for (let rotation = 0; rotation <= limits.cellKnownSecretsMax; rotation += 1) {
          world.secrets.set('TOKEN', `${TOKEN}-${rotation}`);
          await world.cell.refresh();
          expect((await world.request()).body.toString()).toBe('[STEADY]');
        }
      },
      secrets,
    );
  });
});
