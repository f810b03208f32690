import { createRequire } from 'node:module';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { requestText, seeded } from './http1-corpus.ts';
import { transcribe, whole } from './http1-transcript.ts';

/** The parser inside Node (llhttp), strict: `node:http` would hide what it was given. */
interface NodeParser {
  initialize(kind: number, resource: object, headBytesMax: number, leniency: number): void;
  execute(bytes: Buffer): number | Error;
  finish(): number | Error | undefined;
  [callback: number]: (...values: never[]) => void;
}
interface NodeParserClass {
  new (): NodeParser;
  readonly [name: string]: number;
}
const { HTTPParser } = createRequire(import.meta.url)('_http_common') as { HTTPParser: NodeParserClass };

interface NodeSeen {
  readonly refused: boolean;
  readonly target: string | null;
  readonly body: string;
  readonly complete: boolean;
}

/** What llhttp makes of the first message in `text`. */
function node(text: string): NodeSeen {
  const parser = new HTTPParser();
  const index = (name: string): number => HTTPParser[name] ?? Number.NaN;
  parser.initialize(index('REQUEST'), {}, 65_536, index('kLenientNone'));
  let target: string | null = null;
  let body = '';
  let messages = 0;
  parser[index('kOnHeadersComplete')] = (_major, _minor, _fields, _method, url: string) => {
    target ??= url;
  };
  parser[index('kOnBody')] = (piece: Buffer) => {
    if (messages === 0) body += piece.toString('latin1');
  };
  parser[index('kOnMessageComplete')] = () => {
    messages += 1;
  };
  const taken = parser.execute(Buffer.from(text, 'latin1'));
  /* What is behind a complete first message is not the question. */
  return { refused: typeof taken !== 'number' && messages === 0, target, body, complete: messages > 0 };
}

const SEED = 20_251_121;

describe('HTTP/1.1 reader', () => {
  it('gives the same result however the bytes are split', () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
        (seed, sizes) => {
          const text = requestText(seeded(seed));
          const bytes = Buffer.from(text, 'latin1');
          const pieces: Buffer[] = [];
          for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
            const size = sizes[turn % sizes.length] ?? 1;
            pieces.push(bytes.subarray(at, at + size));
            at += size;
          }
          expect(transcribe('request', pieces)).toEqual(transcribe('request', whole(text)));
        },
      ),
      { numRuns: 3_000, seed: SEED },
    );
  });

  it('never accepts what llhttp refuses, and reads the same body where both accept', () => {
    const below = seeded(SEED);
    let both = 0;
    let stricter = 0;
    for (let round = 0; round < 30_000; round += 1) {
      const text = requestText(below);
      const ours = transcribe('request', whole(text));
      const theirs = node(text);
      if (ours.error !== null) {
        if (theirs.complete) stricter += 1;
        continue;
      }
      if (!ours.complete) continue;
      both += 1;
      expect({ text, refused: theirs.refused, complete: theirs.complete }).toEqual({
        text,
        refused: false,
        complete: true,
      });
      expect({ text, body: theirs.body, target: theirs.target }).toEqual({
        text,
        body: ours.body,
        target: ours.start?.split(' ')[1] ?? null,
      });
    }
    /* The corpus must exercise both sides, or the comparison says nothing. */
    expect(both).toBeGreaterThan(5_000);
    expect(stricter).toBeGreaterThan(500);
  });
});
