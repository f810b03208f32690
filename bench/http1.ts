/**
 * HTTP/1.1 heads: our reader against the parser inside Node (llhttp through its own binding, with the callbacks that
 * `node:http` sets), in turns within one run. Both are given the bytes of one head at a time and hand out names and values
 * as text. Prints a table; run with `node bench/http1.ts`.
 */
import { createRequire } from 'node:module';
import {
  encodeRequestHead,
  encodeResponseHead,
  HEAD_ENCODING,
  requestFraming,
  requestHeadReader,
  responseFraming,
  responseHeadReader,
} from '../src/wire/index.ts';

interface NodeParser {
  initialize(kind: number, resource: object, headBytesMax: number, leniency: number): void;
  execute(bytes: Buffer): number | Error;
  [callback: number]: (...values: never[]) => number;
}
interface NodeParserClass {
  new (): NodeParser;
  readonly [name: string]: number;
}
const { HTTPParser } = createRequire(import.meta.url)('_http_common') as { HTTPParser: NodeParserClass };
const constant = (name: string): number => HTTPParser[name] ?? Number.NaN;

const HEADS_PER_ROUND = 100_000;
const ROUNDS = 9;

const REQUEST = Buffer.from(
  'GET /repos/example/widgets/issues?state=open&per_page=50 HTTP/1.1\r\nHost: api.service.test\r\n' +
    'User-Agent: mcp-server/1.4.2 node\r\nAccept: application/json\r\nAuthorization: Bearer 0123456789abcdefghij\r\n' +
    'Accept-Encoding: gzip, br\r\nConnection: keep-alive\r\n\r\n',
  HEAD_ENCODING,
);
const RESPONSE = Buffer.from(
  'HTTP/1.1 200 OK\r\nDate: Fri, 21 Nov 2025 03:00:00 GMT\r\nContent-Type: application/json; charset=utf-8\r\n' +
    'Content-Length: 0\r\nCache-Control: private, max-age=60\r\nETag: "1f0c9a"\r\nX-Request-Id: 8c1f:2b7a\r\n\r\n',
  HEAD_ENCODING,
);
const UNUSUAL = Buffer.from(
  REQUEST.toString(HEAD_ENCODING).replace('User-Agent', 'X-Client-Name').replace('Accept:', 'X-Answer-As:'),
  HEAD_ENCODING,
);

let sum = 0;

function ourRequests(bytes: Buffer): () => void {
  const reader = requestHeadReader();
  return () => {
    reader.read(bytes, 0);
    const { head } = reader;
    if (head === null || !requestFraming(head).ok) throw new Error(`refused: ${reader.error}`);
    sum += head.fields.length + head.target.length;
    reader.reset();
  };
}

function ourResponses(bytes: Buffer): () => void {
  const reader = responseHeadReader();
  return () => {
    reader.read(bytes, 0);
    const { head } = reader;
    if (head === null || !responseFraming(head, 'GET').ok) throw new Error(`refused: ${reader.error}`);
    sum += head.fields.length + head.status;
    reader.reset();
  };
}

function nodes(kind: 'REQUEST' | 'RESPONSE', bytes: Buffer): () => void {
  const parser = new HTTPParser();
  parser.initialize(constant(kind), {}, 65_536, constant('kLenientNone'));
  parser[constant('kOnHeadersComplete')] = (
    _major,
    _minor,
    fields: readonly string[],
    _method,
    target: string,
  ) => {
    sum += fields.length + (target?.length ?? 0);
    return 0;
  };
  parser[constant('kOnMessageComplete')] = () => 0;
  return () => {
    if (typeof parser.execute(bytes) !== 'number') throw new Error('refused');
  };
}

function encodings(): readonly [() => void, () => void] {
  const request = requestHeadReader();
  const response = responseHeadReader();
  request.read(REQUEST, 0);
  response.read(RESPONSE, 0);
  const question = request.head;
  const answer = response.head;
  if (question === null || answer === null) throw new Error('refused');
  /* A string joined of pieces is only made one when it is written. */
  const scratch = Buffer.alloc(1024);
  return [
    () => {
      sum += scratch.write(
        encodeRequestHead(question.method, question.target, question.fields),
        HEAD_ENCODING,
      );
    },
    () => {
      sum += scratch.write(encodeResponseHead(answer.status, answer.phrase, answer.fields), HEAD_ENCODING);
    },
  ];
}

/** One round, in microseconds a head. */
function round(work: () => void): number {
  const start = performance.now();
  for (let count = 0; count < HEADS_PER_ROUND; count += 1) work();
  return ((performance.now() - start) * 1e3) / HEADS_PER_ROUND;
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

const print = (...cells: readonly string[]): void => {
  process.stdout.write(`${cells.map((cell) => cell.padEnd(34)).join('')}\n`);
};

const [encodeRequest, encodeResponse] = encodings();
const works: readonly [name: string, ours: () => void, theirs: () => void][] = [
  [`read a request of ${REQUEST.length} bytes`, ourRequests(REQUEST), nodes('REQUEST', REQUEST)],
  [`read one with unusual names`, ourRequests(UNUSUAL), nodes('REQUEST', UNUSUAL)],
  [`read a response of ${RESPONSE.length} bytes`, ourResponses(RESPONSE), nodes('RESPONSE', RESPONSE)],
  ['write the request', encodeRequest, nodes('REQUEST', REQUEST)],
  ['write the response', encodeResponse, nodes('RESPONSE', RESPONSE)],
];

print('', 'ours, µs (best, median)', 'llhttp reads it, µs', 'ours / llhttp');
for (const [name, ours, theirs] of works) {
  const taken: number[] = [];
  const compared: number[] = [];
  for (let turn = 0; turn < ROUNDS; turn += 1) {
    taken.push(round(ours));
    compared.push(round(theirs));
  }
  const best = Math.min(...taken);
  const bestCompared = Math.min(...compared);
  print(
    name,
    `${best.toFixed(2)}  ${median(taken).toFixed(2)}`,
    `${bestCompared.toFixed(2)}  ${median(compared).toFixed(2)}`,
    `${(best / bestCompared).toFixed(2)}x`,
  );
}
if (sum === 0) throw new Error('nothing was read');
