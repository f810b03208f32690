import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  acceptInput,
  asksForWebSocket,
  HEAD_ENCODING,
  parseExtensions,
  parseProtocols,
  readWebSocketAnswer,
  readWebSocketRequest,
  type RequestHead,
  type ResponseHead,
  requestHeadReader,
  responseHeadReader,
} from '../../src/wire/index.ts';

/* RFC 6455 section 1.3 */
const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';

function request(
  changes: Readonly<Record<string, string | null>> = {},
  start = 'GET /chat HTTP/1.1',
): RequestHead {
  const fields: Record<string, string | null> = {
    Host: 'a.test',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': KEY,
    'Sec-WebSocket-Version': '13',
    ...changes,
  };
  const reader = requestHeadReader();
  reader.read(Buffer.from(`${start}\r\n${lines(fields)}\r\n`, HEAD_ENCODING), 0);
  if (reader.head === null) throw new Error(reader.error ?? 'incomplete');
  return reader.head;
}

function answer(
  changes: Readonly<Record<string, string | null>> = {},
  start = 'HTTP/1.1 101 Go',
): ResponseHead {
  const fields: Record<string, string | null> = {
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Accept': ACCEPT,
    ...changes,
  };
  const reader = responseHeadReader();
  reader.read(Buffer.from(`${start}\r\n${lines(fields)}\r\n`, HEAD_ENCODING), 0);
  if (reader.head === null) throw new Error(reader.error ?? 'incomplete');
  return reader.head;
}

/** A value with `|` is several lines. */
const lines = (fields: Readonly<Record<string, string | null>>): string =>
  Object.entries(fields)
    .flatMap(([name, value]) => (value === null ? [] : value.split('|').map((one) => `${name}: ${one}\r\n`)))
    .join('');

const reasonOf = (result: { ok: boolean; error?: string }): string | undefined =>
  result.ok ? undefined : result.error;

describe('a WebSocket request', () => {
  it('is read', () => {
    const head = request({
      Upgrade: 'WebSocket',
      Connection: 'keep-alive, Upgrade',
      'Sec-WebSocket-Protocol': 'chat, superchat|mcp',
      'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits',
    });
    expect(asksForWebSocket(head.fields)).toBe(true);
    expect(readWebSocketRequest(head)).toEqual({
      ok: true,
      value: {
        key: KEY,
        protocols: ['chat', 'superchat', 'mcp'],
        extensions: [{ name: 'permessage-deflate', parameters: [['client_max_window_bits', null]] }],
      },
    });
    expect(asksForWebSocket(request({ Upgrade: 'h2c' }).fields)).toBe(false);
  });

  it.each<[reason: string, name: string, head: RequestHead]>([
    ['method_not_get', 'POST', request({}, 'POST / HTTP/1.1')],
    ['http_version_too_old', 'HTTP/1.0', request({}, 'GET / HTTP/1.0')],
    ['upgrade_not_websocket', 'no Upgrade', request({ Upgrade: null })],
    ['upgrade_not_websocket', 'a choice of protocols', request({ Upgrade: 'websocket, h2c' })],
    ['connection_not_upgrade', 'not named in Connection', request({ Connection: 'keep-alive' })],
    ['body_declared', 'a length', request({ 'Content-Length': '5' })],
    ['body_declared', 'a length of zero', request({ 'Content-Length': '0' })],
    ['body_declared', 'a coding', request({ 'Transfer-Encoding': 'chunked' })],
    ['key_invalid', 'none', request({ 'Sec-WebSocket-Key': null })],
    ['key_invalid', 'two', request({ 'Sec-WebSocket-Key': `${KEY}|${KEY}` })],
    ['key_invalid', '15 bytes', request({ 'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAA' })],
    ['key_invalid', 'bits behind the end', request({ 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZR==' })],
    ['key_invalid', 'another alphabet', request({ 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25_ZQ==' })],
    ['version_unsupported', 'none', request({ 'Sec-WebSocket-Version': null })],
    ['version_unsupported', '8', request({ 'Sec-WebSocket-Version': '8' })],
    ['version_unsupported', 'a list', request({ 'Sec-WebSocket-Version': '13, 8' })],
    ['version_unsupported', 'two', request({ 'Sec-WebSocket-Version': '13|13' })],
    ['protocol_invalid', 'empty', request({ 'Sec-WebSocket-Protocol': '' })],
    ['protocol_invalid', 'twice the same', request({ 'Sec-WebSocket-Protocol': 'a|a' })],
    ['extension_invalid', 'empty', request({ 'Sec-WebSocket-Extensions': '' })],
  ])('%s: %s', (reason, _name, head) => {
    expect(reasonOf(readWebSocketRequest(head))).toBe(reason);
  });
});

describe('the answer to it', () => {
  const offer = { accept: ACCEPT, protocols: ['chat', 'mcp'] };

  it('has the accept value that the key leads to', () => {
    expect(createHash('sha1').update(acceptInput(KEY)).digest('base64')).toBe(ACCEPT);
  });

  it('is read', () => {
    expect(readWebSocketAnswer(answer(), offer)).toEqual({ ok: true, value: { protocol: null } });
    expect(readWebSocketAnswer(answer({ 'Sec-WebSocket-Protocol': 'mcp' }), offer)).toEqual({
      ok: true,
      value: { protocol: 'mcp' },
    });
  });

  it('may declare a length of zero, as some servers do', () => {
    expect(readWebSocketAnswer(answer({ 'Content-Length': '0' }), offer)).toMatchObject({ ok: true });
  });

  it.each<[reason: string, name: string, head: ResponseHead]>([
    ['status_not_101', '200', answer({}, 'HTTP/1.1 200 OK')],
    ['http_version_too_old', 'HTTP/1.0', answer({}, 'HTTP/1.0 101 Go')],
    ['upgrade_not_websocket', 'another protocol', answer({ Upgrade: 'h2c' })],
    ['connection_not_upgrade', 'no Connection', answer({ Connection: null })],
    ['body_declared', 'a length', answer({ 'Content-Length': '5' })],
    ['body_declared', 'a length of zero, twice', answer({ 'Content-Length': '0|0' })],
    ['body_declared', 'a length of zero with a sign', answer({ 'Content-Length': '+0' })],
    ['body_declared', 'a coding', answer({ 'Transfer-Encoding': 'chunked' })],
    [
      'body_declared',
      'a length of zero and a coding',
      answer({ 'Content-Length': '0', 'Transfer-Encoding': 'chunked' }),
    ],
    ['accept_mismatch', 'none', answer({ 'Sec-WebSocket-Accept': null })],
    ['accept_mismatch', 'of another key', answer({ 'Sec-WebSocket-Accept': 'AAAAAAAAAAAAAAAAAAAAAAAAAAA=' })],
    ['accept_mismatch', 'two', answer({ 'Sec-WebSocket-Accept': `${ACCEPT}|${ACCEPT}` })],
    ['extension_not_offered', 'any', answer({ 'Sec-WebSocket-Extensions': 'permessage-deflate' })],
    ['protocol_not_offered', 'another', answer({ 'Sec-WebSocket-Protocol': 'superchat' })],
    ['protocol_not_offered', 'two', answer({ 'Sec-WebSocket-Protocol': 'chat|mcp' })],
    ['protocol_not_offered', 'in another case', answer({ 'Sec-WebSocket-Protocol': 'MCP' })],
  ])('%s: %s', (reason, _name, head) => {
    expect(reasonOf(readWebSocketAnswer(head, offer))).toBe(reason);
  });
});

describe('lists', () => {
  it.each<[text: string, extensions: object]>([
    ['foo', [{ name: 'foo', parameters: [] }]],
    [
      'foo, bar;baz=2',
      [
        { name: 'foo', parameters: [] },
        { name: 'bar', parameters: [['baz', '2']] },
      ],
    ],
    [
      ' foo ; a ; b = "c" , bar',
      [
        {
          name: 'foo',
          parameters: [
            ['a', null],
            ['b', 'c'],
          ],
        },
        { name: 'bar', parameters: [] },
      ],
    ],
    ['foo; a="b\\c"', [{ name: 'foo', parameters: [['a', 'bc']] }]],
  ])('extensions %s', (text, extensions) => {
    expect(parseExtensions(text)).toEqual({ ok: true, value: extensions });
  });

  it.each([
    '',
    ',',
    'foo,',
    ',foo',
    'foo bar',
    'foo;',
    'foo;=1',
    'foo; a=',
    'foo; a="b c"',
    'foo; a="',
    'foo; a="b"c',
    'fo\xe9',
  ])('no extensions: %j', (text) => {
    expect(parseExtensions(text)).toEqual({ ok: false, error: 'extension_invalid' });
  });

  it.each(['', 'a,', 'a b', 'a,a', 'a;b', '"a"'])('no subprotocols: %j', (text) => {
    expect(parseProtocols(text)).toEqual({ ok: false, error: 'protocol_invalid' });
  });

  it('looks at each blank once, however many there are', () => {
    /* A search that begins anew at each of them would not be back before the test is over. */
    const blanks = ' '.repeat(400_000);
    expect(parseProtocols(`a${blanks}b`)).toEqual({ ok: false, error: 'protocol_invalid' });
    expect(parseProtocols(`${blanks}a\t${blanks},\tb `)).toEqual({ ok: true, value: ['a', 'b'] });
  });
});
