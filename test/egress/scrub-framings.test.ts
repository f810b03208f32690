/**
 * A key in every encoding on its way back through real sockets, in each framing of HTTP/1.1, in packets that cut
 * it: it does not come through, and what stands around it does. What the scrubber does at every single cut is in
 * `scrub/matrix.test.ts`.
 */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { constants, createBrotliCompress, createDeflate, createGzip, createZstdCompress } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BodyCase, bodyCase, CODINGS, faultsOf } from './scrub/cases.ts';
import { renditions } from './scrub/renditions.ts';
import { API, rawUpstream, TOKEN, World } from './world.ts';

const FRAMINGS = ['length', 'chunk per packet', 'packets of one chunk', 'close'] as const;
type Framing = (typeof FRAMINGS)[number];

interface Plan {
  readonly body: BodyCase;
  readonly framing: Framing;
  /** Where the body is cut into packets. */
  readonly cut: number;
}

/** What the upstream writes, packet by packet. */
function packetsOf({ body: { coded, coding }, framing, cut }: Plan): readonly Buffer[] {
  const pieces = [coded.subarray(0, cut), coded.subarray(cut)].filter((piece) => piece.length > 0);
  const size = (bytes: number): Buffer => Buffer.from(`${bytes.toString(16)}\r\n`);
  const head = [
    'HTTP/1.1 200 OK',
    'Content-Type: application/octet-stream',
    ...(coding.header === undefined ? [] : [`Content-Encoding: ${coding.header}`]),
    framing === 'length'
      ? `Content-Length: ${coded.length}`
      : framing === 'close'
        ? 'Connection: close'
        : 'Transfer-Encoding: chunked',
    '\r\n',
  ].join('\r\n');
  const end = Buffer.from('\r\n0\r\n\r\n');
  const crlf = Buffer.from('\r\n');
  const framed: Record<Framing, () => readonly Buffer[]> = {
    length: () => pieces,
    close: () => pieces,
    'chunk per packet': () => [
      ...pieces.map((piece) => Buffer.concat([size(piece.length), piece, crlf])),
      Buffer.from('0\r\n\r\n'),
    ],
    'packets of one chunk': () => [size(coded.length), ...pieces, end],
  };
  return [Buffer.from(head), ...framed[framing]()];
}

const plans: Plan[] = [];
const agent = new Agent({ keepAlive: true, maxSockets: 4 });
let world: World;
let place: { host: string; port: number };

/** Answers each request for `/INDEX` as the plan of that index says. */
function serve(socket: TLSSocket): void {
  let text = '';
  socket.setNoDelay(true);
  socket.setEncoding('latin1');
  socket.on('data', (piece: string) => {
    text += piece;
    if (!text.endsWith('\r\n\r\n')) return;
    const [, index, coding] = /^GET \/(?:(\d+)|events\/(\w+)) /.exec(text) ?? [];
    const plan = plans[Number(index)];
    text = '';
    if (plan === undefined) void sendEvents(socket, coding ?? 'identity');
    else void answer(socket, plan);
  });
}

async function answer(socket: TLSSocket, plan: Plan): Promise<void> {
  for (const packet of packetsOf(plan)) {
    socket.write(packet);
    // Long enough for the packet to be read alone; when it is not, the cut is one that others make.
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  if (plan.framing === 'close') socket.end();
}

/** Told by the client for each event that it has read. */
let onEventRead = (): void => {};

/** An event stream that holds the key in every encoding; each event waits until the one before it was read. */
async function sendEvents(socket: TLSSocket, coding: string): Promise<void> {
  socket.write(
    `HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: ${coding}\r\nTransfer-Encoding: chunked\r\n\r\n`,
  );
  const chunk = (bytes: Buffer): void => {
    socket.write(`${bytes.length.toString(16)}\r\n`);
    socket.write(bytes);
    socket.write('\r\n');
  };
  const coder = FLUSHING[coding]?.();
  coder?.on('data', chunk);
  for (const event of EVENTS) {
    const read = new Promise<void>((resolve) => {
      onEventRead = resolve;
    });
    if (coder === undefined) chunk(event);
    else coder.write(event);
    await read;
  }
  if (coder !== undefined) await once(coder.end(), 'end');
  socket.write('0\r\n\r\n');
}

/** Coders that give each event as soon as they get it. */
const FLUSHING: Readonly<Record<string, () => Duplex>> = {
  gzip: () => createGzip({ flush: constants.Z_SYNC_FLUSH }),
  deflate: () => createDeflate({ flush: constants.Z_SYNC_FLUSH }),
  br: () => createBrotliCompress({ flush: constants.BROTLI_OPERATION_FLUSH }),
  zstd: () => createZstdCompress({ flush: constants.ZSTD_e_flush }),
};

const EVENTS = renditions(TOKEN).map(({ bytes }) =>
  Buffer.concat([Buffer.from('data: '), bytes, Buffer.from('\n\n')]),
);

async function request(path: string): Promise<IncomingMessage> {
  const sent = httpsRequest({
    ...place,
    servername: API,
    ca: world.cell.caPem,
    agent,
    path,
    headers: { Host: API },
  });
  sent.end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return response;
}

async function through(plan: Plan): Promise<Buffer> {
  const response = await request(`/${plans.push(plan) - 1}`);
  const pieces: Buffer[] = [];
  for await (const piece of response) pieces.push(piece as Buffer);
  expect(response.headers['content-encoding'] ?? 'identity').toBe('identity');
  return Buffer.concat(pieces);
}

/** Cuts within the key where it stands plain, and near the ends and in the middle where it is coded. */
function cutsOf({ coding, before, rendition, coded }: BodyCase): readonly number[] {
  if (coding.header !== undefined) return [1, coded.length >> 1, coded.length - 1];
  const start = before.length;
  return [start + 1, start + (rendition.bytes.length >> 1), start + rendition.bytes.length - 1];
}

async function expectMasked(body: BodyCase, framing: Framing): Promise<void> {
  const outs = await Promise.all(cutsOf(body).map((cut) => through({ body, framing, cut })));
  expect(outs.map((out) => faultsOf(body, out))).toEqual([[], [], []]);
}

beforeAll(async () => {
  world = await World.open({ upstreams: { [`${API}:443`]: await rawUpstream(serve) } });
  place = await world.placeOf(API, 443);
});
afterAll(async () => {
  agent.destroy();
  await world.close();
});

const [identity] = CODINGS;
const CODED = CODINGS.filter(({ header }) => header !== undefined);
const CHOSEN = renditions(TOKEN).filter(({ label }) =>
  ['raw', 'base64url at 1', 'json all lower', 'utf-16 be'].includes(label),
);

describe.each(FRAMINGS)('framed by %s', (framing) => {
  it.each(renditions(TOKEN))('the key as $label is masked', async (rendition) => {
    if (identity === undefined) expect.unreachable();
    else await expectMasked(bodyCase(rendition, identity), framing);
  });

  it.each(CODED)('the key in $label is masked', async (coding) => {
    expect(CHOSEN).toHaveLength(4);
    for (const rendition of CHOSEN) await expectMasked(bodyCase(rendition, coding), framing);
  });
});

it.each(['identity', ...Object.keys(FLUSHING)])(
  'an event stream in %s comes event by event, each before the next is sent, without the key in any encoding',
  async (coding) => {
    const response = await request(`/events/${coding}`);
    const read: Buffer[] = [];
    let event = Buffer.alloc(0);
    for await (const piece of response) {
      event = Buffer.concat([event, piece as Buffer]);
      if (event.toString('latin1').endsWith('\n\n')) {
        read.push(event);
        event = Buffer.alloc(0);
        onEventRead();
      }
    }
    expect(read).toHaveLength(EVENTS.length);
    for (const [index, { bytes, label }] of renditions(TOKEN).entries()) {
      expect(read[index]?.toString('latin1'), label).toMatch(/^data: [^]+\n\n$/);
      expect(read[index]?.includes(bytes), label).toBe(false);
    }
  },
);
