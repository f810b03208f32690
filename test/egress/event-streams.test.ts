/**
 * Server-sent events and other answers that go on: what is known to be harmless passes at once. An upstream here sends
 * its next event only after the program has read the one before, so whatever is held back for longer than it has
 * to be holds everything.
 */
import { once } from 'node:events';
import { request as httpsRequest } from 'node:https';
import type { Duplex, Readable } from 'node:stream';
import {
  constants,
  createBrotliCompress,
  createDeflate,
  createGzip,
  createZstdCompress,
  type Zlib,
} from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { connectHttp2, http2Upstream } from './http2-world.ts';
import { API, httpsUpstream, inWorld, PLACEHOLDER, TOKEN, type Upstream, type World } from './world.ts';

const PLACE = `${API}:443`;

/** Sends the events one after another, each when the one before was read. */
type Sender = (write: (bytes: Buffer) => void, coding: string | undefined) => Promise<void>;

const CODERS: Readonly<Record<string, () => Duplex & Zlib>> = {
  gzip: () => createGzip({ flush: constants.Z_SYNC_FLUSH }),
  deflate: () => createDeflate({ flush: constants.Z_SYNC_FLUSH }),
  br: () => createBrotliCompress({ flush: constants.BROTLI_OPERATION_FLUSH }),
  zstd: () => createZstdCompress({ flush: constants.ZSTD_e_flush }),
};

/** A program that reads, and says so. */
class Reading {
  text = '';
  readonly pieces: string[] = [];
  #wanted = 0;
  #resolve: () => void = () => {};

  read(piece: Buffer): void {
    this.text += piece.toString('latin1');
    this.pieces.push(piece.toString('latin1'));
    if (this.text.length >= this.#wanted) this.#resolve();
  }

  async until(length: number): Promise<void> {
    if (this.text.length >= length) return;
    this.#wanted = length;
    await new Promise<void>((resolve) => {
      this.#resolve = resolve;
    });
  }
}

/** What the program should see of what was sent. */
const shown = (text: string): string => text.replaceAll(TOKEN, PLACEHOLDER);

function sender(events: readonly string[], reading: Reading): Sender {
  return async (write, coding) => {
    const coder = coding === undefined ? undefined : CODERS[coding]?.();
    coder?.on('data', (coded: Buffer) => write(coded));
    let length = 0;
    for (const event of events) {
      length += shown(event).length;
      if (coder === undefined) write(Buffer.from(event, 'latin1'));
      else coder.write(Buffer.from(event, 'latin1'));
      await reading.until(length);
    }
    if (coder === undefined) return;
    coder.end();
    await once(coder, 'end');
  };
}

const headOf = (coding: string | undefined): Record<string, string> => ({
  'content-type': 'text/event-stream',
  ...(coding === undefined ? {} : { 'content-encoding': coding }),
});

const UPSTREAMS = {
  'HTTP/1.1': (send: Sender, coding: string | undefined): Promise<Upstream> =>
    httpsUpstream(async (_request, response) => {
      response.writeHead(200, headOf(coding));
      await send((bytes) => response.write(bytes), coding);
      response.end();
    }),
  'HTTP/2': (send: Sender, coding: string | undefined): Promise<Upstream> =>
    http2Upstream(async (stream) => {
      stream.respond({ ':status': 200, ...headOf(coding) });
      await send((bytes) => stream.write(bytes), coding);
      stream.end();
    }),
};

const headers = { Authorization: `Bearer ${PLACEHOLDER}` };

const CLIENTS = {
  'HTTP/1.1': async (world: World): Promise<Readable> => {
    const place = await world.placeOf(API, 443);
    const sent = httpsRequest({
      ...place,
      servername: API,
      ca: world.cell.caPem,
      agent: false,
      headers: { Host: API, ...headers },
    });
    sent.end();
    const [response] = (await once(sent, 'response')) as [Readable];
    return response;
  },
  'HTTP/2': async (world: World): Promise<Readable> => {
    const session = await connectHttp2(world);
    const stream = session.request({ ':path': '/', ...headers });
    stream.on('close', () => session.destroy());
    return stream;
  },
};

type Version = keyof typeof UPSTREAMS;

async function follow(
  events: readonly string[],
  versions: { client: Version; upstream: Version },
  coding?: string,
): Promise<Reading> {
  const reading = new Reading();
  const upstream = await UPSTREAMS[versions.upstream](sender(events, reading), coding);
  await inWorld({ upstreams: { [PLACE]: upstream } }, async (world) => {
    const answer = await CLIENTS[versions.client](world);
    answer.on('data', (piece: Buffer) => reading.read(piece));
    await once(answer, 'end');
  });
  return reading;
}

const encoded = btoa(TOKEN);
const EVENTS = [
  'data: {"n":1}\n\n',
  'event: message\ndata: first\ndata: second\nid: 7\n\n',
  'data: with other ends of lines\r\n\r\n',
  'data: and others\r\r',
  ': still there\n\n',
  `data: ${TOKEN.slice(0, 1)}\n\n`,
  `data: ${TOKEN.slice(0, 20)}\n\n`,
  `data: ${TOKEN.slice(0, -1)}\n\n`,
  `data: ${encoded.slice(0, 30)}\n\n`,
  `data: ${Buffer.from(TOKEN).toString('hex').slice(0, 60)}\n\n`,
  `data: ${TOKEN}\n\n`,
  `data: {"key":"${TOKEN}","more":"${TOKEN}"}\n\n`,
  `data: ${'long and harmless '.repeat(2_000)}\n\n`,
  'data: last\n\n',
];

const VERSIONS: readonly Version[] = ['HTTP/1.1', 'HTTP/2'];
const WAYS = VERSIONS.flatMap((client) => VERSIONS.map((upstream) => ({ client, upstream })));

describe.each(WAYS)('events over $client from an upstream with $upstream', (versions) => {
  it.each([undefined, ...Object.keys(CODERS)])('come one by one, coded as %s', async (coding) => {
    const { text } = await follow(EVENTS, versions, coding);
    expect(text).toBe(shown(EVENTS.join('')));
    expect(text).not.toContain(TOKEN);
  });

  it('come one by one as lines of JSON', async () => {
    const lines = ['{"a":1}\n', `{"key":"${TOKEN}"}\n`, '[1,2]\n', `{"almost":"${TOKEN.slice(0, 30)}"}\n`];
    expect((await follow(lines, versions)).text).toBe(shown(lines.join('')));
  });
});

describe('what could be the beginning of a key', () => {
  const way = { client: 'HTTP/1.1', upstream: 'HTTP/1.1' } as const;

  /** An event in two writes: the second when the program has read as much of the first as it can. */
  async function halves(first: string, second: string): Promise<readonly string[]> {
    const reading = new Reading();
    const upstream = await httpsUpstream(async (_request, response) => {
      response.writeHead(200, headOf(undefined));
      response.write(Buffer.from(first));
      await reading.until('data: '.length);
      response.write(Buffer.from(second));
      await reading.until(shown(first + second).length);
      response.end();
    });
    await inWorld({ upstreams: { [PLACE]: upstream } }, async (world) => {
      const answer = await CLIENTS[way.client](world);
      answer.on('data', (piece: Buffer) => reading.read(piece));
      await once(answer, 'end');
    });
    return reading.pieces;
  }

  it('waits for the next bytes, and for no more than them', async () => {
    expect(await halves(`data: ${TOKEN.slice(0, 12)}`, '\n\n')).toEqual([
      'data: ',
      `${TOKEN.slice(0, 12)}\n\n`,
    ]);
    expect(await halves(`data: ${TOKEN.slice(0, 12)}`, `${TOKEN.slice(12)}\n\n`)).toEqual([
      'data: ',
      `${PLACEHOLDER}\n\n`,
    ]);
  });

  it('waits whether it is one or not: how long says nothing of the key', async () => {
    expect(await halves('data: harmlessword', '\n\n')).toEqual(['data: ', 'harmlessword\n\n']);
  });

  it('ends with the answer', async () => {
    const events = ['data: x\n\n', `data: ${TOKEN.slice(0, 30)}`];
    const reading = new Reading();
    const upstream = await httpsUpstream(async (_request, response) => {
      response.write(events[0]);
      await reading.until(events[0]?.length ?? 0);
      response.end(events[1]);
    });
    await inWorld({ upstreams: { [PLACE]: upstream } }, async (world) => {
      const answer = await CLIENTS[way.client](world);
      answer.on('data', (piece: Buffer) => reading.read(piece));
      await once(answer, 'end');
      expect(reading.text).toBe(events.join(''));
    });
  });
});
