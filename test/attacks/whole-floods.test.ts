/**
 * ATTACKS 12 with everything real: a hostile server floods the gateway from its cell. The gateway ends each flood and says so,
 * does not grow by it, and answers the cell next door meanwhile. Frame by frame, with its controls, the same is tried in
 * `egress-http2-floods.test.ts`.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  FLAG,
  FRAME,
  frame,
  headersOf,
  number32,
  PREFACE,
  requestLines,
  settingsOf,
} from '../egress/http2-frames.ts';
import { API, attackerManifest, type CellRequire, openWorld, type World } from './whole-world.ts';

const MIB = 1024 * 1024;
const FLOOD_BYTES_MAX = 192 * MIB;
/** Of the gateway's resident memory; what waited in one stream alone could have been eight times that. */
const GROWTH_BYTES_MAX = 512 * MIB;

interface Flood {
  readonly alpn: string;
  /** Base64. */
  readonly before: string;
  /** Base64; again and again. */
  readonly again: string;
  readonly times: number;
  /** How long it waits to be cut when all is written. */
  readonly waitMs: number;
}

interface Flooded {
  readonly bytes: number;
  readonly closed: boolean;
  /** Latin-1. */
  readonly heard: string;
}

/** Writes until the other side has had enough. Runs in the cell. */
async function flood({ alpn, before, again, times, waitMs }: Flood, require: CellRequire): Promise<Flooded> {
  const tls = require('node:tls');
  const socket = tls.connect({
    host: 'api.test.example',
    port: 443,
    servername: 'api.test.example',
    ALPNProtocols: [alpn],
    checkServerIdentity: () => undefined,
  });
  let closed = false;
  let heard = '';
  socket.on('error', () => undefined);
  socket.on('data', (piece: Buffer) => {
    if (heard.length < 2_000) heard += piece.toString('latin1');
  });
  socket.on('close', () => (closed = true));
  await new Promise((done) => socket.once('secureConnect', done).once('close', done));
  socket.write(Buffer.from(before, 'base64'));
  const record = Buffer.from(again, 'base64');
  let bytes = 0;
  for (let round = 0; !closed && round < times; round += 1) {
    bytes += record.length;
    const hasRoom = socket.write(record);
    if (!hasRoom) await new Promise((done) => socket.once('drain', done).once('close', done));
    socket.removeAllListeners('drain');
  }
  for (let waited = 0; !closed && waited < waitMs; waited += 100)
    await new Promise((done) => setTimeout(done, 100));
  socket.destroy();
  return { bytes, closed, heard };
}

/** One request. @returns the status of its answer; 0 when there was none. Runs in the cell. */
function ask(_: null, require: CellRequire): Promise<number> {
  const https = require('node:https');
  return new Promise((done) => {
    https
      .get('https://api.test.example/v1/near', (answer) => {
        answer.resume();
        answer.on('end', () => done(answer.statusCode ?? 0));
      })
      .on('error', () => done(0));
  });
}

const opening = Buffer.concat([PREFACE, settingsOf(), frame(FRAME.settings, FLAG.ack, 0)]);
const post = headersOf(
  1,
  requestLines({ method: 'POST', authority: API, path: '/v1/silent' }),
  FLAG.endHeaders,
);
const repeat = (bytes: Buffer, upTo = 16_384): Buffer =>
  Buffer.alloc(bytes.length * Math.floor(upTo / bytes.length), bytes);
const updates = repeat(frame(FRAME.windowUpdate, 0, 0, number32(1)), 16_300);

const FLOODS: readonly (readonly [name: string, before: Buffer, again: Buffer])[] = [
  ['pings', opening, repeat(frame(FRAME.ping, 0, 0, Buffer.alloc(8)))],
  ['settings', opening, repeat(settingsOf())],
  ['window updates', opening, updates],
  ['frames of one byte', Buffer.concat([opening, post]), repeat(frame(FRAME.data, 0, 1, Buffer.of(65)))],
  [
    'a byte with 16 KiB of nothing',
    Buffer.concat([opening, post]),
    Buffer.concat([frame(FRAME.data, 0, 1, Buffer.of(65)), updates]),
  ],
  [
    'a header list without end',
    Buffer.concat([opening, headersOf(1, requestLines({ authority: API }), FLAG.endStream)]),
    repeat(frame(FRAME.continuation, 0, 1, Buffer.from('0001780179', 'hex'))),
  ],
  ['frames of a type that is not known', opening, repeat(frame(0x7f, 0, 0, Buffer.of(1)))],
];

describe('a server that floods the gateway from its cell', () => {
  let world: World;
  beforeAll(async () => {
    world = await openWorld();
    world.answer = ({ head }, socket) => {
      if (!head.includes('/silent')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    };
    await world.addServer(attackerManifest(world.folder, 'neighbour'));
    expect(await world.inCell(ask, null, 'neighbour')).toBe(200);
  });
  afterAll(() => world.close());

  /** Resident memory of the gateway, in bytes. */
  const resident = (): number =>
    Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${world.gateway.pid}/status`, 'utf8'))?.[1]) * 1024;

  async function meanwhile(flooding: Promise<Flooded>): Promise<Flooded> {
    let isOver = false;
    const flooded = flooding.finally(() => (isOver = true));
    do expect(await world.inCell(ask, null, 'neighbour')).toBe(200);
    while (!isOver);
    return flooded;
  }

  const floodWith = (
    alpn: string,
    before: Buffer,
    again: Buffer,
    bytes = FLOOD_BYTES_MAX,
    waitMs = 20_000,
  ): Promise<Flooded> =>
    world.inCell(flood, {
      alpn,
      before: before.toString('base64'),
      again: again.toString('base64'),
      times: Math.ceil(bytes / again.length),
      waitMs,
    });

  it('control: a few frames of each are nothing unusual', async () => {
    const ping = frame(FRAME.ping, 0, 0, Buffer.from('are you?'));
    const usual = Buffer.concat([
      repeat(frame(FRAME.ping, 0, 0, Buffer.alloc(8)), 200),
      updates.subarray(0, 130),
      settingsOf(),
      ping,
    ]);
    const { heard, closed } = await floodWith('h2', opening, usual, 1, 3_000);
    expect(heard).toContain('are you?');
    expect(closed).toBe(false);
  });

  it.each(FLOODS)('%s over HTTP/2: ended, and nobody else is concerned', async (_name, before, again) => {
    const had = resident();
    const { closed } = await meanwhile(floodWith('h2', before, again));
    expect(closed).toBe(true);
    expect(resident() - had).toBeLessThan(GROWTH_BYTES_MAX);
  });

  it('chunks of one byte over HTTP/1.1: refused in words, and nobody else is concerned', async () => {
    const head = Buffer.from(
      `POST /v1/silent HTTP/1.1\r\nHost: ${API}\r\nTransfer-Encoding: chunked\r\n\r\n`,
    );
    const had = resident();
    const { heard } = await meanwhile(floodWith('http/1.1', head, repeat(Buffer.from('1\r\na\r\n'), 60_000)));
    expect(heard).toContain('egress_request_malformed');
    expect(resident() - had).toBeLessThan(GROWTH_BYTES_MAX);
  });

  it('is told of in the audit log, and the gateway lives', async () => {
    for (const reason of ['overhead', 'continuations', 'protocol']) {
      const { data } = await world.event(
        ({ type, data: { code, reason: said } }) =>
          type === 'egress.refused' && code === 'egress_http2_abuse' && said === reason,
      );
      expect(data).toMatchObject({ host: API, port: 443 });
    }
    await world.event(({ type, data }) => type === 'egress.refused' && data['reason'] === 'chunks_too_small');
    expect(await world.inCell(ask, null, 'neighbour')).toBe(200);
    expect(await world.inCell(ask, null)).toBe(200);
  });
});
