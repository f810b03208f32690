/**
 * Random answers that hold no key must come through byte for byte, however they are cut and coded. They are made of
 * what keys are made of: every encoding's alphabet and escapes, and keys that lack their end.
 */
import {
  createContentScrubber,
  createScrubber,
  createScrubSet,
  type ScrubSet,
  scrubText,
} from '../../src/egress/scrub/index.ts';
import { Secret } from '../../src/kernel/index.ts';
import { CODINGS, type Coding } from '../egress/scrub/cases.ts';
import { renditions } from '../egress/scrub/renditions.ts';
import { type Below, pick, seeded } from './random.ts';
import type { FuzzTarget } from './target.ts';

const KEYS: readonly string[] = [
  'ghp_4fYq8ZrT1uWx0cVbN7mKj2LpQs9DaEhGiR5o',
  'p@ss/w+rd="<&>\'%41\\x [~é漢😀] ?;k_-9',
  'Grüße&Küsse/"ÄÖ"÷7',
  'xoxb-263594206564-FGqddMF8t08v8N7Oq4i57vs1',
  '0123456789abcdef0123456789abcdef',
];
const SEGMENTS_MAX = 6;
const SEGMENT_TOKENS_MAX = 200;
const CUTS_MAX = 4;
/** One answer in so many goes through a content coding, too: that takes a hundred times as long. */
const CODED_EVERY = 32;

const bytesOf = (text: string): readonly Buffer[] => Array.from(text, (character) => Buffer.from(character));
const tokens = (...texts: readonly string[]): readonly Buffer[] => texts.map((text) => Buffer.from(text));
const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const EVERY_BYTE = Array.from({ length: 256 }, (_, byte) => Buffer.from([byte]));

/** What a segment is put together of. */
const ALPHABETS: readonly (readonly Buffer[])[] = [
  EVERY_BYTE,
  bytesOf(`${BASE64} .,:;-_'"!?()\n`),
  bytesOf(`${BASE64}+/`),
  [...bytesOf(`${BASE64}-_=`), ...tokens('\r\n', '\\n', '\\/', '%2B', '%0A')],
  bytesOf('0123456789abcdefABCDEF:-'),
  tokens(
    '\\u00',
    '\\u',
    '\\x',
    '\\\\',
    '\\"',
    '\\',
    '6',
    '7',
    '61',
    '70',
    '5f',
    'u0067',
    '\\147',
    '{"',
    '":',
  ),
  tokens('&#', '&#x', '&amp;', '&#103;', '&#x67', ';', '&quot;', '&', 'amp;', '1', '03', 'lt', '<p>'),
  tokens('%', '%25', '%67', '%5F', '%5C', '%26', '2', '5', 'g', 'p', '+', '%C3%A9'),
  EVERY_BYTE.slice(32, 127).map((byte) => Buffer.from([byte[0] ?? 0, 0])),
];

/**
 * Keys, as they are written, without their last two bytes or more, and then a byte that goes on with none. Two,
 * because a reference of HTML is one without its semicolon.
 */
const PIECES: readonly Buffer[] = KEYS.flatMap((key) => renditions(key).map(({ bytes }) => bytes));
const END = Buffer.from([1]);

const SETS: readonly ScrubSet[] = [...KEYS.map((key) => [key]), KEYS].map((keys) =>
  createScrubSet(
    keys.map((key, index) => ({ name: `K${index}`, mask: '[mask]', value: Secret.fromString(key) })),
  ),
);

function segment(below: Below): readonly Buffer[] {
  const alphabet = ALPHABETS[below(ALPHABETS.length + 3)];
  if (alphabet !== undefined)
    return Array.from({ length: below(SEGMENT_TOKENS_MAX) }, () => pick(below, alphabet));
  const piece = pick(below, PIECES);
  return [END, piece.subarray(0, Math.max(0, piece.length - 2 - below(8))), END];
}

function randomBody(below: Below): Buffer {
  const segments = Array.from({ length: 1 + below(SEGMENTS_MAX) }, () => segment(below));
  return Buffer.concat(segments.flat());
}

function cut(below: Below, bytes: Buffer): readonly Buffer[] {
  const edges = Array.from({ length: below(CUTS_MAX + 1) }, () => below(bytes.length + 1));
  const sorted = [0, ...edges.toSorted((a, b) => a - b), bytes.length];
  return sorted.slice(1).map((edge, index) => bytes.subarray(sorted[index], edge));
}

const onHit = (): void => {
  throw new Error('a hit where there is no key');
};

function plainly(set: ScrubSet, chunks: readonly Buffer[]): Buffer {
  const scrubber = createScrubber(set, onHit);
  return Buffer.concat([...chunks.map((chunk) => scrubber.push(chunk)), scrubber.end()]);
}

function decoded(set: ScrubSet, coding: Coding, chunks: readonly Buffer[]): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const stream = createContentScrubber(set, coding.header, onHit);
  const out: Buffer[] = [];
  stream.on('data', (piece: Buffer) => out.push(piece));
  stream.on('end', () => resolve(Buffer.concat(out)));
  stream.on('error', reject);
  for (const chunk of chunks) stream.write(chunk);
  stream.end();
  return promise;
}

/** What is wrong with one random answer's way, `null` for nothing. */
async function faultOf(below: Below, body: Buffer): Promise<string | null> {
  const set = pick(below, SETS);
  if (!plainly(set, cut(below, body)).equals(body)) return 'other bytes came through';
  const text = body.toString('latin1');
  if (scrubText(set, text, onHit) !== text) return 'another text came through';
  if (below(CODED_EVERY) > 0) return null;
  const coding = pick(below, CODINGS);
  const through = await decoded(set, coding, cut(below, coding.encode(body)));
  return through.equals(body) ? null : `other bytes came through ${coding.label}`;
}

/** Each answer has a seed of its own, from the given one on. */
export const scrub: FuzzTarget = {
  name: 'scrub',
  async run(seed, count, report) {
    let bytes = 0;
    for (let one = seed; one < seed + count; one += 1) {
      const below = seeded(one);
      const body = randomBody(below);
      const fault = await faultOf(below, body).catch((error: unknown) => String(error));
      if (fault !== null) throw new Error(`seed ${one}: ${fault}: ${body.toString('base64')}`);
      bytes += body.length;
    }
    report(`${count} answers without a key, ${bytes} bytes, came through as they were`);
  },
};
