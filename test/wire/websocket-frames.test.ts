import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  encodeClose,
  encodeFrame,
  encodeFrameHead,
  isCloseCode,
  masked,
  OPCODE,
  parseClose,
} from '../../src/wire/index.ts';
import { compareFrames, frameBytes } from '../fuzz/websocket.ts';
import { seeded, split } from '../fuzz/random.ts';
import { transcribeFrames } from './websocket-transcript.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const bytewise = (bytes: Buffer): Buffer[] => Array.from(bytes, (byte) => Buffer.from([byte]));
const SEED = 20_251_121;

const HELLO = '48656c6c6f';

const accepted: readonly [
  name: string,
  from: 'client' | 'server',
  bytes: string,
  frames: readonly string[],
][] = [
  /* RFC 6455 section 5.7 */
  ['an unmasked text message', 'server', '8105 48656c6c6f', [`1 fin text ${HELLO}`]],
  ['a masked text message', 'client', '8185 37fa213d 7f9f4d5158', [`1 fin text ${HELLO}`]],
  ['a fragmented text message', 'server', '0103 48656c 8002 6c6f', ['1 more text 48656c', '0 fin text 6c6f']],
  ['a ping', 'server', '8905 48656c6c6f', [`9 fin control ${HELLO}`]],
  ['a masked pong', 'client', '8a85 37fa213d 7f9f4d5158', [`10 fin control ${HELLO}`]],
  ['256 bytes', 'server', `827e0100 ${'00'.repeat(256)}`, [`2 fin binary ${'00'.repeat(256)}`]],
  [
    '64 KiB',
    'server',
    `827f0000000000010000 ${'00'.repeat(65_536)}`,
    [`2 fin binary ${'00'.repeat(65_536)}`],
  ],
  /* the rest */
  ['an empty message', 'server', '8100', ['1 fin text ']],
  ['an empty masked message', 'client', '8280 01020304', ['2 fin binary ']],
  [
    'a ping within a message',
    'server',
    '0101 61 8900 8001 62',
    ['1 more text 61', '9 fin control ', '0 fin text 62'],
  ],
  [
    'a character over two frames, a ping between',
    'server',
    '0102 e282 8901 2e 8001 ac',
    ['1 more text e282', '9 fin control 2e', '0 fin text ac'],
  ],
  ['bytes that are no text', 'server', '8203 ff00c0', ['2 fin binary ff00c0']],
  ['a close without a code', 'server', '8800', ['8 fin control ']],
  ['a close with code and reason', 'server', '8805 03e8 627965', ['8 fin control 03e8627965']],
  ['the longest control frame', 'server', `897d ${'61'.repeat(125)}`, [`9 fin control ${'61'.repeat(125)}`]],
  ['the end of a text at an empty frame', 'server', '0101 61 8000', ['1 more text 61', '0 fin text ']],
];

const refused: readonly [reason: string, name: string, from: 'client' | 'server', bytes: string][] = [
  ['reserved_bits', 'RSV1, as permessage-deflate uses it', 'server', 'c100'],
  ['reserved_bits', 'RSV2', 'server', 'a100'],
  ['reserved_bits', 'RSV3', 'client', '9180 00000000'],
  ['opcode_unknown', 'a data frame', 'server', '8300'],
  ['opcode_unknown', 'a control frame', 'server', '8b00'],
  ['mask_missing', 'of a client', 'client', '8100'],
  ['mask_missing', 'of a client, in a control frame', 'client', '8900'],
  ['mask_forbidden', 'of a server', 'server', '8180 00000000'],
  ['control_fragmented', 'ping', 'server', '0900'],
  ['control_fragmented', 'close', 'server', '0800'],
  ['control_too_long', '126 bytes', 'server', '897e007e'],
  ['control_too_long', 'a 64-bit length', 'server', '887f0000000000000001'],
  ['continuation_unexpected', 'first', 'server', '8000'],
  ['continuation_unexpected', 'after a whole message', 'server', '8100 8000'],
  ['continuation_missing', 'a text within a text', 'server', '0100 8100'],
  ['continuation_missing', 'bytes within a text', 'server', '0100 0200'],
  ['length_not_minimal', '125 in 16 bits', 'server', '827e007d'],
  ['length_not_minimal', '0 in 16 bits', 'client', '82fe0000 00000000'],
  ['length_not_minimal', '65535 in 64 bits', 'server', '827f000000000000ffff'],
  ['length_invalid', 'the highest bit', 'server', '827f8000000000010000'],
  ['frame_too_large', 'one byte more than allowed', 'server', '827f0000000000030d41'],
  ['frame_too_large', 'beyond 2^53', 'server', '827f7fffffffffffffff'],
  ['frame_after_close', 'a message', 'server', '8800 8100'],
  ['frame_after_close', 'a second close', 'server', '8800 8800'],
  ['text_not_utf8', 'a stray continuation byte', 'server', '8101 80'],
  ['text_not_utf8', 'an overlong form', 'server', '8102 c080'],
  ['text_not_utf8', 'a surrogate', 'server', '8103 eda080'],
  ['text_not_utf8', 'above U+10FFFF', 'server', '8104 f4908080'],
  ['text_not_utf8', 'cut at the end', 'server', '8102 e282'],
  ['text_not_utf8', 'cut at the end of several frames', 'server', '0101 e2 8001 82'],
  ['text_not_utf8', 'wrong in the second frame', 'server', '0101 e2 8001 61'],
  ['text_not_utf8', 'certain before the message ends', 'server', '0102 61ff'],
  ['close_payload_invalid', 'one byte', 'server', '8801 03'],
  ['close_code_invalid', '999', 'server', '8802 03e7'],
  ['close_code_invalid', '1005, which is never sent', 'server', '8802 03ed'],
  ['close_code_invalid', '5000', 'server', '8802 1388'],
  ['close_reason_not_utf8', 'a reason', 'server', '8803 03e8ff'],
];

describe('WebSocket frames', () => {
  it.each(accepted)('reads %s', (_name, from, bytes, frames) => {
    const seen = transcribeFrames(from, [hex(bytes)]);
    expect(seen).toMatchObject({ error: null, frames, isBetweenMessages: true });
    if (bytes.length < 2_000) expect(transcribeFrames(from, bytewise(hex(bytes)))).toEqual(seen);
  });

  it.each(refused)('%s: %s', (reason, _name, from, bytes) => {
    expect(transcribeFrames(from, [hex(bytes)]).error).toBe(reason);
    expect(transcribeFrames(from, bytewise(hex(bytes)))).toEqual(transcribeFrames(from, [hex(bytes)]));
  });

  it('gives nothing of a piece that is no text', () => {
    expect(transcribeFrames('server', [hex('8101 61 8103 6162ff')]).frames).toEqual(['1 fin text 61']);
  });

  it('says whether a message is under way', () => {
    const between = (bytes: string): boolean => transcribeFrames('server', [hex(bytes)]).isBetweenMessages;
    expect([between(''), between('8100'), between('0100'), between('81'), between('8102 61')]).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
  });

  it('gives the same result however the bytes are split', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 60 }), (seed, sizeMax) => {
        const below = seeded(seed);
        const { from, bytes } = frameBytes(below);
        expect(transcribeFrames(from, split(below, bytes, sizeMax))).toEqual(transcribeFrames(from, [bytes]));
      }),
      { numRuns: 3_000, seed: SEED },
    );
  });

  it('agrees with a plain reader of whole buffers, and meets every reason', () => {
    const { frames, refused: seen } = compareFrames(SEED, 20_000);
    expect(frames).toBeGreaterThan(20_000);
    expect([...seen.keys()].toSorted()).toEqual([...new Set(refused.map(([reason]) => reason))].toSorted());
  });
});

describe('writing frames', () => {
  it('writes what RFC 6455 shows', () => {
    expect(encodeFrame(OPCODE.text, Buffer.from('Hello'), null)).toEqual(hex('8105 48656c6c6f'));
    expect(encodeFrame(OPCODE.text, Buffer.from('Hello'), hex('37fa213d'))).toEqual(
      hex('8185 37fa213d 7f9f4d5158'),
    );
    const head = (length: number): string =>
      encodeFrameHead({ fin: false, opcode: OPCODE.binary, length, maskingKey: null }).toString('hex');
    expect([125, 126, 65_535, 65_536, 2 ** 40].map(head)).toEqual([
      '027d',
      '027e007e',
      '027effff',
      '027f0000000000010000',
      '027f0000010000000000',
    ]);
  });

  it('is read back, whatever the payload and the key', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.uint8Array({ minLength: 4, maxLength: 4 }),
        (payload, key) => {
          const frame = encodeFrame(OPCODE.binary, payload, key);
          expect(transcribeFrames('client', [frame]).frames).toEqual([
            `2 fin binary ${Buffer.from(payload).toString('hex')}`,
          ]);
        },
      ),
      { seed: SEED },
    );
  });

  it('masks in pieces as in one, and leaves its input alone', () => {
    const data = Buffer.from('0123456789abcdef');
    const key = hex('01020304');
    for (let cut = 0; cut <= data.length; cut += 1) {
      const pieces = [masked(data.subarray(0, cut), key, 0), masked(data.subarray(cut), key, cut)];
      expect(Buffer.concat(pieces)).toEqual(masked(data, key, 0));
    }
    expect(data.toString()).toBe('0123456789abcdef');
  });

  it('knows which codes a close may carry', () => {
    const known = (from: number, to: number): number[] =>
      Array.from({ length: to - from }, (_, index) => from + index).filter((code) => isCloseCode(code));
    expect(known(0, 3_000)).toEqual([1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014]);
    expect([isCloseCode(3_000), isCloseCode(4_999), isCloseCode(5_000)]).toEqual([true, true, false]);
  });

  it('cuts a reason between characters', () => {
    const payload = encodeClose(1008, '\u20ac'.repeat(60));
    expect(payload.length).toBeLessThanOrEqual(125);
    expect(parseClose(payload)).toEqual({ ok: true, value: { code: 1008, reason: '\u20ac'.repeat(41) } });
    expect(parseClose(Buffer.alloc(0))).toEqual({ ok: true, value: { code: null, reason: '' } });
  });
});
