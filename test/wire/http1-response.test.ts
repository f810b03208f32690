import { describe, expect, it } from 'vitest';
import { bytewise, transcribe, whole } from './http1-transcript.ts';

const OK = 'HTTP/1.1 200 OK\r\n';
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`;

const accepted: readonly [name: string, text: string, method: string, seen: object][] = [
  [
    'a length',
    `${OK}Content-Length: 3\r\n\r\nabc`,
    'GET',
    { start: '200 OK 1.1', body: 'abc', complete: true },
  ],
  ['up to the end of the connection', `${OK}\r\nabc`, 'GET', { body: 'abc', complete: true }],
  ['no phrase', 'HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n', 'GET', { start: '200  1.1', complete: true }],
  ['no space before no phrase', 'HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n', 'GET', { complete: true }],
  ['HEAD with a length', `${OK}Content-Length: 3\r\n\r\n`, 'HEAD', { body: '', complete: true }],
  [
    '204 with a length',
    'HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nabc',
    'GET',
    { body: '', rest: 'abc' },
  ],
  [
    '204 with a length of zero',
    'HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\nHTTP/1.1',
    'GET',
    { complete: true, rest: 'HTTP/1.1' },
  ],
  ['304 with a length', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n', 'GET', { complete: true }],
  ['100', 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1', 'POST', { start: '100 Continue 1.1', rest: 'HTTP/1.1' }],
  [
    '100 with a length of zero',
    'HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\nHTTP/1.1',
    'POST',
    { body: '', complete: true, rest: 'HTTP/1.1' },
  ],
  [
    '101 with a length of zero',
    'HTTP/1.1 101 Switching Protocols\r\nContent-Length: 0\r\n\r\n\x81\x00',
    'GET',
    { body: '', complete: true, rest: '\x81\x00' },
  ],
  [
    'chunks with extensions',
    `${CHUNKED}3;a;b=c;d="e f"\r\nabc\r\n0;x\r\n\r\n`,
    'GET',
    { body: 'abc', complete: true },
  ],
  ['HTTP/1.0', 'HTTP/1.0 200 OK\r\n\r\nabc', 'GET', { start: '200 OK 1.0', body: 'abc', complete: true }],
  ['an unfinished chunk', `${CHUNKED}5\r\nabc`, 'GET', { body: 'abc', complete: false }],
];

const refused: readonly [code: string, name: string, text: string][] = [
  ['status_line_malformed', 'a greeting', 'SSH-2.0-OpenSSH_9.2\r\n\r\n'],
  ['status_line_malformed', 'another protocol', 'ICY 200 OK\r\n\r\n'],
  ['version_unsupported', 'HTTP/2', 'HTTP/2.0 200 OK\r\n\r\n'],
  ['status_line_malformed', 'no status', 'HTTP/1.1\r\n\r\n'],
  ['status_invalid', 'two digits', 'HTTP/1.1 20 OK\r\n\r\n'],
  ['status_invalid', 'below 100', 'HTTP/1.1 099 OK\r\n\r\n'],
  ['status_invalid', 'above 599', 'HTTP/1.1 600 OK\r\n\r\n'],
  ['status_line_malformed', 'four digits', 'HTTP/1.1 2000 OK\r\n\r\n'],
  ['status_line_malformed', 'control character in the phrase', 'HTTP/1.1 200 O\0K\r\n\r\n'],
  ['bare_cr', 'CR in the phrase', 'HTTP/1.1 200 O\rK\r\n\r\n'],
  ['bare_lf', 'LF', 'HTTP/1.1 200 OK\nA: b\r\n\r\n'],
  ['content_length_repeated', 'two lengths', `${OK}Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc`],
  [
    'content_length_with_transfer_encoding',
    'both',
    `${OK}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n`,
  ],
  ['transfer_encoding_unsupported', 'gzip', `${OK}Transfer-Encoding: gzip, chunked\r\n\r\n`],
  ['transfer_encoding_in_http10', 'HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'],
  ['interim_with_body', '100 with a length', 'HTTP/1.1 100 Continue\r\nContent-Length: 3\r\n\r\nabc'],
  [
    'interim_with_body',
    '101 with a length',
    'HTTP/1.1 101 Switching Protocols\r\nContent-Length: 3\r\n\r\nabc',
  ],
  [
    'interim_with_body',
    '101 with chunks',
    'HTTP/1.1 101 Switching Protocols\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
  [
    'interim_with_body',
    '103 with chunks',
    'HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
  [
    'interim_with_body',
    '111 with a length',
    'HTTP/1.1 111 O\tK\r\nAccept: */*\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
  ],
  ['content_length_invalid', 'a sign in 101', 'HTTP/1.1 101 Go\r\nContent-Length: +0\r\n\r\n'],
  ['chunk_extension', 'LF in an extension', `${CHUNKED}3;a="\x01"\r\nabc\r\n0\r\n\r\n`],
  ['bare_lf', 'LF after an extension', `${CHUNKED}3;a\nabc\r\n0\r\n\r\n`],
  ['trailer_forbidden', 'Set-Cookie in a trailer', `${CHUNKED}0\r\nSet-Cookie: a=b\r\n\r\n`],
];

describe('HTTP/1.1 responses', () => {
  it.each(accepted)('reads %s', (_name, text, method, seen) => {
    expect(transcribe('response', whole(text), method)).toMatchObject({ error: null, ...seen });
    expect(transcribe('response', bytewise(text), method)).toEqual(
      transcribe('response', whole(text), method),
    );
  });

  it.each(refused)('%s: %s', (code, _name, text) => {
    expect(transcribe('response', whole(text)).error).toBe(code);
    expect(transcribe('response', bytewise(text))).toEqual(transcribe('response', whole(text)));
  });

  it('interim_with_body: to HEAD, whose final answer may declare one', () => {
    const hints = 'HTTP/1.1 103 Early Hints\r\nContent-Length: 3\r\n\r\n';
    expect(transcribe('response', whole(hints), 'HEAD').error).toBe('interim_with_body');
  });
});
