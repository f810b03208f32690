import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { envelopedMessages } from '../../src/egress/enveloped-messages.ts';
import { Fields } from '../../src/wire/index.ts';

const ofType = (type: string | null) => {
  const fields = new Fields();
  if (type !== null) fields.add('Content-Type', type);
  return envelopedMessages(fields);
};

function message(flags: number, text: string): Buffer {
  const head = Buffer.alloc(5, flags);
  head.writeUInt32BE(text.length, 1);
  return Buffer.concat([head, Buffer.from(text, 'latin1')]);
}

describe('bodies with envelopes', () => {
  it.each([
    'application/grpc',
    'application/grpc+proto',
    'Application/GRPC+json; charset=utf-8',
    'application/grpc-web',
    'application/grpc-web+proto',
    'application/connect+json',
  ])('%s', (type) => {
    expect(ofType(type)?.endsWith(message(0, 'a'))).toBe(true);
  });

  it.each([
    null,
    'application/json',
    'text/event-stream',
    'application/grpc-web-text',
    'application/grpcx',
    'application/connect',
  ])('none: %s', (type) => {
    expect(ofType(type)).toBeNull();
  });
});

describe('where messages end', () => {
  it('is the same wherever the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom(0, 1, 2, 0x80), fc.string({ maxLength: 300 })), { minLength: 1 }),
        fc.array(fc.nat(400)),
        (sent, cuts) => {
          const pieces = sent.map(([flags, text]) => message(flags, text.replaceAll(/[^ -~]/g, '?')));
          const all = Buffer.concat(pieces);
          const ends = new Set<number>();
          pieces.reduce((at, { length }) => (ends.add(at + length), at + length), 0);
          const messages = ofType('application/grpc');
          let at = 0;
          for (const cut of [...cuts, all.length]) {
            const to = Math.min(all.length, at + cut);
            if (to === at) continue;
            expect(messages?.endsWith(all.subarray(at, to))).toBe(ends.has(to));
            at = to;
          }
        },
      ),
    );
  });

  it('nowhere, once something else than a message came', () => {
    const messages = ofType('application/grpc');
    expect(messages?.endsWith(message(0, 'a'))).toBe(true);
    expect(messages?.endsWith(message(4, 'a'))).toBe(false);
    expect(messages?.endsWith(message(0, 'a'))).toBe(false);
  });
});
