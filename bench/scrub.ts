/**
 * Scrubbing against `Buffer.indexOf` for each needle, in one run on one machine: how fast answers that hold no
 * secret pass, in chunks of 64 KiB and in those of TLS records; how slow bodies are that were made to be slow; what
 * a head costs; and what a cell's tables cost. Prints tables; run with `node bench/scrub.ts`.
 */
import { randomBytes } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createScrubber, createScrubSet, type ScrubSet, scrubText } from '../src/egress/scrub/index.ts';
import { Secret } from '../src/kernel/index.ts';

const CHUNK_BYTES = 64 * 1024;
const RECORD_BYTES = 16 * 1024;
const BODY_BYTES = 16_000_000;
const ROUNDS = 9;

const tokens = Array.from({ length: 5 }, () => `ghp_${randomBytes(27).toString('base64url')}`);

/** What a naive scrubber would search for: the secret in twelve fixed encodings. */
function needles(token: string): readonly Buffer[] {
  const value = Buffer.from(token);
  const hex = value.toString('hex');
  const base64 = [0, 1, 2].flatMap((before) => {
    const padded = Buffer.concat([Buffer.alloc(before), value]);
    return [padded.toString('base64').slice(4, -4), padded.toString('base64url').slice(4, -4)];
  });
  const percent = Array.from(token)
    .map((character) => `%${character.charCodeAt(0).toString(16)}`)
    .join('');
  const json = Array.from(token)
    .map((character) => `\\u00${character.charCodeAt(0).toString(16)}`)
    .join('');
  const texts = [token, hex, hex.toUpperCase(), ...base64, percent, json];
  return [...texts.map((text) => Buffer.from(text)), Buffer.from(token, 'utf16le')];
}

function body(line: (index: number) => string): Buffer {
  const lines: string[] = [];
  for (let bytes = 0, index = 0; bytes < BODY_BYTES; index += 1) {
    const text = line(index);
    lines.push(text);
    bytes += text.length + 1;
  }
  return Buffer.from(lines.join('\n'));
}

const bodies: Readonly<Record<string, Buffer>> = {
  'JSON of an API': body((index) =>
    JSON.stringify({
      id: index * 7919,
      name: `user-${(index * 31).toString(36)}`,
      url: `https://api.github.com/repos/${randomBytes(6).toString('hex')}/issues{/number}`,
      text: 'The quick brown fox said "jump" and went\nover the lazy dog.'.slice(index % 40),
    }),
  ),
  'HTML with escapes': body(
    (index) => `<a href="/x%20y%2F${index}">caf&eacute; &amp; &#39;${index.toString(16)}&#39; \\u00e9</a>`,
  ),
  'base64 in lines': body(() => randomBytes(57).toString('base64')),
  'random bytes': randomBytes(BODY_BYTES),
};

/** The best of several rounds, in GB/s. */
function throughput(bytes: number, work: () => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round += 1) {
    const start = performance.now();
    work();
    best = Math.min(best, performance.now() - start);
  }
  return bytes / 1e6 / best;
}

const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

const row = (...cells: readonly string[]): string => cells.map((cell) => cell.padEnd(20)).join('');

const setOf = (values: readonly string[]): ScrubSet =>
  createScrubSet(
    values.map((value, index) => ({
      name: `T${index}`,
      mask: 'masked-value',
      value: Secret.fromString(value),
    })),
  );

function scrubbing(set: ScrubSet, data: Buffer, chunkBytes: number): number {
  return throughput(data.length, () => {
    const scrubber = createScrubber(set, () => {
      throw new Error('a hit in a body without secrets');
    });
    for (let at = 0; at < data.length; at += chunkBytes) scrubber.push(data.subarray(at, at + chunkBytes));
    scrubber.end();
  });
}

print(row('body', 'secrets', 'scrub GB/s', 'in records GB/s', 'indexOf GB/s', 'ratio'));
for (const count of [1, 5]) {
  const chosen = tokens.slice(0, count);
  const set = setOf(chosen);
  const all = chosen.flatMap(needles);
  for (const [name, data] of Object.entries(bodies)) {
    const scrub = scrubbing(set, data, CHUNK_BYTES);
    const records = scrubbing(set, data, RECORD_BYTES);
    const search = throughput(data.length, () => {
      for (const needle of all) data.indexOf(needle);
    });
    const ratio = `${(scrub / search).toFixed(1)}x`;
    print(row(name, String(count), scrub.toFixed(2), records.toFixed(2), search.toFixed(2), ratio));
  }
}

/** What a hostile upstream might send: the beginnings of escapes and of keys, over and over. */
const HOSTILE_BYTES = 2_000_000;
const hostile: Readonly<Record<string, string>> = {
  'HTML references': '&#x00',
  'JSON escapes': '\\u00',
  'double percent': '%25',
  'keys cut short': tokens[0]?.slice(0, -1) ?? '',
  'prefixes of keys': 'ghp_',
  'hex cut short': Buffer.from(tokens[0] ?? '')
    .toString('hex')
    .slice(0, -2),
};
print('');
print(row('hostile body', '1 secret GB/s', '5 secrets GB/s', '20 secrets GB/s'));
const many = Array.from({ length: 20 }, () => randomBytes(30).toString('base64url'));
const sets = [tokens.slice(0, 1), tokens, many].map(setOf);
for (const [name, piece] of Object.entries(hostile)) {
  const data = Buffer.alloc(HOSTILE_BYTES, piece);
  print(row(name, ...sets.map((set) => scrubbing(set, data, RECORD_BYTES).toFixed(3))));
}

/** Header fields of an API's answer, about 400 bytes, joined. */
const head = `${'date,content-type,server,x-request-id,cache-control,vary,etag,x-ratelimit-limit,x-ratelimit-remaining'.replaceAll(',', '\n')}
Tue, 14 Oct 2025 10:00:00 GMT\napplication/json; charset=utf-8\nnginx/1.25.3\n${randomBytes(16).toString('hex')}
private, max-age=60, s-maxage=60\nAccept, Authorization, Cookie\nW/"${randomBytes(16).toString('hex')}"\n5000\n4987`;
const HEADS = 100_000;
print('');
print(row('secrets', 'head us', 'indexOf us', 'tables us', 'tables KB'));
for (const values of [tokens.slice(0, 1), tokens, many]) {
  const set = setOf(values);
  const all = values.flatMap(needles);
  const bytes = Buffer.from(head);
  const microseconds = (work: () => void, times: number): string =>
    (
      1_000 /
      1e6 /
      throughput(1, () => {
        for (let time = 0; time < times; time += 1) work();
      }) /
      times
    ).toFixed(2);
  const heads = microseconds(() => scrubText(set, head), HEADS);
  const search = microseconds(() => {
    for (const needle of all) bytes.indexOf(needle);
  }, HEADS / 100);
  const tables = microseconds(() => setOf(values), 20);
  print(row(String(values.length), heads, search, tables, kilobytesOf(() => setOf(values)).toFixed(0)));
}

/** What each of many takes, on the heap and beside it. */
function kilobytesOf(make: () => unknown): number {
  const COUNT = 100;
  setFlagsFromString('--expose-gc');
  const used = (): number => {
    runInNewContext('gc()');
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const before = used();
  const kept = Array.from({ length: COUNT }, make);
  const after = used();
  return (after - before) / kept.length / 1024;
}
