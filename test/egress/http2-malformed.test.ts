/**
 * Requests that are well framed and malformed all the same (RFC 9113 section 8), or that HTTP/1.1 would read in another way:
 * nothing of them gets to an upstream that speaks it (ATTACKS 11).
 */
import { describe, expect, it } from 'vitest';
import { inConformanceWorld } from './http2-conformance-world.ts';
import { FLAG, FRAME, frame, type HeaderLine, headersOf, requestLines } from './http2-frames.ts';
import { API } from './world.ts';

const STREAM_ERROR = 'reset 1'; // PROTOCOL_ERROR
const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const lines = requestLines();
const get = headersOf(1, lines);
const withFields = (...more: readonly HeaderLine[]): Buffer => headersOf(1, [...lines, ...more]);
const withPseudo = (over: Parameters<typeof requestLines>[0]): Buffer => headersOf(1, requestLines(over));
const without = (name: string): Buffer =>
  headersOf(
    1,
    lines.filter(([one]) => one !== name),
  );

/** A request with a body in DATA frames of these texts. */
const post = (more: readonly HeaderLine[], ...data: readonly string[]): readonly Buffer[] => [
  headersOf(1, [...requestLines({ method: 'POST' }), ...more], FLAG.endHeaders),
  ...data.map((text, at) => frame(FRAME.data, at === data.length - 1 ? FLAG.endStream : 0, 1, bytes(text))),
];
const { outcomeOf, arrived } = inConformanceWorld();

describe('an error of the stream, and the next request on a connection is served', () => {
  it.each<[string, Buffer]>([
    ['8.2 a name in upper case', withFields(['X-Upper', 'a'])],
    ['8.2.2 connection', withFields(['connection', 'close'])],
    ['8.2.2 keep-alive', withFields(['keep-alive', '1'])],
    ['8.2.2 proxy-connection', withFields(['proxy-connection', 'close'])],
    ['8.2.2 transfer-encoding', withFields(['transfer-encoding', 'chunked'])],
    ['8.2.2 upgrade', withFields(['upgrade', 'h2c'])],
    ['8.2.2 te with anything but trailers', withFields(['te', 'gzip'])],
    ['8.2.2 te with more than trailers', withFields(['te', 'trailers, gzip'])],
    ['8.3 an unknown pseudo field', withFields([':foo', 'a'])],
    ['8.3 a pseudo field of answers', withFields([':status', '200'])],
    ['8.3 a pseudo field after others', headersOf(1, [['x', 'y'], ...lines])],
    [
      '8.3 the last pseudo field after others',
      headersOf(1, [...lines.slice(0, 3), ['x', 'y'], ...lines.slice(3)]),
    ],
    ['8.3 two methods', withFields([':method', 'GET'])],
    ['8.3 two schemes', withFields([':scheme', 'https'])],
    ['8.3 two authorities', withFields([':authority', API])],
    ['8.3 two paths', withFields([':path', '/'])],
    ['8.3.1 no method', without(':method')],
    ['8.3.1 no scheme', without(':scheme')],
    ['8.3.1 no path', without(':path')],
    ['8.3.1 neither authority nor host', without(':authority')],
    ['8.3.1 an empty method', withPseudo({ method: '' })],
    ['8.3.1 an empty path', withPseudo({ path: '' })],
    ['8.3.1 an empty authority', withPseudo({ authority: '' })],
    ['8.3.1 an authority with a user', withPseudo({ authority: `a@${API}` })],
    ['8.3.1 an authority with a path', withPseudo({ authority: `${API}/x` })],
    ['8.3.1 two hosts', withFields(['host', API], ['host', API])],
    [
      '8.5 CONNECT with a protocol (RFC 8441)',
      headersOf(1, [...requestLines({ method: 'CONNECT' }), [':protocol', 'websocket']]),
    ],
    ['a method of two words', withPseudo({ method: 'GET /x' })],
    ['a path with a blank', withPseudo({ path: '/a b' })],
    ['a path with a line in it', withPseudo({ path: '/a HTTP/1.1\r\nX: y' })],
    ['a path with a NUL', withPseudo({ path: '/a\0' })],
    ['a whole URL as path', withPseudo({ path: `https://${API}/` })],
    ['a path that does not begin with a slash', withPseudo({ path: 'a' })],
  ])('%s', async (_what, sent) => {
    expect(await outcomeOf([sent])).toBe(STREAM_ERROR);
    expect(arrived).toEqual([]);
    expect(await outcomeOf([sent, headersOf(3, lines)], 3)).toBe('served');
  });
});

describe('refused with an answer', () => {
  it.each<[string, Buffer]>([
    ['8.2.2 http2-settings', withFields(['http2-settings', 'AAAA'])],
    ['8.3.1 another scheme', withPseudo({ scheme: 'http' })],
    ['8.3.1 a scheme of something else', withPseudo({ scheme: 'ftp' })],
    ['8.3.1 another host than authority', withFields(['host', 'other.test'])],
    ['8.3.1 OPTIONS of everything', withPseudo({ method: 'OPTIONS', path: '*' })],
    [
      '8.5 CONNECT',
      headersOf(1, [
        [':method', 'CONNECT'],
        [':authority', API],
      ]),
    ],
    ['a path with a fragment', withPseudo({ path: '/a#b' })],
    ['a path with a backslash', withPseudo({ path: '/a\\..\\b' })],
    ['a path that goes up', withPseudo({ path: '/a/../b' })],
  ])('%s', async (_what, sent) => {
    expect(await outcomeOf([sent])).toMatch(/^egress_(?:request_malformed|path_ambiguous)$/);
    expect(arrived).toEqual([]);
    expect(await outcomeOf([get])).toBe('served');
  });
});

describe('a field that cannot be one is left out', () => {
  it.each<[string, HeaderLine]>([
    ['a blank in its name', ['x-odd y', 'value']],
    ['a colon in its name', ['x-odd:y', 'value']],
    ['no name', ['', 'value']],
    ['a NUL in its name', ['x-odd\0', 'value']],
    ['a line break in its name', ['x-odd\r\ny', 'value']],
    ['a byte that is not ASCII in its name', ['x-odd\u00e9', 'value']],
    ['a CR in its value', ['x-odd', 'value\rx']],
    ['a LF in its value', ['x-odd', 'value\nx: y']],
    ['a NUL in its value', ['x-odd', 'value\0']],
    ['a control character in its value', ['x-odd', 'value\x01']],
    ['DEL in its value', ['x-odd', 'value\x7f']],
    ['a blank before its value', ['x-odd', ' value']],
    ['a blank behind its value', ['x-odd', 'value\t']],
  ])('%s', async (_what, line) => {
    expect(await outcomeOf([withFields(line, ['x-next', 'fine'])])).toBe('served');
    expect(arrived[0]?.head).toContain('x-next\nfine');
    expect(arrived[0]?.head).not.toMatch(/odd|value/);
  });

  it.each<[string, HeaderLine]>([
    ['bytes that are not ASCII', ['x-odd', 'caf\u00e9\x80']],
    ['nothing', ['x-odd', '']],
    ['blanks within', ['x-odd', 'a \t b']],
  ])('control: a value with %s arrives', async (_what, [name, value]) => {
    expect(await outcomeOf([withFields([name, value])])).toBe('served');
    expect(`${arrived[0]?.head}\n`).toContain(`${name}\n${value}\n`);
  });
});

describe('a body of another length than declared', () => {
  it.each<[string, readonly Buffer[], string]>([
    ['none', [withFields(['content-length', '1'])], STREAM_ERROR],
    ['one that is shorter', post([['content-length', '2']], 'x'), STREAM_ERROR],
    ['one that is shorter, and long', post([['content-length', '100000']], 'x'.repeat(10_000)), STREAM_ERROR],
    [
      'two lengths',
      post(
        [
          ['content-length', '1'],
          ['content-length', '1'],
        ],
        'x',
      ),
      STREAM_ERROR,
    ],
    ['a length with a sign', post([['content-length', '+1']], 'x'), STREAM_ERROR],
    ['a list of lengths', post([['content-length', '1, 1']], 'x'), STREAM_ERROR],
    ['a length in hexadecimal', post([['content-length', '0x1']], 'x'), STREAM_ERROR],
    /* Node ends the connection for this: it is the client's own. */
    ['one that is longer', post([['content-length', '1']], 'xy'), 'goaway 2'],
    ['one that is longer by a frame', post([['content-length', '1']], 'x', 'y'), 'goaway 2'],
  ])('%s', async (_what, frames, outcome) => {
    expect(await outcomeOf(frames)).toBe(outcome);
    expect(arrived.filter(({ body }) => body !== null)).toEqual([]);
    expect(await outcomeOf(post([['content-length', '2']], 'x', 'y'))).toBe('served'); // control
    expect(arrived.map(({ body }) => body)).toEqual(['xy']);
  });
});

describe('trailers that cannot be some', () => {
  const trailers = (...more: readonly HeaderLine[]): Buffer => headersOf(1, more);
  const open = post([], 'x', '').slice(0, 2);

  it.each<[string, Buffer, string]>([
    ['8.1 the stream goes on behind them', headersOf(1, [['x', 'y']], FLAG.endHeaders), STREAM_ERROR],
    ['8.1 a pseudo field', trailers([':path', '/']), STREAM_ERROR],
    ['8.1 a pseudo field of answers', trailers([':status', '200']), STREAM_ERROR],
    ['a name in upper case', trailers(['X-Upper', 'y']), STREAM_ERROR],
    ['transfer-encoding', trailers(['transfer-encoding', 'chunked']), STREAM_ERROR],
    ['content-length', trailers(['content-length', '1']), 'egress_request_malformed'],
    ['authorization', trailers(['authorization', 'x']), 'egress_request_malformed'],
    ['host', trailers(['host', API]), 'egress_request_malformed'],
  ])('%s', async (_what, sent, outcome) => {
    expect(await outcomeOf([...open, sent])).toBe(outcome);
    expect(arrived.filter(({ body }) => body !== null)).toEqual([]);
    expect(await outcomeOf([...open, trailers(['x-sum', 'y'])])).toBe('served'); // control
    expect(arrived.map(({ body }) => body)).toContain('x');
  });
});
