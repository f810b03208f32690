/**
 * ATTACKS 17 in frames of HTTP/2: an upstream that sends the key back in whatever the protocol has room for. The control is
 * a cell without secrets, to which it comes through where anything does. Every encoding and coding of a body is tried in
 * `test/egress/scrub-http2.test.ts`.
 */
import type { IncomingHttpHeaders } from 'node:http2';
import { describe, expect, it } from 'vitest';
import {
  answer,
  answerData,
  answerHead,
  begin,
  frameUpstream,
  requestOn,
} from '../egress/http2-frame-upstream.ts';
import {
  FLAG,
  FRAME,
  frame,
  headerBlock,
  type HeaderLine,
  headersOf,
  number32,
} from '../egress/http2-frames.ts';
import { connectHttp2, replyOf } from '../egress/http2-world.ts';
import { API, inWorld, PLACEHOLDER, TOKEN, type World } from '../egress/world.ts';

const key = Buffer.from(TOKEN);
const base64 = Buffer.from(`a${TOKEN}`).toString('base64');

/** All that a client of HTTP/2 is told, whatever it is. */
async function overHttp2(world: World): Promise<string> {
  const session = await connectHttp2(world);
  const told: unknown[] = [];
  session.on('goaway', (_code, _last, opaque?: Buffer) => told.push(opaque?.toString('latin1')));
  session.on('ping', (payload: Buffer) => told.push(payload.toString('latin1')));
  session.on('remoteSettings', (settings) => told.push(JSON.stringify(settings)));
  session.on('altsvc', (...all: unknown[]) => told.push(...all));
  session.on('origin', (origins: string[]) => told.push(...origins));
  session.on('stream', (_pushed, headers) => told.push(JSON.stringify(headers)));
  const stream = session.request({ ':path': '/', authorization: `Bearer ${PLACEHOLDER}` });
  stream.on('headers', (headers: IncomingHttpHeaders) => told.push(JSON.stringify(headers)));
  const { raw, trailers, body } = await replyOf(stream);
  session.destroy();
  return [...raw, JSON.stringify(trailers), body.toString('latin1'), ...told.map(String)].join('\n');
}

/** What comes over HTTP/1.1, as it is and without the lines between chunks. */
async function overHttp1(world: World): Promise<string> {
  const text = await world.exchange(
    `GET / HTTP/1.1\r\nHost: ${API}\r\nAuthorization: Bearer ${PLACEHOLDER}\r\nTE: trailers\r\nConnection: TE, close\r\n\r\n`,
  );
  return `${text}\n${text.replace(/\r\n[0-9a-f]+\r\n/g, '')}`;
}

/** What the client of a cell is told when the upstream sends these frames in answer to each request. */
async function told(
  frames: (stream: number) => readonly Buffer[],
  ask: (world: World) => Promise<string>,
  secrets: Readonly<Record<string, string>> = { TOKEN },
): Promise<{ readonly text: string; readonly events: readonly string[]; readonly masked: number }> {
  const upstream = await frameUpstream(async (peer) => {
    begin(peer);
    for (let stream = 1; (await requestOn(peer, stream)) !== undefined; stream += 2)
      peer.send(...frames(stream));
  });
  const credentials = 'TOKEN' in secrets ? {} : { credentials: [] };
  let seen = { text: '', events: [] as readonly string[], masked: 0 };
  await inWorld({ upstreams: { [`${API}:443`]: upstream }, secrets, ...credentials }, async (world) => {
    const text = await ask(world);
    await world.eventsOf('egress.finished');
    const masked = world.events.filter(({ type }) => type === 'egress.masked').length;
    seen = { text, masked, events: world.events.map(({ type }) => type) };
  });
  return seen;
}

const ended = FLAG.endHeaders | FLAG.endStream;
const fields =
  (...more: readonly HeaderLine[]) =>
  (stream: number): readonly Buffer[] => [answerHead(stream, more), answerData(stream, 'ok')];
/** A frame with padding, in which there is the key. */
const padded = (type: number, flags: number, stream: number, payload: Buffer): Buffer =>
  frame(type, flags | FLAG.padded, stream, Buffer.concat([Buffer.of(key.length), payload, key]));

const CARRIED: readonly [name: string, frames: (stream: number) => readonly Buffer[], form: string][] = [
  ['a field', fields(['x-echo', TOKEN]), TOKEN],
  ['a field, in base64', fields(['x-echo', base64]), base64.slice(2, -2)],
  ['one of two fields of a name', fields(['set-cookie', 'a=b'], ['set-cookie', `c=${TOKEN}; Path=/`]), TOKEN],
  ['the location', fields(['location', `https://x.test/?t=${TOKEN}`]), TOKEN],
  [
    'an interim answer',
    (stream) => [
      frame(
        FRAME.headers,
        FLAG.endHeaders,
        stream,
        headerBlock([
          [':status', '103'],
          ['link', `<${TOKEN}>`],
        ]),
      ),
      ...answer(stream, 'ok'),
    ],
    TOKEN,
  ],
  [
    'a trailer',
    (stream) => [
      answerHead(stream),
      answerData(stream, 'ok', 0),
      headersOf(stream, [['x-echo', TOKEN]], ended),
    ],
    TOKEN,
  ],
  [
    'a trailer behind no body',
    (stream) => [answerHead(stream), headersOf(stream, [['x-echo', TOKEN]], ended)],
    TOKEN,
  ],
  ['a body', (stream) => answer(stream, `a ${TOKEN} z`), TOKEN],
  [
    'a body in frames of a byte',
    (stream) => [
      answerHead(stream),
      ...Array.from(`a ${TOKEN} `, (char) => answerData(stream, char, 0)),
      answerData(stream, 'z'),
    ],
    TOKEN,
  ],
  [
    'a body, between padding and frames that hold nothing',
    (stream) => [
      answerHead(stream),
      ...Array.from({ length: 8 }, (_, index) => [
        padded(FRAME.data, 0, stream, key.subarray(5 * index, 5 * index + 5)),
        frame(FRAME.ping, 0, 0, Buffer.alloc(8)),
        frame(FRAME.data, 0, stream),
      ]).flat(),
      answerData(stream, 'z'),
    ],
    TOKEN,
  ],
  [
    'a head in three frames',
    (stream) => {
      const block = headerBlock([
        [':status', '200'],
        ['x-echo', TOKEN],
      ]);
      return [
        frame(FRAME.headers, 0, stream, block.subarray(0, 30)),
        frame(FRAME.continuation, 0, stream, block.subarray(30, 40)),
        frame(FRAME.continuation, FLAG.endHeaders, stream, block.subarray(40)),
        answerData(stream, 'ok'),
      ];
    },
    TOKEN,
  ],
];

/** Frames that say something else than an answer; nobody passes those on. */
const ASIDE: readonly [name: string, frame: (stream: number) => Buffer][] = [
  ['the padding of DATA', (stream) => padded(FRAME.data, 0, stream, Buffer.from('a'))],
  ['a PING', () => frame(FRAME.ping, 0, 0, key.subarray(0, 8))],
  ['an ALTSVC', (stream) => frame(10, 0, stream, Buffer.concat([Buffer.of(0, 0), key]))],
  ['an ORIGIN', () => frame(12, 0, 0, Buffer.concat([Buffer.of(0, key.length), key]))],
  ['an unknown frame', (stream) => frame(0x7f, 0, stream, key)],
  [
    'a GOAWAY that lets streams end',
    (stream) => frame(FRAME.goaway, 0, 0, Buffer.concat([number32(stream), number32(0), key])),
  ],
];

describe.each([
  ['HTTP/2', overHttp2],
  ['HTTP/1.1', overHttp1],
] as const)(
  'ATTACKS 17: a client that speaks %s gets an answer over HTTP/2 with the key in',
  (_version, ask) => {
    it.each(CARRIED)('%s: masked, and told', async (_name, frames, form) => {
      const control = await told(frames, ask, {});
      expect(control.text, 'the control').toContain(form);
      const { text, masked } = await told(frames, ask);
      expect(text).not.toContain(form);
      expect(text).not.toContain(TOKEN.slice(4, 24));
      expect(text).toContain('200');
      expect(masked).toBe(1);
    });

    it.each(ASIDE)('%s: not passed on', async (_name, aside) => {
      const { text } = await told(
        (stream) => [answerHead(stream), aside(stream), answerData(stream, 'rest')],
        ask,
      );
      expect(text).toContain('rest');
      for (let at = 0; at + 8 <= TOKEN.length; at += 1) expect(text).not.toContain(TOKEN.slice(at, at + 8));
    });

    it('the promise of a push: refused, and nothing of it is passed on', async () => {
      const promise = (stream: number): Buffer =>
        frame(
          FRAME.push,
          FLAG.endHeaders,
          stream,
          Buffer.concat([
            number32(2),
            headerBlock([
              [':method', 'GET'],
              [':scheme', 'https'],
              [':authority', API],
              [':path', `/${TOKEN}`],
            ]),
          ]),
        );
      const { text, events } = await told((stream) => [promise(stream), ...answer(stream, 'rest')], ask);
      expect(text).not.toContain(TOKEN.slice(4, 24));
      expect(text).toContain('egress_upstream_closed');
      expect(events).toContain('egress.refused');
    });
  },
);
