/**
 * Masking with every detector, over results as tools give them, beside what the runtime itself takes to read the same: one
 * `JSON.parse` of the JSON, one pass of a small regular expression over the text. Then texts made to be slow, operators'
 * patterns, and exact secrets, which the scrubber looks for. Prints tables; run with `node bench/masking.ts`.
 */
import { createHmac, randomBytes, randomUUID } from 'node:crypto';
import { createScrubber, createScrubSet } from '../src/egress/scrub/index.ts';
import { Secret } from '../src/kernel/index.ts';
import { MaskThreads } from '../src/mcp/index.ts';
import { maskAnywhere, maskMessage } from '../src/mcp/masking/masked-message.ts';
import { readEnvelope } from '../src/mcp/protocol/message.ts';
import { compileMasking, type Masker, type MaskingRule } from '../src/masking/index.ts';

const TEXT_CHARS = 4_000_000;
const HOSTILE_CHARS = 200_000;
const ROUNDS = 4;
const ROUND_MS = 100;

const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};
const row = (...cells: readonly string[]): string =>
  cells.map((cell, index) => cell.padEnd(index === 0 ? 34 : 20)).join('');

/** The best of several rounds, in MB per second of this thread's own time: machines are shared. */
function throughput(chars: number, work: () => void): number {
  const spentMs = (): number => {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1000;
  };
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round += 1) {
    const start = spentMs();
    let times = 0;
    // A thread's time is counted in steps of some milliseconds.
    while (times === 0 || spentMs() - start < ROUND_MS) {
      work();
      times += 1;
    }
    best = Math.min(best, (spentMs() - start) / times);
  }
  return chars / 1e3 / best;
}

function masker(rules: readonly MaskingRule[]): Masker {
  const compiled = compileMasking(rules, {
    hash: (text) => createHmac('sha256', 'bench').update(text).digest('base64url'),
  });
  if (!compiled.ok) throw new Error(compiled.error.message);
  return compiled.value;
}

const lines = (line: (index: number) => string, separator: string): string => {
  const made: string[] = [];
  for (let chars = 0, index = 0; chars < TEXT_CHARS; index += 1) {
    const text = line(index);
    made.push(text);
    chars += text.length + separator.length;
  }
  return made.join(separator);
};

const words =
  'the of and to in is that for it as was with be by on not he this are or his from at which but have an had they you were their one all we can her has there been if more when will would who so no said what up its about into than them only some could time these two may then do first any my now such like our over'.split(
    ' ',
  );
const prose = (index: number): string =>
  Array.from(
    { length: 12 },
    (_, place) => words[(index * 7 + place * 13 + ((index * place) % 5)) % words.length],
  ).join(' ');

const issue = (index: number): unknown => ({
  id: 1_900_000_000 + index * 7919,
  node_id: randomBytes(12).toString('base64url'),
  url: `https://api.github.com/repos/octo/hello/issues/${index}`,
  number: index,
  title: prose(index),
  user: { login: `user-${index.toString(36)}`, id: index * 31, type: 'User', site_admin: false },
  labels: [{ name: 'bug', color: 'f29513', default: true }],
  state: 'open',
  comments: index % 9,
  created_at: '2026-03-04T05:06:07Z',
  body: `${prose(index + 1)}.\n${prose(index + 2)} "${prose(index + 3)}".`,
  sha: randomBytes(20).toString('hex'),
});

const result = (text: string): string =>
  JSON.stringify({ content: [{ type: 'text', text }], isError: false });
const json = `[${lines((index) => JSON.stringify(issue(index)), ',')}]`;
const indented = JSON.stringify(JSON.parse(json), null, 2);
const texts: Readonly<Record<string, string>> = {
  'minified JSON': json,
  'JSON in a result of text': result(json),
  'indented JSON in a result of text': result(indented),
  'the same, cut off': result(indented.slice(0, TEXT_CHARS)),
  'prose in a result': result(lines(prose, '. ')),
  'log in a result': result(
    lines(
      (index) =>
        `2026-03-04T05:06:07.${String(index % 1000).padStart(3, '0')}Z INFO [worker-${index % 8}] GET /v1/items/${index * 97}?page=${index % 10} 200 ${index % 500}ms id=${randomUUID()}`,
      '\n',
    ),
  ),
  'base64 of an image in a result': JSON.stringify({
    content: [
      { type: 'image', mimeType: 'image/png', data: randomBytes((TEXT_CHARS * 3) / 4).toString('base64') },
    ],
  }),
  'lock file in a result': result(
    lines(
      (index) =>
        `    "node_modules/pkg-${index}": {\n      "version": "1.${index % 30}.${index % 7}",\n      "integrity": "sha512-${randomBytes(64).toString('base64')}",\n    },`,
      '\n',
    ),
  ),
  'numbers in a table': JSON.stringify(
    Array.from({ length: TEXT_CHARS / 40 }, (_, index) => [
      index,
      index * 1.37,
      index * 104_729,
      1_770_000_000 + index,
    ]),
  ),
  'source code in a result': result(
    lines(
      (index) =>
        `export function handle${index}(request: Request, at: number): Promise<Response> {\n  const { id, name = "x" } = request.params;\n  return load(\`/items/\${id}?n=${index}\`).then((item) => item?.value ?? null);\n}`,
      '\n\n',
    ),
  ),
};

const all = masker([{ id: 'all', detectors: ['all'], strategy: { kind: 'redact' } }]);
const secrets = masker([{ id: 'secrets', detectors: ['secrets'], strategy: { kind: 'redact' } }]);

print(row('result', 'all MB/s', 'secrets MB/s', 'JSON.parse MB/s', 'all/JSON.parse', 'hits'));
for (const [name, text] of Object.entries(texts)) {
  const every = throughput(text.length, () => all.maskJson(text));
  const some = throughput(text.length, () => secrets.maskJson(text));
  const parse = throughput(text.length, () => {
    JSON.parse(text);
  });
  const hits = all.maskJson(text).hits.reduce((sum, { count }) => sum + count, 0);
  print(
    row(name, every.toFixed(0), some.toFixed(0), parse.toFixed(0), (every / parse).toFixed(2), String(hits)),
  );
}

/** What somebody who wants to be slow might send. */
const hostile: Readonly<Record<string, string>> = {
  'beginnings of keys': 'ghp_',
  'beginnings of keys, apart': 'ghp_abc sk-ant-api03-abc ',
  'names of secrets': 'password ',
  assignments: 'token=aaaaaaaaaaaaaaaaaaaa ',
  'at signs': 'a@',
  'addresses cut short': 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@b ',
  'armour that never ends': '-----BEGIN PRIVATE KEY-----',
  'token that never ends': 'eyJhbGciOiJub25lIn0.eyJ',
  digits: '4',
  'digits apart': '4 ',
  'groups of digits': '4111 1111 ',
  'plus signs': '+1 ',
  colons: 'a:b:',
  backslashes: '\\',
  percents: '%25',
  references: '&amp;',
  'base64 of base64': Buffer.from(Buffer.from('abcdefghijklmnopqrstuvwxyz').toString('base64')).toString(
    'base64',
  ),
  'slashes and base64': 'QUFB/',
  'JSON within JSON': '[\\"',
};
print('');
print(row('hostile text', 'all MB/s', 'as JSON MB/s'));
for (const [name, piece] of Object.entries(hostile)) {
  const text = piece.repeat(Math.ceil(HOSTILE_CHARS / piece.length));
  const plain = throughput(text.length, () => all.maskText(text));
  const wrapped = JSON.stringify({ content: [{ type: 'text', text }] });
  const inJson = throughput(wrapped.length, () => all.maskJson(wrapped));
  print(row(name, plain.toFixed(1), inJson.toFixed(1)));
}

const patterns: readonly string[] = [
  'ACME-\\d{4,8}',
  '(?i)project[- ]?phoenix',
  '[A-Z]{2}\\d{6}',
  '(a+)+$',
  '(?:x+x+)+y',
  '\\b\\d{3}-\\d{2}-\\d{4}\\b',
];
print('');
print(row('pattern', 'log MB/s', 'minified JSON MB/s'));
for (const pattern of patterns) {
  const only = masker([{ id: 'pattern', patterns: [pattern], strategy: { kind: 'redact' } }]);
  const speed = (text = ''): string => throughput(text.length, () => only.maskJson(text)).toFixed(1);
  print(row(pattern, speed(texts['log in a result']), speed(json)));
}

const set = createScrubSet(
  Array.from({ length: 5 }, (_, index) => ({
    name: `T${index}`,
    mask: 'masked-value',
    value: Secret.fromString(`ghp_${randomBytes(27).toString('base64url')}`),
  })),
);
print('');
print(row('exact secrets (the scrubber)', '5 secrets GB/s'));
for (const [name, text] of Object.entries(texts)) {
  const data = Buffer.from(text);
  const speed = throughput(data.length, () => {
    const scrubber = createScrubber(set, () => {
      throw new Error('a hit in a text without secrets');
    });
    scrubber.push(data);
    scrubber.end();
  });
  print(row(name, (speed / 1000).toFixed(2)));
}

const placed = masker([{ id: 'all', detectors: ['all'], keys: ['owner'], strategy: { kind: 'redact' } }]);
print('');
print(row('one answer at the gate', 'detectors, us', 'and keys, us', 'its JSON.parse, us'));
for (const issues of [1, 10, 100, 1000]) {
  const said = result(JSON.stringify(Array.from({ length: issues }, (_, index) => issue(index))));
  const answer = `{"jsonrpc":"2.0","id":1,"result":${said}}`;
  const costUs = (maskers: Parameters<typeof maskMessage>[1]): number =>
    answer.length /
    throughput(answer.length, () => {
      // Read anew, as each answer is.
      const read = readEnvelope(answer);
      if (read.ok) maskMessage(read.value, maskers, () => undefined);
    });
  const parseUs = answer.length / throughput(answer.length, () => void JSON.parse(answer));
  print(
    row(
      `${(answer.length / 1e3).toFixed(1)} kB`,
      costUs({ whole: all, placed: null }).toFixed(0),
      costUs({ whole: all, placed }).toFixed(0),
      parseUs.toFixed(0),
    ),
  );
}

const threads = new MaskThreads();
const recipe = {
  id: 1,
  whole: [{ id: 'all', detectors: ['all'], strategy: { kind: 'redact' } }],
  placed: [],
  hashKey: null,
} as const;
const apart = {
  whole: all,
  placed: null,
  apart: (message: { text: string; schema: null | string }) => threads.mask({ ...message, recipe }),
};
print('');
print(row('a large answer at the gate', 'here, ms', 'elsewhere, ms', 'of this thread each'));
for (const [name, piece] of [
  ['prose', `${prose(1)}.\n`],
  ['groups of digits', '4111 1111 '],
] as const) {
  for (const chars of [100_000, 3_900_000]) {
    const text = JSON.stringify({ content: [{ type: 'text', text: piece.repeat(chars / piece.length) }] });
    const read = readEnvelope(`{"jsonrpc":"2.0","id":1,"result":${text}}`);
    if (!read.ok) throw new Error(read.error.detail);
    const here = text.length / throughput(text.length, () => maskMessage(read.value, apart, () => undefined));
    const start = process.threadCpuUsage();
    for (let round = 0; round < ROUNDS; round += 1)
      await maskAnywhere(read.value, apart, () => undefined, null);
    const { user, system } = process.threadCpuUsage(start);
    const elsewhereMs = (user + system) / 1000 / ROUNDS;
    print(row(`${name}, ${text.length}`, (here / 1000).toFixed(1), elsewhereMs.toFixed(1)));
  }
}
threads.close();
