/**
 * A key in every encoding, in every content coding, in every framing of HTTP/1.1, cut anywhere: what an upstream's bytes
 * become on their way through the codec and the answer, without sockets. `scrub-framings.test.ts` has a few of them with.
 */
import { Duplex } from 'node:stream';
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { Answer } from '../../../src/egress/answer.ts';
import { Http1Upstream } from '../../../src/egress/http1/upstream.ts';
import type { AnswerHead, ExchangeClient } from '../../../src/egress/message.ts';
import { createScrubSet } from '../../../src/egress/scrub/index.ts';
import { fixedClock, Secret } from '../../../src/kernel/index.ts';
import { Fields } from '../../../src/wire/index.ts';
import { type BodyCase, bodyCase, CODINGS, faultsOf } from './cases.ts';
import { renditions } from './renditions.ts';

const KEY = 'pk_5/9+Zq=~"é&x';
const set = createScrubSet([{ name: 'KEY', mask: 'pk_MASK-MASK-MASK', value: Secret.fromString(KEY) }]);

/** Bytes of an answer as they arrive; one that ends by closing the connection says so. */
interface Wire {
  readonly packets: readonly Buffer[];
  readonly closes?: boolean;
}

interface Seen {
  readonly head: AnswerHead;
  readonly body: Buffer;
  readonly trailers: Fields;
  readonly hits: readonly string[];
}

/** What a program gets of an answer. */
function through({ packets, closes = false }: Wire): Promise<Seen> {
  const { promise, resolve, reject } = Promise.withResolvers<Seen>();
  const pieces: Buffer[] = [];
  const hits: string[] = [];
  let head: AnswerHead | null = null;
  let trailers = new Fields();
  const nothing = (): void => undefined;
  const client: ExchangeClient = {
    continue: nothing,
    interim: nothing,
    begin: (given) => (head = given),
    whole: (given, body) => {
      head = given;
      pieces.push(body);
    },
    data: (piece) => pieces.push(Buffer.from(piece)) > 0,
    end: (given) => (trailers = given),
    answered: nothing,
    refuse: nothing,
    cut: nothing,
    resumeInput: nothing,
  };
  const answer = new Answer(client, {
    scrubSet: set,
    scrubs: true,
    holdUpstream: nothing,
    onHit: ({ name }) => hits.push(name),
    onWritten: () => {
      if (head === null) reject(new Error('an end without a beginning'));
      else resolve({ head, body: Buffer.concat(pieces), trailers, hits });
    },
    onBroken: reject,
  });
  const socket = new Duplex({ read: nothing, write: (_bytes, _encoding, done) => done() });
  const upstream = new Http1Upstream(socket as unknown as Socket, fixedClock(0)); // reads, writes and ends, no more
  upstream.send(
    {
      method: 'GET',
      scheme: 'https',
      authority: 'api.test',
      target: '/',
      fields: new Fields(),
      sensitive: [],
      acceptsTrailers: true,
      body: { kind: 'none' },
    },
    {
      unread: { bytes: 0, bytesMax: 1 },
      onInterim: nothing,
      onAnswerHead: (given, framing, whole) => answer.head(given, framing, whole),
      onBody: (data) => answer.body(data),
      onAnswerEnd: (given) => answer.end(given),
      onUpstreamFailure: reject,
      onUpstreamDrain: nothing,
    },
  );
  for (const packet of packets) socket.emit('data', packet);
  if (closes) socket.emit('end');
  return promise;
}

const size = (bytes: number): Buffer => Buffer.from(`${bytes.toString(16)}\r\n`);
const CRLF = Buffer.from('\r\n');
const LAST = Buffer.from('0\r\n\r\n');
const chunk = (data: Buffer): Buffer => Buffer.concat([size(data.length), data, CRLF]);

interface Framing {
  readonly label: string;
  readonly field: (bytes: number) => string;
  /** @param pieces of the body, none empty */
  readonly packets: (pieces: readonly Buffer[]) => readonly Buffer[];
  readonly closes?: boolean;
}

const length = (bytes: number): string => `Content-Length: ${bytes}`;
const chunked = (): string => 'Transfer-Encoding: chunked';
const all = (pieces: readonly Buffer[]): Buffer => Buffer.concat(pieces);
const FRAMINGS: readonly Framing[] = [
  { label: 'a length', field: length, packets: (pieces) => pieces },
  { label: 'the close', field: () => 'Connection: close', packets: (pieces) => pieces, closes: true },
  { label: 'a chunk for each packet', field: chunked, packets: (pieces) => [...pieces.map(chunk), LAST] },
  {
    label: 'one chunk in packets',
    field: chunked,
    packets: (pieces) => [size(all(pieces).length), ...pieces, CRLF, LAST],
  },
  {
    label: 'chunks in one packet',
    field: chunked,
    packets: (pieces) => [Buffer.concat([...pieces.map(chunk), LAST])],
  },
  {
    label: 'a chunk for each byte',
    field: chunked,
    packets: (pieces) => [
      ...pieces.map((piece) => Buffer.concat(Array.from(piece, (byte) => chunk(Buffer.of(byte))))),
      LAST,
    ],
  },
];

function wireOf({ coded, coding }: BodyCase, framing: Framing, cut: number, inOne = false): Wire {
  const pieces = [coded.subarray(0, cut), coded.subarray(cut)].filter((piece) => piece.length > 0);
  const said = coding.header === undefined ? '' : `Content-Encoding: ${coding.header}\r\n`;
  const head = Buffer.from(`HTTP/1.1 200 OK\r\n${said}${framing.field(coded.length)}\r\n\r\n`);
  const packets = [head, ...framing.packets(pieces)];
  return { packets: inOne ? [Buffer.concat(packets)] : packets, closes: framing.closes ?? false };
}

/** Every cut of a plain body. One that is coded is cut everywhere in `matrix.test.ts`; here near its ends and in the middle. */
const cutsOf = ({ coding, coded }: BodyCase): readonly number[] =>
  coding.header === undefined
    ? Array.from({ length: coded.length + 1 }, (_, at) => at)
    : [1, coded.length >> 1, coded.length - 1];

describe.each(FRAMINGS)('framed by $label', (framing) => {
  it.each(CODINGS)('and coded in $label: the key is masked in every encoding', async (coding) => {
    for (const rendition of renditions(KEY)) {
      const body = bodyCase(rendition, coding);
      const wires = [
        ...cutsOf(body).map((cut) => wireOf(body, framing, cut)),
        wireOf(body, framing, 1, true),
      ];
      for (const seen of await Promise.all(wires.map(through))) {
        expect(faultsOf(body, seen.body), rendition.label).toEqual([]);
        expect(seen.hits, rendition.label).toEqual(['KEY']);
      }
    }
  });
});

/** Encodings that may stand in a line. */
const IN_LINES = renditions(KEY).filter(({ bytes }) =>
  /^[\t\x20-\x7e\x80-\xff]+$/.test(bytes.toString('latin1')),
);

describe('the fields of an answer', () => {
  const FIELDS: readonly [where: string, answer: (value: string) => string, (seen: Seen) => string][] = [
    [
      'a header',
      (value) => `HTTP/1.1 200 OK\r\nX-Echo: a ${value} z\r\nContent-Length: 0\r\n\r\n`,
      ({ head }) => String(head.fields.get('x-echo')),
    ],
    [
      'the phrase',
      (value) => `HTTP/1.1 200 a ${value} z\r\nContent-Length: 0\r\n\r\n`,
      ({ head }) => head.phrase,
    ],
    [
      'a trailer',
      (value) =>
        `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Echo: a ${value} z\r\n\r\n`,
      ({ trailers }) => String(trailers.get('x-echo')),
    ],
  ];

  it.each(FIELDS)('%s: the key is masked in every encoding, cut anywhere', async (_where, answer, shown) => {
    expect(IN_LINES.length).toBeGreaterThan(60);
    for (const { bytes, label } of IN_LINES) {
      const value = bytes.toString('latin1');
      const wire = Buffer.from(answer(value), 'latin1');
      for (let cut = 1; cut < wire.length; cut += 1) {
        const seen = await through({ packets: [wire.subarray(0, cut), wire.subarray(cut)] });
        const text = shown(seen);
        expect([text.startsWith('a '), text.endsWith(' z')], label).toEqual([true, true]);
        expect(text.includes(value), label).toBe(false);
        expect(seen.hits, label).toEqual(['KEY']);
      }
    }
  });
});
