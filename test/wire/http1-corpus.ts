/** Seeded HTTP/1.1 requests: well-formed ones, and such ones with a few bytes changed where it hurts. */

/** Mulberry32: small, good enough to choose test inputs, and the same everywhere. */
export function seeded(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH'];
const TARGETS = ['/', '/a/b?c=d', '/%2e%2e/x', '*', 'http://a.test/', '/a;b=c', '//x'];
const FIELDS = [
  'A: b',
  'Accept: */*',
  'X-Long: aaaaaaaaaaaaaaaaaaaaaaaaaa',
  'Cookie: a=b; c=d',
  'Empty:',
  'Connection: close',
];
const FRAMINGS = [
  '\r\n',
  'Content-Length: 3\r\n\r\nabc',
  'Content-Length: 0\r\n\r\n',
  'Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
  'Transfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n1\r\n!\r\n0\r\nX-T: 1\r\n\r\n',
];
const INSERTS = [
  '\n',
  '\r',
  '\r\n',
  ' ',
  '\t',
  '\0',
  ':',
  ';',
  ',',
  '\x7f',
  '\xff',
  '0',
  'f',
  'x',
  '+',
  '-',
  'Content-Length: 4\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: identity\r\n',
  ' chunked',
  'Host: b\r\n',
  '\r\n\r\n',
];

/** One request, as Latin-1 text. */
export function requestText(below: (limit: number) => number): string {
  const pick = (from: readonly string[]): string => from[below(from.length)] ?? '';
  let text = `${pick(METHODS)} ${pick(TARGETS)} HTTP/1.${below(8) === 0 ? 0 : 1}\r\nHost: a.test\r\n`;
  for (let count = below(4); count > 0; count -= 1) text += `${pick(FIELDS)}\r\n`;
  text += pick(FRAMINGS);
  for (let changes = below(4); changes > 0; changes -= 1) {
    const at = below(text.length + 1);
    const drop = below(3);
    text =
      text.slice(0, at) +
      (below(4) === 0 ? '' : pick(INSERTS)) +
      text.slice(at + (below(2) === 0 ? drop : 0));
  }
  return text;
}
