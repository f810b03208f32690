/**
 * ATTACKS 9, 10 and 11 in frames of HTTP/2: placeholders where they are not declared, one name said and another meant, and
 * what turns into something else when it is written for the other version. The controls are the same requests as they
 * should be.
 */
import { connect as connectTls } from 'node:tls';
import { describe, expect, it } from 'vitest';
import {
  FLAG,
  FRAME,
  type FramePeer,
  frame,
  type HeaderLine,
  headerBlock,
  headersOf,
  indexedLiteral,
  openFrames,
  requestLines,
} from '../egress/http2-frames.ts';
import { http2Upstream } from '../egress/http2-world.ts';
import {
  API,
  apiRule,
  bearer,
  httpsUpstream,
  inWorld,
  PLACEHOLDER,
  TOKEN,
  type Upstream,
  type World,
} from '../egress/world.ts';

const OTHER = 'other.test';
const AUTH: HeaderLine = ['authorization', `Bearer ${PLACEHOLDER}`];
const LOWER = 'ghp_placeholderxj7kq2mv9pr4st6wy8zb1cd3f';
const COMPLETE = '[complete]';
const percent = (text: string): string => Buffer.from(text).toString('hex').replace(/../g, '%$&');

/** Writes down all of each request as far as it came, and answers those that are complete. */
async function recorder(version: 'h1' | 'h2', name: string, seen: string[]): Promise<Upstream> {
  if (version === 'h1')
    return httpsUpstream((request, response) => {
      const at = seen.push(`${name} ${request.method} ${request.url} ${request.rawHeaders.join(' ')}\n`) - 1;
      request.on('error', () => undefined);
      request.on('data', (data: Buffer) => (seen[at] += data.toString('latin1')));
      request.on('end', () => {
        seen[at] += `\n${request.rawTrailers.join(' ')}${COMPLETE}`;
        response.end('ok');
      });
    }, name);
  return http2Upstream((stream, _headers, raw) => {
    const at = seen.push(`${name} ${raw.join(' ')}\n`) - 1;
    stream.on('data', (data: Buffer) => (seen[at] += data.toString('latin1')));
    stream.on('trailers', (_trailers, _flags, trailers: readonly string[]) => {
      seen[at] += `\n${trailers.join(' ')}`;
    });
    stream.on('end', () => {
      if (stream.destroyed) return;
      seen[at] += COMPLETE;
      stream.respond({ ':status': 200 });
      stream.end('ok');
    });
  }, name);
}

async function inTwoHosts(
  version: 'h1' | 'h2',
  body: (world: World, seen: string[], upstreams: Readonly<Record<string, Upstream>>) => Promise<void>,
): Promise<void> {
  const seen: string[] = [];
  const upstreams = {
    [`${API}:443`]: await recorder(version, API, seen),
    [`${OTHER}:443`]: await recorder(version, OTHER, seen),
  };
  const rules = [apiRule(), apiRule({ host: OTHER })];
  const credentials = [bearer({ methods: ['GET', 'POST'], paths: ['/v1'] })];
  await inWorld({ rules, credentials, upstreams }, (world) => body(world, seen, upstreams));
}

type Over = Parameters<typeof requestLines>[0];

interface Sent {
  /** Where the connection leads. */
  readonly to?: string;
  readonly over?: Over;
  readonly fields?: readonly HeaderLine[];
  /** DATA frames; none where there is no body. */
  readonly data?: readonly (string | Buffer)[];
  readonly trailers?: readonly HeaderLine[];
  /** Bytes of padding on each frame. */
  readonly padding?: number;
}

function padded(type: number, flags: number, payload: Buffer, padding: number | undefined): Buffer {
  if (padding === undefined) return frame(type, flags, 1, payload);
  return frame(
    type,
    flags | FLAG.padded,
    1,
    Buffer.concat([Buffer.of(padding), payload, Buffer.alloc(padding)]),
  );
}

function framesOf({ over, fields = [], data, trailers, padding }: Sent): readonly Buffer[] {
  const lines = [
    ...requestLines({ path: '/v1', method: data === undefined ? 'GET' : 'POST', ...over }),
    ...fields,
  ];
  const ends = data === undefined && trailers === undefined;
  const frames = [
    padded(FRAME.headers, FLAG.endHeaders | (ends ? FLAG.endStream : 0), headerBlock(lines), padding),
  ];
  for (const [index, piece] of (data ?? []).entries()) {
    const isLast = trailers === undefined && index + 1 === data?.length;
    frames.push(padded(FRAME.data, isLast ? FLAG.endStream : 0, Buffer.from(piece), padding));
  }
  if (trailers !== undefined) frames.push(headersOf(1, trailers));
  return frames;
}

/** The code of a refusal, `reset`, or what was answered. */
async function outcomeOf(peer: FramePeer): Promise<string> {
  const text = await peer.bodyOf(1);
  if (peer.frames.some(({ type, stream }) => type === FRAME.reset && stream === 1) && text === '')
    return 'reset';
  return /"code":"(\w+)"/.exec(text)?.[1] ?? text;
}

async function ask(world: World, sent: Sent): Promise<string> {
  const peer = await openFrames(world, sent.to ?? API);
  /* Frame by frame, so that each is read alone. */
  for (const one of framesOf({ ...sent, over: { authority: sent.to ?? API, ...sent.over } })) {
    await peer.sent(one);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  const outcome = await outcomeOf(peer);
  peer.close();
  return outcome;
}

const inPieces = (text: string, size: number): string[] =>
  text.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? [];

const MISPLACED: readonly [name: string, sent: Sent][] = [
  ['another listed host', { to: OTHER, fields: [AUTH] }],
  ['another path', { over: { path: '/v2' }, fields: [AUTH] }],
  ['another method', { over: { method: 'DELETE' }, fields: [AUTH] }],
  ['another field', { fields: [['x-auth', `Bearer ${PLACEHOLDER}`]] }],
  ['another format', { fields: [['authorization', `token ${PLACEHOLDER}`]] }],
  ['the field twice', { fields: [AUTH, ['authorization', 'Bearer x']] }],
  [
    'a crumb of the cookie',
    {
      fields: [
        ['cookie', 'a=b'],
        ['cookie', `c=${PLACEHOLDER}`],
      ],
    },
  ],
  ['a path', { over: { path: `/v1/${PLACEHOLDER}` } }],
  ['a query', { over: { path: `/v1?q=${PLACEHOLDER}` } }],
  ['a query, percent-encoded', { over: { path: `/v1?q=${percent(PLACEHOLDER)}` } }],
  ['a body', { data: [`a${PLACEHOLDER}b`] }],
  ['a body in two frames', { data: inPieces(`a${PLACEHOLDER}b`, 20) }],
  ['a body in frames of a byte', { data: inPieces(`a${PLACEHOLDER}b`, 1) }],
  ['a body in frames with padding between', { data: inPieces(`a${PLACEHOLDER}b`, 7), padding: 200 }],
  [
    'a body of known length',
    { data: inPieces(PLACEHOLDER, 9), fields: [['content-length', `${PLACEHOLDER.length}`]] },
  ],
  ['a body, in base64', { data: inPieces(btoa(`a${PLACEHOLDER}`), 5) }],
  ['a body beside the field', { fields: [AUTH], data: inPieces(PLACEHOLDER, 9) }],
  ['trailers', { data: ['x'], trailers: [['x-key', PLACEHOLDER]] }],
  [
    'trailers, under the declared name of a field',
    { data: ['x'], trailers: [['x-authorization', `Bearer ${PLACEHOLDER}`]] },
  ],
  ['trailers without a body', { over: { method: 'POST' }, data: [], trailers: [['x-key', PLACEHOLDER]] }],
];

describe.each(['h1', 'h2'] as const)('ATTACKS 9, towards %s: a placeholder in', (version) => {
  it.each(MISPLACED)('%s', async (_name, sent) => {
    await inTwoHosts(version, async (world, seen) => {
      expect(await ask(world, sent)).toBe('egress_placeholder_misplaced');
      expect((await world.eventsOf('credential.refused'))[0]?.data).toMatchObject({
        code: 'egress_placeholder_misplaced',
        credential: 'TOKEN',
      });
      expect(seen.join('\n').toLowerCase()).not.toContain(PLACEHOLDER.toLowerCase());
      /* A body that streams is refused where the placeholder is seen: what came before has left, but never its end. */
      expect(seen.join('\n')).not.toContain(COMPLETE);
      if (sent.data === undefined) expect(seen).toEqual([]);
    });
  });

  /* Names are lower case in HTTP/2, so only such a placeholder can stand in one. */
  it.each<[string, Sent]>([
    ['a field', { fields: [[`x-${LOWER}`, 'y']] }],
    ['a trailer', { data: ['x'], trailers: [[`x-${LOWER}`, 'y']] }],
  ])('the name of %s', async (_name, sent) => {
    const seen: string[] = [];
    const upstreams = { [`${API}:443`]: await recorder(version, API, seen) };
    await inWorld({ upstreams, credentials: [bearer({ placeholder: LOWER })] }, async (world) => {
      expect(await ask(world, sent)).toBe('egress_placeholder_misplaced');
      expect((await world.eventsOf('credential.refused'))[0]?.data).toMatchObject({ credential: 'TOKEN' });
      expect(seen.join().toLowerCase()).not.toContain(LOWER);
      expect(seen.join()).not.toContain(COMPLETE);
      expect(await ask(world, { fields: [['authorization', `Bearer ${LOWER}`]] })).toBe('ok'); // control
      expect(seen.join()).toContain(TOKEN);
    });
  });

  it('control: in its place it becomes the key, however the list is written', async () => {
    await inTwoHosts(version, async (world, seen) => {
      expect(await ask(world, { fields: [AUTH] })).toBe('ok');
      expect(await ask(world, { fields: [AUTH], padding: 9 })).toBe('ok');
      expect(await ask(world, { fields: [AUTH], data: ['a', 'b'], trailers: [['x-sum', 'c']] })).toBe('ok');
      /* From the table: written once, named by a byte twice. */
      const peer = await openFrames(world);
      const lines = headerBlock(requestLines({ path: '/v1' }));
      const whole = FLAG.endHeaders | FLAG.endStream;
      peer.send(frame(FRAME.headers, whole, 1, Buffer.concat([lines, indexedLiteral(...AUTH)])));
      for (const id of [3, 5])
        peer.send(frame(FRAME.headers, whole, id, Buffer.concat([lines, Buffer.of(0xbe)])));
      for (const id of [1, 3, 5]) expect(await peer.bodyOf(id)).toBe('ok');
      peer.close();
      expect(seen.length).toBe(6);
      for (const text of seen) expect(text).toContain(`Bearer ${TOKEN}`);
      expect(seen.join()).not.toContain(PLACEHOLDER);
    });
  });

  it('two halves on two streams are two halves', async () => {
    await inTwoHosts(version, async (world, seen) => {
      const peer = await openFrames(world);
      const [first, second] = [PLACEHOLDER.slice(0, 20), PLACEHOLDER.slice(20)];
      for (const id of [1, 3])
        peer.send(headersOf(id, requestLines({ method: 'POST', path: '/v1' }), FLAG.endHeaders));
      peer.send(frame(FRAME.data, 0, 1, Buffer.from(first)), frame(FRAME.data, 0, 3, Buffer.from(second)));
      peer.send(
        frame(FRAME.data, FLAG.endStream, 1, Buffer.from('.')),
        frame(FRAME.data, FLAG.endStream, 3, Buffer.from('.')),
      );
      for (const id of [1, 3]) expect(await peer.bodyOf(id)).toBe('ok');
      expect(seen.filter((text) => text.includes(`${first}.`)).length).toBe(1);
      expect(seen.filter((text) => text.includes(`${second}.`)).length).toBe(1);
      peer.close();
    });
  });
});

describe('ATTACKS 10: the name', () => {
  it.each([
    ['as it is', { authority: API }],
    ['in upper case', { authority: 'API.Test' }],
    ['with a trailing dot', { authority: `${API}.` }],
    ['with its port', { authority: `${API}:443` }],
  ])('control: %s passes, in its one canonical form', async (_name, over) => {
    await inTwoHosts('h2', async (world, seen) => {
      expect(await ask(world, { over, fields: [AUTH] })).toBe('ok');
      expect(seen[0]).toMatch(/^api\.test .*:authority api\.test .*Bearer ghp_9f/);
    });
  });

  it.each<[string, Sent, string]>([
    ['another listed host', { over: { authority: OTHER } }, 'egress_name_mismatch'],
    ['an unlisted host', { over: { authority: 'evil.test' } }, 'egress_name_mismatch'],
    ['another port', { over: { authority: `${API}:8443` } }, 'egress_name_mismatch'],
    ['the address', { over: { authority: '127.0.0.1' } }, 'egress_name_mismatch'],
    ['a name that looks the same', { over: { authority: 'xn--pi-7ka.test' } }, 'egress_name_mismatch'],
    ['two names', { over: { authority: `${API},${OTHER}` } }, 'egress_request_malformed'],
    ['an empty port', { over: { authority: `${API}:` } }, 'egress_request_malformed'],
    ['a port that is none', { over: { authority: `${API}:443x` } }, 'egress_request_malformed'],
    ['host of another', { fields: [['host', OTHER]] }, 'egress_request_malformed'],
    ['host of the same in another case', { fields: [['host', 'API.test']] }, 'egress_request_malformed'],
    ['host with the port', { fields: [['host', `${API}:443`]] }, 'egress_request_malformed'],
    [
      'authority of another, host of this',
      { over: { authority: OTHER }, fields: [['host', API]] },
      'egress_request_malformed',
    ],
  ])('%s: refused', async (_name, sent, code) => {
    await inTwoHosts('h2', async (world, seen) => {
      expect(await ask(world, { ...sent, fields: [AUTH, ...(sent.fields ?? [])] })).toBe(code);
      const events = await world.eventsOf('egress.refused');
      expect(events[0]?.data['code']).toBe(code);
      expect([seen, world.uses]).toEqual([[], []]);
    });
  });

  it('host alone, of another: refused; control: host alone, of this', async () => {
    await inTwoHosts('h2', async (world, seen) => {
      const lines = requestLines({ path: '/v1' }).filter(([name]) => name !== ':authority');
      const hostOnly = async (host: string): Promise<string> => {
        const peer = await openFrames(world);
        peer.send(headersOf(1, [...lines, ['host', host], AUTH]));
        const outcome = await outcomeOf(peer);
        peer.close();
        return outcome;
      };
      expect(await hostOnly(OTHER)).toBe('egress_name_mismatch');
      expect(await hostOnly(API)).toBe('ok');
      expect(seen.length).toBe(1);
    });
  });
});

describe('ATTACKS 10: coalescing', () => {
  it('the certificate of a connection names one host, so no client has reason to ask it for another', async () => {
    await inTwoHosts('h2', async (world) => {
      const place = await world.placeOf(API, 443);
      const socket = connectTls({ ...place, servername: API, ca: world.cell.caPem, ALPNProtocols: ['h2'] });
      await new Promise((resolve) => socket.once('secureConnect', resolve));
      expect(socket.getPeerCertificate().subjectaltname).toBe(`DNS:${API}`);
      socket.destroy();
    });
  });

  it('an upstream whose certificate and address serve two hosts gets a connection for each', async () => {
    const [one, two] = ['one.shared.test', 'two.shared.test'] as const;
    const seen: string[] = [];
    const shared = await http2Upstream((stream, headers) => {
      seen.push(`${headers[':authority']} ${headers.authorization ?? ''}`);
      stream.respond({ ':status': 200 });
      stream.end('ok');
    }, '*.shared.test');
    const upstreams = { [`${one}:443`]: shared, [`${two}:443`]: { ...shared, close: async () => undefined } };
    const rules = [one, two].map((host) => apiRule({ host }));
    await inWorld({ upstreams, rules, credentials: [bearer({ hosts: [one] })] }, async (world) => {
      for (let round = 0; round < 3; round += 1) {
        expect(await ask(world, { to: one, fields: [AUTH] })).toBe('ok');
        expect(await ask(world, { to: two })).toBe('ok');
      }
      expect(seen).toEqual([1, 2, 3].flatMap(() => [`${one} Bearer ${TOKEN}`, `${two} `]));
      expect(shared.sessions.length).toBe(2);
      expect(await ask(world, { to: one, over: { authority: two } })).toBe('egress_name_mismatch');
      expect((await world.eventsOf('egress.refused'))[0]?.data).toMatchObject({
        code: 'egress_name_mismatch',
      });
    });
  });
});

describe('ATTACKS 11: from HTTP/1.1 to an upstream that speaks HTTP/2', () => {
  const request = (lines: string, body = ''): string =>
    `${lines}\r\nHost: ${API}\r\nConnection: close\r\n${body === '' ? '\r\n' : body}`;

  it.each([
    ['a pseudo field', request('GET /v1 HTTP/1.1\r\n:authority: evil.test')],
    ['a pseudo field behind a space', request('GET /v1 HTTP/1.1\r\n :path: /admin')],
    ['a second path in the line', request('GET /v1 /admin HTTP/1.1')],
    ['a fragment', request('GET /v1#a HTTP/1.1')],
    ['two lengths', request('POST /v1 HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2', '\r\nab')],
    [
      'a length and chunks',
      request('POST /v1 HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked', '\r\n0\r\n\r\n'),
    ],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ])('%s: refused', async (_name, text) => {
    await inTwoHosts('h2', async (world, seen) => {
      expect(await world.exchange(text)).toMatch(/^HTTP\/1\.1 400 /);
      expect((await world.eventsOf('egress.refused'))[0]?.data).toMatchObject({
        code: 'egress_request_malformed',
      });
      expect(seen).toEqual([]);
    });
  });

  it('what concerns one connection, and the way to HTTP/2 in the clear, does not go on; control: the rest does', async () => {
    await inTwoHosts('h2', async (world, seen) => {
      const answer = await world.exchange(
        `POST /v1 HTTP/1.1\r\nHost: ${API}\r\nConnection: close, X-Hop, HTTP2-Settings\r\n` +
          'HTTP2-Settings: AAMAAABkAAQAAP__\r\nKeep-Alive: 1\r\nX-Hop: a\r\nX-Goes: b\r\n' +
          'Transfer-Encoding: chunked\r\n\r\n1\r\nz\r\n0\r\n\r\n',
      );
      expect(answer).toMatch(/^HTTP\/1\.1 200 /);
      const [text = ''] = seen;
      expect(text).toContain('x-goes b');
      expect(text).toContain('\nz');
      expect(text.toLowerCase()).not.toMatch(
        /connection|settings|keep-alive|x-hop|transfer-encoding|upgrade/,
      );
    });
  });
});
