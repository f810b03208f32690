/**
 * Scrubbing against `Buffer.indexOf` for each needle, in one run on one machine: how fast answers that hold no
 * secret pass. Prints a table; run with `node bench/scrub.ts`.
 */
import { randomBytes } from 'node:crypto';
import { createScrubber, createScrubSet } from '../src/egress/scrub/index.ts';
import { Secret } from '../src/kernel/index.ts';

const CHUNK_BYTES = 64 * 1024;
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

print(row('body', 'secrets', 'scrub GB/s', 'indexOf GB/s', 'ratio'));
for (const count of [1, 5]) {
  const chosen = tokens.slice(0, count);
  const set = createScrubSet(
    chosen.map((token, index) => ({
      name: `T${index}`,
      mask: 'masked-value',
      value: Secret.fromString(token),
    })),
  );
  const all = chosen.flatMap(needles);
  for (const [name, data] of Object.entries(bodies)) {
    const scrub = throughput(data.length, () => {
      const scrubber = createScrubber(set, () => {
        throw new Error('a hit in a body without secrets');
      });
      for (let at = 0; at < data.length; at += CHUNK_BYTES)
        scrubber.push(data.subarray(at, at + CHUNK_BYTES));
      scrubber.end();
    });
    const search = throughput(data.length, () => {
      for (const needle of all) data.indexOf(needle);
    });
    print(row(name, String(count), scrub.toFixed(2), search.toFixed(2), `${(scrub / search).toFixed(1)}x`));
  }
}
