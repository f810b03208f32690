/**
 * Bytes of HTTP/1.1 connections: one to three messages of a grammar that leans to what parsers disagree about, and the same
 * with bytes changed, lines moved and pieces of other messages put in.
 */
import { type Below, pick } from './random.ts';
import type { Kind } from './http1-messages.ts';

const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH'];
const RARE_METHODS = [
  'CONNECT',
  'TRACE',
  'PROPFIND',
  'M-SEARCH',
  'QUERY',
  'PURGE',
  'SOURCE',
  'get',
  'BREW',
  'PRI',
  '',
];
const TARGETS = ['/', '/a/b?c=d', '/%2e%2e/x', '/a;b=c', '//x', '/a#b', '/"<>\\^`{|}'];
const RARE_TARGETS = [
  '*',
  'http://a.test/',
  'HTTPS://a.test',
  'http://a.test?b',
  'http://a.test#b',
  'http://u:p@a.test:80/',
  'http://u@v@a/',
  'http://@@a/',
  'http://[::1]/',
  'http://a"b/',
  'http://a\\b/',
  'http://a%20b/',
  'http://a.test|/',
  'http://a.test/b"<>\\^`{|}##',
  '/##?#',
  'http:/a',
  'http://',
  'ftp://a/',
  'a.test:443',
  'a/b',
  '?a',
  '/\xe9',
  '/\x7f',
  '/a b',
  '/\t',
  '',
];
const VERSIONS = [
  'HTTP/1.0',
  'HTTP/1.2',
  'HTTP/2.0',
  'HTTP/0.9',
  'http/1.1',
  'HTTP/1.',
  'HTTP/1.10',
  'HTTP/11',
  'HTTP/1.1 ',
];
const FIELDS = [
  'Accept: */*',
  'A: b',
  'a:b',
  'X-Long: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
  'Cookie: a=b; c=d',
  'Empty:',
  'Blanks:   ',
  "!#$%&'*+-.^_`|~09: x",
  'Obs: \xe9\xff\x80',
  'Tab: \t a \t b \t',
  'Date: Fri, 21 Nov 2025 03:00:00 GMT',
  'Content-Type: text/plain; charset="a"',
  'Connection: keep-alive',
  'Set-Cookie: a=b',
];
const RARE_FIELDS = [
  'Connection: close',
  'Connection: Upgrade',
  'Connection: a, close',
  'Connection: keep-alive, close',
  'Proxy-Connection: close',
  'Upgrade: websocket',
  'Upgrade: h2c',
  'Expect: 100-continue',
  'Host: a.test',
  'Host: b.test',
  'Host:',
  ' folded: a',
  '\tfolded: a',
  'Space : a',
  'Space\t: a',
  'Na me: a',
  'Na\x00me: a',
  '\xe9: a',
  'a[]: a',
  ': a',
  'none',
  'Nul: a\x00b',
  'Esc: \x1b',
  'Del: \x7f',
  'Cr: a\rb',
  'Crcr: a\r',
  'Trailer: X-T',
  'TE: trailers',
];
const LENGTHS = [
  '0',
  '3',
  '03',
  '+3',
  '-3',
  '0x3',
  '3, 3',
  '3,4',
  '3 ',
  '1 0',
  '',
  '\t3',
  '3\t',
  '3 \t ',
  '3;a',
  '18446744073709551619',
  '9007199254740993',
  '999999999999999',
  'three',
  '\xb3',
];
const CODINGS = [
  'chunked',
  'Chunked',
  'CHUNKED',
  'identity',
  'gzip, chunked',
  'chunked, gzip',
  'chunked, chunked',
  'chunked,',
  ', chunked',
  'chunked;a=b',
  '"chunked"',
  'xchunked',
  'chunkedx',
  '\x0bchunked',
  ' chunked ',
  '\tchunked',
  'chunked\t',
  'chunked \t',
  'gzip',
  '',
];
const SIZES = [
  'g',
  '0x3',
  '-1',
  '+3',
  '3 ',
  ' 3',
  '3\t',
  '',
  '0000000000003',
  '10000000000000003',
  'ffffffffffffffff',
  '3_',
  '3\x00',
];
const CHUNK_EXTENSIONS = [
  ';a',
  ';a=b',
  ';a="b c"',
  '; a=b',
  ' ;a',
  ';',
  ';a=',
  ';a="',
  ';a="\\""',
  ';a;b=c',
  ';\x00',
  ';a=b\xe9',
  ';=b',
];
const TRAILERS = ['X-Sum: 1', 'X-T:', 'A: b', 'ETag: "x"'];
const RARE_TRAILERS = [
  'Content-Length: 5',
  'Transfer-Encoding: chunked',
  'Host: b',
  'Set-Cookie: a=b',
  ' a: b',
  'A : b',
  'none',
  'A: \x00',
];
const DATA = [
  'abc',
  'hello world',
  '\r\n\r\n',
  '0\r\n\r\n',
  '\x00\xff',
  'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
  'HTTP/1.1 200 OK\r\n\r\n',
];
const STATUSES = ['200', '200', '200', '404', '500', '206', '301'];
const RARE_STATUSES = [
  '100',
  '101',
  '103',
  '111',
  '204',
  '304',
  '099',
  '600',
  '999',
  '20',
  '2000',
  '0',
  '',
  '2x0',
  '+20',
  '1000',
];
const PHRASES = [' OK', ' Not Found', ' ', '', ' O\tK', ' \xe9'];
const RARE_PHRASES = ['  x', ' O\x00K', ' O\rK', '\tOK', 'OK', ' \x7f'];
const INSERTS = [
  '\n',
  '\r',
  '\r\n',
  '\n\n',
  '\r\r\n',
  ' ',
  '\t',
  '\0',
  '\x0b',
  '\x0c',
  ':',
  ';',
  ',',
  '"',
  '\x7f',
  '\x80',
  '\xa0',
  '\xff',
  '0',
  '1',
  'f',
  'x',
  '+',
  '-',
  '\r\n\r\n',
  '\r\n ',
  'Content-Length: 4\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: identity\r\n',
  ' chunked',
  'Host: b\r\n',
  '0\r\n\r\n',
];

/** The rare one once in `times`. */
const rarely = (below: Below, times: number, rare: readonly string[], usual: readonly string[]): string =>
  pick(below, below(times) === 0 ? rare : usual);

const CONNECT_TARGETS = [
  'a.test:443',
  'a.test',
  '[::1]:443',
  'u@a.test:443',
  'a.test:443/',
  'a.test:443?b',
  'a"b:1',
  'a%20:1',
  '/',
  '/a/b?c=d',
  'http://a/',
  '*',
  ':443',
  'a:b:c',
];

function requestLine(below: Below): string {
  if (below(60) === 0) return `CONNECT ${pick(below, CONNECT_TARGETS)} HTTP/1.1\r\nHost: a.test\r\n`;
  const method = rarely(below, 30, RARE_METHODS, METHODS);
  const target = rarely(below, 20, RARE_TARGETS, TARGETS);
  return `${method} ${target} ${rarely(below, 25, VERSIONS, ['HTTP/1.1'])}\r\nHost: a.test\r\n`;
}

function statusLine(below: Below): string {
  const status = rarely(below, 8, RARE_STATUSES, STATUSES);
  return `${rarely(below, 25, VERSIONS, ['HTTP/1.1'])} ${status}${rarely(below, 25, RARE_PHRASES, PHRASES)}\r\n`;
}

const digits = (below: Below, bytes: number): string => {
  const text = `${below(8) === 0 ? '00' : ''}${bytes.toString(16)}`;
  return below(4) === 0 ? text.toUpperCase() : text;
};

function chunks(below: Below, kind: Kind): string {
  let text = '';
  /* Requests with extensions are refused, so these must be rare there. */
  const extension = (): string =>
    below(kind === 'request' ? 40 : 6) === 0 ? pick(below, CHUNK_EXTENSIONS) : '';
  for (let count = below(4); count > 0; count -= 1) {
    const data = pick(below, DATA);
    const size = below(40) === 0 ? pick(below, SIZES) : digits(below, data.length);
    text += `${size}${extension()}\r\n${data}\r\n`;
  }
  text += `${below(10) === 0 ? '000' : '0'}${extension()}\r\n`;
  for (let count = below(5) === 0 ? 1 + below(2) : 0; count > 0; count -= 1) {
    text += `${rarely(below, 4, RARE_TRAILERS, TRAILERS)}\r\n`;
  }
  return `${text}\r\n`;
}

/** The last fields, which say how long the body is, the empty line, and the body. */
function framedBody(below: Below, kind: Kind): string {
  const odd = below(12) === 0;
  switch (below(kind === 'request' ? 4 : 5)) {
    case 0:
    case 4: {
      const data = pick(below, DATA);
      if (!odd) return `Content-Length: ${data.length}\r\n\r\n${data}`;
      const second = below(3) === 0 ? `Content-Length: ${pick(below, LENGTHS)}\r\n` : '';
      return `Content-Length: ${pick(below, LENGTHS)}\r\n${second}\r\n${data}`;
    }
    case 1: {
      const coding = odd ? pick(below, CODINGS) : 'chunked';
      const length = odd && below(3) === 0 ? `Content-Length: ${pick(below, LENGTHS)}\r\n` : '';
      const second = odd && below(4) === 0 ? `Transfer-Encoding: ${pick(below, CODINGS)}\r\n` : '';
      const lines =
        below(2) === 0
          ? `${length}Transfer-Encoding: ${coding}\r\n${second}`
          : `Transfer-Encoding: ${coding}\r\n${second}${length}`;
      return `${lines}\r\n${chunks(below, kind)}`;
    }
    case 2:
      return 'Content-Length: 0\r\n\r\n';
    default:
      /* Of a response: up to the end of the connection. */
      return `\r\n${kind === 'response' ? pick(below, DATA) : ''}`;
  }
}

function message(below: Below, kind: Kind): string {
  let text = kind === 'request' ? requestLine(below) : statusLine(below);
  const count = below(60) === 0 ? 30 + below(110) : below(4);
  for (let index = 0; index < count; index += 1) text += `${rarely(below, 16, RARE_FIELDS, FIELDS)}\r\n`;
  return text + framedBody(below, kind);
}

function changed(below: Below, text: string, kind: Kind): string {
  const at = below(text.length + 1);
  const end = Math.min(text.length, at + 1 + below(4));
  switch (below(6)) {
    case 0:
      return text.slice(0, at) + text.slice(end);
    case 1:
      return text.slice(0, at) + String.fromCharCode(below(256)) + text.slice(at + 1);
    case 2: {
      const lines = text.split('\r\n');
      const from = below(lines.length);
      const to = below(lines.length);
      [lines[from], lines[to]] = [lines[to] ?? '', lines[from] ?? ''];
      return lines.join('\r\n');
    }
    case 3: {
      const other = message(below, kind);
      const begin = below(other.length);
      return text.slice(0, at) + other.slice(begin, begin + 1 + below(30)) + text.slice(at);
    }
    default:
      return text.slice(0, at) + pick(below, INSERTS) + text.slice(at + (below(3) === 0 ? 1 : 0));
  }
}

/** One connection's bytes, as Latin-1 text. */
export function connectionText(below: Below, kind: Kind): string {
  let text = message(below, kind);
  for (let more = below(3); more > 0; more -= 1) text += message(below, kind);
  for (let changes = below(2) === 0 ? 1 + below(3) : 0; changes > 0; changes -= 1) {
    text = changed(below, text, kind);
  }
  return below(20) === 0 ? text.slice(0, below(text.length + 1)) : text;
}
