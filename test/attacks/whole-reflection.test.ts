/**
 * ATTACKS 17 with everything real: a hostile server in its cell asks, a careless or hostile upstream answers with the
 * key, and the server looks through every byte that it is given. The control of each is what the upstream sent.
 */
import type { Socket } from 'node:net';
import { brotliCompressSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { API, HOSTILE, KEY, openWorld, type World, type CellRequire } from './whole-world.ts';

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());

const sized = (body: string | Buffer, fields = ''): Buffer =>
  Buffer.concat([
    Buffer.from(`HTTP/1.1 200 OK\r\n${fields}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n`),
    Buffer.from(body),
  ]);

/** The key as a cell could still recognise it: in plain, and spelled in escapes. */
const unescaped = (text: string): string =>
  text
    .replaceAll('&lowbar;', '_')
    .replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    .replaceAll(/\\u00([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
const holdsKey = (bytes: Buffer): boolean => unescaped(bytes.toString('latin1')).includes(KEY);

/** Runs in the cell: sends the placeholder where it belongs, and gives every byte of the answer in base64. */
async function askRaw(
  { host, method, fields }: { host: string; method: string; fields: string },
  require: CellRequire,
) {
  const tls = require('node:tls');
  const socket = tls.connect({ host, port: 443, servername: host });
  const pieces: Buffer[] = [];
  socket.write(
    `${method} / HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${process.env['API_KEY']}\r\n${fields}Connection: close\r\n\r\n`,
  );
  for await (const piece of socket) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString('base64');
}

const ask = async (method = 'GET', fields = ''): Promise<Buffer> =>
  Buffer.from(await world.inCell(askRaw, { host: API, method, fields }), 'base64');

const page = `${'x'.repeat(300)}${KEY}${'y'.repeat(300)}`;
const range = (first: number, text: string): string =>
  `--b\r\nContent-Range: bytes ${first}-${first + text.length - 1}/36\r\n\r\n${text}\r\n`;

const answers: readonly [name: string, answer: Buffer, method?: string][] = [
  ['the body', sized(page)],
  ['underscores as HTML 5 names them', sized(KEY.replaceAll('_', '&lowbar;'))],
  ['percent escapes', sized(Buffer.from(KEY).toString('hex').replaceAll(/../g, '%$&'))],
  ['JSON escapes', sized(Buffer.from(KEY).toString('hex').replaceAll(/../g, '\\u00$&'))],
  ['a reason phrase', Buffer.from(`HTTP/1.1 401 No ${KEY}\r\nContent-Length: 0\r\n\r\n`)],
  [
    'several Set-Cookie',
    sized('', `Set-Cookie: a=1\r\nSet-Cookie: b=${KEY}\r\nSet-Cookie: c=${KEY}; Secure\r\n`),
  ],
  ['a header of an answer to HEAD', sized('', `X-Token: ${KEY}\r\n`), 'HEAD'],
  ['a header of a 304', Buffer.from(`HTTP/1.1 304 Not Modified\r\nETag: "${KEY}"\r\n\r\n`)],
  ['the body that a 204 must not have', Buffer.from(`HTTP/1.1 204 No Content\r\n\r\n${KEY}`)],
  ['the body that a 304 must not have', Buffer.from(`HTTP/1.1 304 Not Modified\r\n\r\n${KEY}`)],
  ['the body that an answer to HEAD must not have', sized(KEY), 'HEAD'],
  [
    'an interim answer',
    Buffer.concat([Buffer.from(`HTTP/1.1 103 Early Hints\r\nLink: <${KEY}>\r\n\r\n`), sized('ok')]),
  ],
  [
    'a trailer',
    Buffer.from(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-T: ${KEY}\r\n\r\n`),
  ],
  [
    'chunk extensions',
    Buffer.from(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=${KEY}\r\nok\r\n0\r\n\r\n`),
  ],
  [
    'a continued header',
    Buffer.from(`HTTP/1.1 200 OK\r\nX-A: ${KEY.slice(0, 20)}\r\n ${KEY.slice(20)}\r\nX-B: ${KEY}\r\n\r\n`),
  ],
  [
    'parts of ranges',
    Buffer.from(sized(`${range(0, KEY)}--b--\r\n`, 'Content-Type: multipart/byteranges; boundary=b\r\n')),
  ],
];

const coded: readonly [coding: string, body: Buffer][] = [
  ['gzip', gzipSync(page)],
  ['x-gzip', gzipSync(page)],
  ['GZip', gzipSync(page)],
  ['gzip, gzip', gzipSync(gzipSync(page))],
  ['identity, gzip', gzipSync(page)],
  ['gzip, identity', gzipSync(page)],
  ['br', Buffer.concat([brotliCompressSync(page), Buffer.from(KEY)])],
  ['gzip', Buffer.concat([gzipSync('x'), Buffer.from(KEY)])],
  ['zstd', Buffer.concat([zstdCompressSync('x'), zstdCompressSync(page)])],
  ['identity', Buffer.from(page)],
  ['', Buffer.from(page)],
  ['gzip', Buffer.from(page)],
  ['aes128gcm', Buffer.from(page)],
  ['compress', Buffer.from(page)],
  ['gzip;q=1', gzipSync(page)],
];

describe('ATTACKS 17: a reflected key, seen from inside the cell', () => {
  it.each(answers)('in %s', async (_name, answer, method = 'GET') => {
    world.answer = (_seen, socket) => void socket.end(answer);
    const got = await ask(method);
    expect(world.arrived.at(-1)?.head, 'the control: the upstream has the key').toContain(`Bearer ${KEY}`);
    expect(holdsKey(got)).toBe(false);
    expect(got.toString('latin1')).not.toContain(KEY.slice(0, 20));
    expect(got.toString('latin1')).not.toContain(KEY.slice(20));
    expect(got.toString('latin1')).toMatch(/^HTTP\/1\.1 \d{3} /);
  });

  it('the control: what the upstreams above sent shows the key to the same eyes', () => {
    for (const [name, answer] of answers) {
      const folded = answer.toString('latin1').replaceAll('\r\n ', '');
      expect(holdsKey(Buffer.from(folded)), name).toBe(true);
    }
  });

  it.each(coded)('coded as "%s"', async (coding, body) => {
    world.answer = (_seen, socket) => void socket.end(sized(body, `Content-Encoding: ${coding}\r\n`));
    const got = await ask();
    expect(holdsKey(got)).toBe(false);
    /* What was not decoded must not be passed either: nothing in there may unpack to it. */
    const at = got.indexOf('\r\n\r\n');
    expect(got.subarray(at).includes(body.subarray(0, 12))).toBe(coding === 'identity' || coding === '');
    expect(got.toString('latin1')).toMatch(/^HTTP\/1\.1 (200|502) /);
  });

  it('in no character set in which it would be other bytes', async () => {
    const utf7 = KEY.replaceAll('_', '+AF8-');
    for (const [charset, expected] of [
      ['utf-7', /^HTTP\/1\.1 502 [^]*egress_content_charset/],
      ['utf-8', /^HTTP\/1\.1 200 [^]*AF8-/], // the control: the same bytes, which are no key then
    ] as const) {
      world.answer = (_seen, socket) =>
        void socket.end(sized(utf7, `Content-Type: text/plain; charset=${charset}\r\n`));
      const got = await ask('GET', 'Accept-Charset: utf-7\r\nAccept: text/plain;charset=utf-7\r\n');
      expect(got.toString('latin1')).toMatch(expected);
      const { head = '' } = world.arrived.at(-1) ?? {};
      expect(head).toContain(`Bearer ${KEY}`);
      expect(head).not.toMatch(/charset/i);
    }
    await world.event(({ data }) => data['code'] === 'egress_content_charset');
  });

  it('asks for no part of an answer, whatever the request for it is called', async () => {
    world.answer = (_seen, socket) => void socket.end(sized('ok'));
    const fields = ['Range', 'Request-Range', 'If-Range', 'x-ms-range', 'A-IM'];
    await ask('GET', fields.map((name) => `${name}: bytes=0-9\r\n`).join(''));
    const names = (world.arrived.at(-1)?.head ?? '')
      .split('\r\n')
      .map((line) => line.split(':', 1)[0]?.toLowerCase());
    expect(names).toContain('authorization');
    for (const name of fields) expect(names).not.toContain(name.toLowerCase());
  });

  it('does not tell the compressed size of what it masks', async () => {
    world.answer = (_seen, socket) =>
      void socket.end('HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 777\r\n\r\n');
    expect((await ask('HEAD')).toString('latin1')).not.toContain('777');
  });
});

/**
 * Has the upstream send each of these texts and then nothing, and gives those that have not arrived when many later
 * answers have. Runs in the cell.
 */
async function late({ host, texts }: { host: string; texts: readonly string[] }): Promise<string[]> {
  const say = async (path: string) => (await fetch(`https://${host}/${path}`)).text();
  const stream = await fetch(`https://${host}/stream`);
  let seen = '';
  const reading = (async () => {
    for await (const piece of stream.body ?? []) seen += Buffer.from(piece).toString();
  })();
  const missing: string[] = [];
  for (const text of texts) {
    await say(`send?${encodeURIComponent(` ${text}`)}`);
    for (let round = 0; round < 20 && !seen.endsWith(text); round += 1) await say('pause');
    if (!seen.endsWith(text)) missing.push(text);
    await say('send?!');
  }
  await say('end');
  await reading;
  return missing;
}

/** Does what `late` asks for. @param holds a text that it keeps for itself until the next comes */
function obliging(holds = ''): World['answer'] {
  let stream: Socket | null = null;
  let kept = '';
  return ({ head }, socket) => {
    const said = decodeURIComponent(/^GET \/send\?(\S*)/.exec(head)?.[1] ?? '');
    if (head.startsWith('GET /stream')) {
      stream = socket;
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
      return;
    }
    if (said !== '') {
      const text = kept + said;
      kept = said.trim() === holds ? said : '';
      if (kept === '') stream?.write(`${text.length.toString(16)}\r\n${text}\r\n`);
    }
    if (head.startsWith('GET /end')) stream?.write('0\r\n\r\n');
    socket.write(sized('ok'));
  };
}

describe('a host that never sees the key', () => {
  it('control: what its upstream holds back is late, what it sends is not', async () => {
    world.answer = obliging('b!');
    expect(await world.inCell(late, { host: HOSTILE, texts: ['a!', 'b!', 'c!'] })).toEqual(['b!']);
  });

  it('cannot find out how the key goes on by what arrives late', async () => {
    world.answer = obliging();
    const texts = ['a', KEY.charAt(8), '5'].map((next) => KEY.slice(0, 8) + next);
    const base64 = ['Z', '0'].map((next) => Buffer.from(KEY).toString('base64').slice(0, 9) + next);
    /* The right one is like the others. */
    expect(await world.inCell(late, { host: HOSTILE, texts })).toEqual(texts);
    expect(await world.inCell(late, { host: HOSTILE, texts: base64 })).toEqual(base64);
  });
});

it('records the masking, and shows the key nowhere in the audit log', async () => {
  const text = await world.exported();
  expect(text).toMatch(/"egress\.masked".*"api\.test\.example"/);
  expect(text).not.toContain(KEY);
  expect(world.log()).not.toContain(KEY);
});
