import { describe, expect, it } from 'vitest';
import { limits } from '../../src/kernel/index.ts';
import { bytewise, transcribe, whole } from './http1-transcript.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a.test\r\n';
const POST = 'POST / HTTP/1.1\r\nHost: a.test\r\n';
const CHUNKED = `${POST}Transfer-Encoding: chunked\r\n\r\n`;

const accepted: readonly [name: string, text: string, seen: object][] = [
  [
    'a plain request',
    `${GET}\r\n`,
    { start: 'GET / 1.1', fields: ['Host=a.test'], body: '', complete: true },
  ],
  ['HTTP/1.0', 'GET / HTTP/1.0\r\nHost: a\r\n\r\n', { start: 'GET / 1.0', complete: true }],
  ['optional white space', `${GET}A: \t b c \t\r\n\r\n`, { fields: ['Host=a.test', 'A=b c'] }],
  [
    'a long value',
    `${GET}A: ${'0123456789'.repeat(300)}\r\n\r\n`,
    { fields: ['Host=a.test', `A=${'0123456789'.repeat(300)}`] },
  ],
  ['an empty value', `${GET}A:\r\n\r\n`, { fields: ['Host=a.test', 'A='] }],
  ['obs-text', `${GET}A: \xe9\r\n\r\n`, { fields: ['Host=a.test', 'A=\xe9'] }],
  ['a length', `${POST}Content-Length: 3\r\n\r\nabcNEXT`, { body: 'abc', rest: 'NEXT', complete: true }],
  ['length zero', `${POST}Content-Length: 0\r\n\r\n`, { body: '', complete: true }],
  [
    'chunks',
    `${CHUNKED}3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\nNEXT`,
    { body: 'abc0123456789', rest: 'NEXT', complete: true },
  ],
  ['trailers', `${CHUNKED}0\r\nX-Sum: 1\r\n\r\n`, { trailers: ['X-Sum=1'], complete: true }],
  ['a coding in another case', `${POST}Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n`, { complete: true }],
  ['spaces around a coding', `${POST}Transfer-Encoding:  chunked  \r\n\r\n0\r\n\r\n`, { complete: true }],
  ['leading zeros of a chunk size', `${CHUNKED}0003\r\nabc\r\n0\r\n\r\n`, { body: 'abc', complete: true }],
  ['an absolute target', 'GET HTTP://a.test:80?b HTTP/1.1\r\nHost: a\r\n\r\n', { complete: true }],
  [
    'CONNECT with a length of zero, as some clients write it',
    'CONNECT [::1]:443 HTTP/1.1\r\nHost: a:443\r\nContent-Length: 0\r\n\r\nNEXT',
    { start: 'CONNECT [::1]:443 1.1', body: '', rest: 'NEXT', complete: true },
  ],
  [
    'a body that has not ended',
    `${POST}Content-Length: 9\r\n\r\nabc`,
    { body: 'abc', complete: false, error: null },
  ],
];

const refused: readonly [code: string, name: string, text: string][] = [
  ['bare_lf', 'LF after the request line', 'GET / HTTP/1.1\nHost: a\r\n\r\n'],
  ['bare_lf', 'LF after a field', 'GET / HTTP/1.1\r\nHost: a\n\r\n'],
  ['bare_lf', 'LF as the empty line', 'GET / HTTP/1.1\r\nHost: a\r\n\n'],
  ['bare_lf', 'LF first', '\nGET / HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['bare_cr', 'CR in the request line', 'GET /\r HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['bare_cr', 'CR in a value', `${GET}A: b\rc\r\n\r\n`],
  ['bare_cr', 'CR CR LF', `${GET}A: b\r\r\n\r\n`],
  ['bare_cr', 'CR in place of a line', `${GET}\r\r\n\r\n`],
  ['request_line_malformed', 'an empty line first', '\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['request_line_malformed', 'HTTP/0.9', 'GET /\r\n\r\n'],
  ['request_line_malformed', 'two spaces', 'GET  / HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['request_line_malformed', 'space in the target', 'GET /a b HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['request_line_malformed', 'space at the end', 'GET / HTTP/1.1 \r\nHost: a\r\n\r\n'],
  ['request_line_malformed', 'space first', ' GET / HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['method_unknown', 'lower case', 'get / HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['method_unknown', 'not a method', 'BREW / HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['method_unknown', 'the HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['target_invalid', 'a control character', 'GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['target_invalid', 'tab', 'GET /\t HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['target_invalid', 'NUL', 'GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['target_invalid', 'bytes above ASCII', 'GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['target_form_unknown', 'absolute form without a host', 'GET http:///a HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['target_form_unknown', 'a quote in a host', 'GET http://a."test/ HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['target_form_unknown', 'a fragment behind a host', 'GET http://a.test#b HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['target_form_unknown', 'a path for CONNECT', 'CONNECT /a HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['target_form_unknown', 'a user for CONNECT', 'CONNECT u@a:443 HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['target_form_unknown', 'absolute form for CONNECT', 'CONNECT http://a/ HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['target_form_unknown', 'a relative path', 'GET a/b HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['target_form_unknown', 'authority form', 'GET a.test:443 HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['target_form_unknown', 'another scheme', 'GET ftp://a.test/ HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['target_form_unknown', 'more than an asterisk', 'OPTIONS *a HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['version_unsupported', 'HTTP/1.2', 'GET / HTTP/1.2\r\nHost: a\r\n\r\n'],
  ['version_unsupported', 'HTTP/2.0', 'GET / HTTP/2.0\r\nHost: a\r\n\r\n'],
  ['version_unsupported', 'lower case', 'GET / http/1.1\r\nHost: a\r\n\r\n'],
  ['version_unsupported', 'leading zero', 'GET / HTTP/01.1\r\nHost: a\r\n\r\n'],
  ['field_malformed', 'no colon', `${GET}nothing\r\n\r\n`],
  ['field_folded', 'space first', `${GET}A: b\r\n c\r\n\r\n`],
  ['field_folded', 'tab first', `${GET}A: b\r\n\tc\r\n\r\n`],
  ['field_folded', 'space before the first field', 'GET / HTTP/1.1\r\n Host: a\r\n\r\n'],
  ['field_name_invalid', 'no name', `${GET}: b\r\n\r\n`],
  ['field_name_invalid', 'space within', `${GET}A B: c\r\n\r\n`],
  ['field_name_invalid', 'bracket', `${GET}A[0]: c\r\n\r\n`],
  ['field_name_invalid', 'NUL', `${GET}A\0: c\r\n\r\n`],
  ['field_name_invalid', 'above ASCII', `${GET}\xe9: c\r\n\r\n`],
  ['field_space_before_colon', 'space', `${GET}Content-Length : 3\r\n\r\nabc`],
  ['field_space_before_colon', 'tab', `${GET}Content-Length\t: 3\r\n\r\nabc`],
  ['field_value_invalid', 'NUL', `${GET}A: b\0c\r\n\r\n`],
  ['field_value_invalid', 'escape', `${GET}A: \x1b[0m\r\n\r\n`],
  ['field_value_invalid', 'DEL', `${GET}A: \x7f\r\n\r\n`],
  ['fields_too_many', 'one more than allowed', `${GET}${'A: b\r\n'.repeat(limits.headFieldsMax)}\r\n`],
  ['head_too_large', 'one long value', `${GET}A: ${'b'.repeat(limits.requestHeadBytesMax)}\r\n\r\n`],
  [
    'head_too_large',
    'a long target',
    `GET /${'b'.repeat(limits.requestHeadBytesMax)} HTTP/1.1\r\nHost: a\r\n\r\n`,
  ],
  ['head_too_large', 'a line without an end', `${GET}A: ${'b'.repeat(limits.requestHeadBytesMax)}`],
  [
    'head_too_large',
    'many lines, the last without an end',
    `${GET}${`A: ${'b'.repeat(995)}\r\n`.repeat(32)}A: ${'b'.repeat(1_000)}`,
  ],
  ['host_missing', 'no Host', 'GET / HTTP/1.1\r\nA: b\r\n\r\n'],
  ['host_missing', 'no Host in HTTP/1.0', 'GET / HTTP/1.0\r\n\r\n'],
  ['host_repeated', 'two Hosts', `${GET}host: b.test\r\n\r\n`],
  ['host_repeated', 'the same Host twice', `${GET}Host: a.test\r\n\r\n`],
  ['content_length_invalid', 'empty', `${POST}Content-Length:\r\n\r\n`],
  ['content_length_invalid', 'sign', `${POST}Content-Length: +3\r\n\r\nabc`],
  ['content_length_invalid', 'negative', `${POST}Content-Length: -3\r\n\r\nabc`],
  ['content_length_invalid', 'hexadecimal', `${POST}Content-Length: 0x3\r\n\r\nabc`],
  ['content_length_invalid', 'list', `${POST}Content-Length: 3, 3\r\n\r\nabc`],
  ['content_length_invalid', 'space within', `${POST}Content-Length: 1 0\r\n\r\nabc`],
  ['content_length_invalid', 'overflow', `${POST}Content-Length: 18446744073709551619\r\n\r\nabc`],
  ['content_length_repeated', 'different', `${POST}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc`],
  ['content_length_repeated', 'equal', `${POST}Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc`],
  [
    'content_length_with_transfer_encoding',
    'length first',
    `${POST}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  ],
  [
    'content_length_with_transfer_encoding',
    'length last',
    `${POST}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n`,
  ],
  [
    'transfer_encoding_repeated',
    'twice',
    `${POST}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n`,
  ],
  ['transfer_encoding_unsupported', 'identity', `${POST}Transfer-Encoding: identity\r\n\r\n`],
  [
    'transfer_encoding_unsupported',
    'chunked, identity',
    `${POST}Transfer-Encoding: chunked, identity\r\n\r\n`,
  ],
  ['transfer_encoding_unsupported', 'gzip, chunked', `${POST}Transfer-Encoding: gzip, chunked\r\n\r\n`],
  [
    'transfer_encoding_unsupported',
    'chunked twice in one',
    `${POST}Transfer-Encoding: chunked, chunked\r\n\r\n`,
  ],
  ['transfer_encoding_unsupported', 'quoted', `${POST}Transfer-Encoding: "chunked"\r\n\r\n`],
  ['transfer_encoding_unsupported', 'look-alike', `${POST}Transfer-Encoding: xchunked\r\n\r\n`],
  ['transfer_encoding_unsupported', 'tab behind', `${POST}Transfer-Encoding: chunked\t\r\n\r\n0\r\n\r\n`],
  ['transfer_encoding_unsupported', 'blanks behind', `${POST}Transfer-Encoding: chunked \t \r\n\r\n`],
  ['transfer_encoding_unsupported', 'tab before', `${POST}transfer-encoding:\t chunked\r\n\r\n0\r\n\r\n`],
  ['transfer_encoding_unsupported', 'empty', `${POST}Transfer-Encoding:\r\n\r\n`],
  [
    'transfer_encoding_in_http10',
    'HTTP/1.0',
    'POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n',
  ],
  ['connect_with_body', 'a length', 'CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\nContent-Length: 3\r\n\r\nabc'],
  [
    'connect_with_body',
    'chunks',
    'CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
  ['chunk_size_invalid', 'empty', `${CHUNKED}\r\nabc\r\n0\r\n\r\n`],
  ['chunk_size_invalid', 'not hexadecimal', `${CHUNKED}g\r\nabc`],
  ['chunk_size_invalid', '0x', `${CHUNKED}0x3\r\nabc\r\n0\r\n\r\n`],
  ['chunk_size_invalid', 'negative', `${CHUNKED}-1\r\nabc`],
  ['chunk_size_invalid', 'space after', `${CHUNKED}3 \r\nabc\r\n0\r\n\r\n`],
  ['chunk_size_invalid', 'space before', `${CHUNKED} 3\r\nabc\r\n0\r\n\r\n`],
  ['chunk_size_overflow', 'beyond 64 bits', `${CHUNKED}10000000000000003\r\nabc\r\n0\r\n\r\n`],
  ['chunk_extension', 'any', `${CHUNKED}3;a=b\r\nabc\r\n0\r\n\r\n`],
  ['chunk_extension', 'empty', `${CHUNKED}3;\r\nabc\r\n0\r\n\r\n`],
  ['chunk_line_too_long', 'endless size', `${CHUNKED}${'0'.repeat(limits.chunkLineBytesMax + 1)}`],
  ['chunk_end_missing', 'data longer than its size', `${CHUNKED}3\r\nabcd\r\n0\r\n\r\n`],
  ['chunk_end_missing', 'LF alone', `${CHUNKED}3\r\nabc\n0\r\n\r\n`],
  ['bare_lf', 'LF after the chunk size', `${CHUNKED}3\nabc\r\n0\r\n\r\n`],
  ['bare_lf', 'LF at the end of trailers', `${CHUNKED}0\r\n\n`],
  ['field_folded', 'folded trailer', `${CHUNKED}0\r\nA: b\r\n c\r\n\r\n`],
  ['trailer_forbidden', 'Content-Length', `${CHUNKED}0\r\nContent-Length: 3\r\n\r\n`],
  ['trailer_forbidden', 'Authorization', `${CHUNKED}0\r\nauthorization: x\r\n\r\n`],
  [
    'fields_too_many',
    'one trailer more than allowed',
    `${CHUNKED}0\r\n${'A: b\r\n'.repeat(limits.headFieldsMax + 1)}\r\n`,
  ],
  ['trailer_too_large', 'many lines', `${CHUNKED}0\r\n${`A: ${'b'.repeat(195)}\r\n`.repeat(50)}\r\n`],
  ['trailer_too_large', 'endless', `${CHUNKED}0\r\nA: ${'b'.repeat(limits.trailerBytesMax)}\r\n\r\n`],
];

describe('HTTP/1.1 requests', () => {
  it.each(accepted)('reads %s', (_name, text, seen) => {
    expect(transcribe('request', whole(text))).toMatchObject({ error: null, ...seen });
    expect(transcribe('request', bytewise(text))).toEqual(transcribe('request', whole(text)));
  });

  it.each(refused)('%s: %s', (code, _name, text) => {
    expect(transcribe('request', whole(text)).error).toBe(code);
    expect(transcribe('request', bytewise(text))).toEqual(transcribe('request', whole(text)));
  });

  it('takes a head of exactly the limit', () => {
    const room = limits.requestHeadBytesMax - `${GET}A: \r\n\r\n`.length;
    expect(transcribe('request', whole(`${GET}A: ${'b'.repeat(room)}\r\n\r\n`)).error).toBe(null);
    expect(transcribe('request', whole(`${GET}A: ${'b'.repeat(room + 1)}\r\n\r\n`)).error).toBe(
      'head_too_large',
    );
  });
});
