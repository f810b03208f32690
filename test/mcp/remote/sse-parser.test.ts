/** Event streams, whole and cut anywhere. */
import { expect, it } from 'vitest';
import { SseParser } from '../../../src/mcp/remote/sse-parser.ts';

const MAX = 64;

function read(pieces: readonly Buffer[]): string[] {
  const heard: string[] = [];
  const parser = new SseParser(MAX, {
    event: (type, data) => void heard.push(`${type}: ${data} after ${parser.lastEventId}`),
    retry: (ms) => void heard.push(`retry ${ms}`),
    broken: (reason) => void heard.push(`broken ${reason}`),
  });
  for (const piece of pieces) parser.push(piece);
  heard.push(`at ${parser.lastEventId}`);
  return heard;
}

it.each<[string, string | Buffer, readonly string[]]>([
  ['an event', 'data: one\n\n', ['message: one after null', 'at null']],
  [
    'line ends of each kind',
    'data: a\r\n\r\ndata: b\r\rdata: c\n\n',
    ['message: a after null', 'message: b after null', 'message: c after null', 'at null'],
  ],
  ['several lines, and none', 'data: a\ndata:\ndata:  b\n\n', ['message: a\n\n b after null', 'at null']],
  [
    'a type, once',
    'event: ping\ndata: a\n\ndata: b\n\n',
    ['ping: a after null', 'message: b after null', 'at null'],
  ],
  [
    'ids, which stay',
    'id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n',
    ['message: a after 1', 'message: b after 1', 'message: c after null', 'at null'],
  ],
  ['an event with an id and nothing else', 'id: p-1\ndata:\n\n', ['message:  after p-1', 'at p-1']],
  ['an id without any data', 'id: p-2\nretry: 500\n\n', ['retry 500', 'at p-2']],
  [
    'ids that no header takes',
    'id: a\0b\ndata: a\n\nid: ü\ndata: b\n\n',
    ['message: a after null', 'message: b after null', 'at null'],
  ],
  ['comments and what is unknown', ': hello\nfoo: bar\ndata: a\n\n', ['message: a after null', 'at null']],
  ['a mark at the beginning', '\ufeffdata: a\n\n', ['message: a after null', 'at null']],
  ['an end before the end', 'id: 7\ndata: a\n\nid: 8\ndata: b\n', ['message: a after 7', 'at 7']],
  ['a delay that is none', 'retry: 1s\nretry: -1\n\n', ['at null']],
  [
    'one that is too long',
    `data: ${'x'.repeat(MAX)}\nid: 3\n\ndata: a\n\n`,
    ['broken too_long', 'message: a after 3', 'at 3'],
  ],
  [
    'one that does not end',
    `data: a\n\ndata: ${'x'.repeat(MAX)}`,
    ['message: a after null', 'broken too_long', 'at null'],
  ],
  [
    'one that is too long in many lines',
    `${'data: x\n'.repeat(MAX)}\ndata: a\n\n`,
    ['broken too_long', 'message: a after null', 'at null'],
  ],
  [
    'a comment that is too long',
    `: ${'x'.repeat(MAX)}\ndata: a\n\ndata: b\n\n`,
    ['broken too_long', 'message: b after null', 'at null'],
  ],
  [
    'bytes that are no UTF-8',
    Buffer.from('data: a\xff\nid: 4\n\ndata: b\n\n', 'latin1'),
    ['broken not_utf8', 'message: b after 4', 'at 4'],
  ],
  ['characters of several bytes', 'data: äöü€😀\n\n', ['message: äöü€😀 after null', 'at null']],
])('reads %s, however it is cut', (_name, text, expected) => {
  const bytes = Buffer.from(text);
  expect(read([bytes])).toEqual(expected);
  expect(read([...bytes].map((byte) => Buffer.from([byte]))), 'byte by byte').toEqual(expected);
  for (let cut = 1; cut < bytes.length; cut += 1) {
    expect(read([bytes.subarray(0, cut), Buffer.alloc(0), bytes.subarray(cut)]), `cut at ${cut}`).toEqual(
      expected,
    );
  }
});
