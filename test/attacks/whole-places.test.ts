/**
 * Each place that a key can go to, with everything real: declared on the command line, asked for by a server in its cell,
 * put in outside. The upstream's view is the control of every attack on a place.
 */
import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeFrame, type FrameHead, FrameReader, OPCODE } from '../../src/wire/index.ts';
import { acceptOf } from '../egress/websocket-world.ts';
import { API, attackerManifest, type CellRequire, KEY, openWorld, type World } from './whole-world.ts';

const SERVER = 'places';
const DECLARED: readonly (readonly string[])[] = [
  ['--bearer'],
  ['--header', 'X-Key', '--format', 'key {token}'],
  ['--basic', 'password'],
  ['--query', 'key'],
  ['--cookie', 'sid'],
  ['--path', '/bot{token}'],
  ['--json-pointer', '/auth/key'],
  ['--form', 'key'],
  ['--multipart', 'key'],
  ['--websocket', 'text', '--format', 'AUTH {token}'],
  ['--hmac', 'X-Sum', '--format', 'sha256={signature}'],
];

interface Sent {
  readonly path: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Runs in the cell. */
function ask({ path, method = 'GET', headers = {}, body = '' }: Sent, require: CellRequire): Promise<string> {
  const https = require('node:https');
  return new Promise((done, fail) => {
    const options = {
      method,
      headers: { ...headers, 'Content-Length': Buffer.byteLength(body) },
      agent: false,
    };
    const request = https.request(`https://api.test.example${path}`, options, (response) => {
      let text = '';
      response.on('data', (piece: Buffer) => (text += piece.toString()));
      response.on('end', () => done(`${response.statusCode} ${text}`));
    });
    request.on('error', fail);
    request.end(body);
  });
}

/** Runs in the cell: says one thing, and waits until it was heard. */
function say({ text }: { text: string }): Promise<number> {
  const socket = new WebSocket('wss://api.test.example/socket');
  socket.addEventListener('open', () => socket.send(text));
  socket.addEventListener('message', () => socket.close(1000));
  return new Promise((done) => socket.addEventListener('close', ({ code }) => done(code)));
}

let world: World;
/** What the server in the cell has in place of the key. */
let K = '';
/** What came over WebSockets. */
const said: string[] = [];

beforeAll(async () => {
  world = await openWorld();
  await world.addServer({ ...attackerManifest(world.folder, SERVER), credentials: [] });
  for (const place of DECLARED) {
    const declared = await world.run('secret', 'inject', SERVER, 'API_KEY', ...place, '--host', API);
    expect(declared.code, declared.stderr).toBe(0);
  }
  expect((await world.run('secret', 'set', SERVER, 'API_KEY', KEY)).code).toBe(0);
  world.answer = ({ head }, socket) => {
    const key = /^sec-websocket-key: (.*)$/im.exec(head)?.[1];
    if (key === undefined) {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      return;
    }
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptOf(key)}\r\n\r\n`,
    );
    const reader = new FrameReader({ from: 'client', payloadBytesMax: 1_000 });
    let opcode = -1;
    const sink = {
      onFrame: (frame: FrameHead) => (opcode = frame.opcode),
      onPayload: (data: Buffer) => {
        if (opcode === OPCODE.close) socket.end(encodeFrame(OPCODE.close, data, null));
        else {
          said.push(data.toString());
          socket.write(encodeFrame(OPCODE.text, Buffer.from('heard'), null));
        }
      },
    };
    socket.on('data', (bytes: Buffer) => reader.read(bytes, 0, sink));
  };
  K = await world.inCell(() => process.env['API_KEY'] ?? '', null, SERVER);
}, 120_000);
afterAll(() => world.close());

const BODY = '{"event":"opened"}';
const signed = (key: string): string => `sha256=${createHmac('sha256', key).update(BODY).digest('hex')}`;
const part = (content: string): string =>
  `--XX\r\nContent-Disposition: form-data; name="key"\r\n\r\n${content}\r\n--XX--\r\n`;

/** What the server sends, and what of it is to be with the upstream; `key` is either side's. */
const PLACES: readonly [name: string, sent: (key: string) => Sent][] = [
  ['bearer', (key) => ({ path: '/bearer', headers: { Authorization: `Bearer ${key}` } })],
  ['a header', (key) => ({ path: '/header', headers: { 'X-Key': `key ${key}` } })],
  ['Basic', (key) => ({ path: '/basic', headers: { Authorization: `Basic ${btoa(`user:${key}`)}` } })],
  ['the query', (key) => ({ path: `/query?a=1&key=${key}` })],
  ['a cookie', (key) => ({ path: '/cookie', headers: { Cookie: `a=b; sid=${key}` } })],
  ['the path', (key) => ({ path: `/bot${key}/send` })],
  [
    'JSON',
    (key) => ({
      path: '/json',
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: `{"auth":{"key":"${key}"}}`,
    }),
  ],
  [
    'a form',
    (key) => ({
      path: '/form',
      method: 'POST',
      headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
      body: `a=1&key=${key}`,
    }),
  ],
  [
    'a multipart form',
    (key) => ({
      path: '/multipart',
      method: 'POST',
      headers: { 'Content-Type': 'multipart/form-data; boundary=XX' },
      body: part(key),
    }),
  ],
  [
    'a signature',
    (key) => ({ path: '/hmac', method: 'POST', headers: { 'X-Sum': signed(key) }, body: BODY }),
  ],
  [
    'all that one request has room for',
    (key) => ({
      path: `/bot${key}/all?key=${key}`,
      method: 'POST',
      headers: {
        Authorization: `Bearer ${key}`,
        'X-Key': `key ${key}`,
        Cookie: `sid=${key}; b="c"`,
        'Content-Type': 'application/json',
      },
      body: `{"auth":{"key":"${key}"}}`,
    }),
  ],
];

describe('a key that is declared on the command line', () => {
  it.each(PLACES)('goes from a cell into %s, and nowhere else', async (_name, sent) => {
    const { path, headers = {}, body = '' } = sent(KEY);
    expect(await world.inCell(ask, sent(K), SERVER)).toBe('200 ok');
    const arrived = world.arrived.at(-1);
    expect(arrived?.head.split(' ', 2)[1]).toBe(path);
    for (const [name, value] of Object.entries(headers)) expect(arrived?.head).toContain(`${name}: ${value}`);
    expect(arrived?.body).toBe(body);
    expect(`${arrived?.head}${arrived?.body}`).not.toContain(K);
    const shown = sent(K).path.split('?', 1)[0];
    await world.event(
      ({ type, data }) => type === 'credential.used' && (data['for'] as { path?: unknown }).path === shown,
    );
    const finished = await world.event(
      ({ type, data }) => type === 'egress.finished' && data['path'] === shown,
    );
    expect(finished.data).toMatchObject({ status: 200, credentials: ['API_KEY'] });
  });

  it('goes from a cell into a WebSocket message', async () => {
    expect(await world.inCell(say, { text: `AUTH ${K}` }, SERVER)).toBe(1000);
    expect(said).toEqual([`AUTH ${KEY}`]);
  });

  it('is in no record', async () => {
    expect(await world.exported()).not.toContain(KEY);
    expect(world.log()).not.toContain(KEY);
  });
});
