import { createHmac, createSecretKey, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RecordMac } from '../../../src/audit/journal/record-mac.ts';

const reference = (key: Uint8Array, prefix: string, record: Uint8Array): string =>
  createHmac('sha256', key).update(prefix).update(record).digest('hex');

describe('the MAC of a record', () => {
  it('is HMAC-SHA256: RFC 4231 test cases 1 and 2', () => {
    const of = (key: Buffer, text: string) =>
      new RecordMac(createSecretKey(key)).of(text, Buffer.alloc(0)).toString('hex');
    expect(of(Buffer.alloc(20, 0x0b), 'Hi There')).toBe(
      'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7',
    );
    expect(of(Buffer.from('Jefe'), 'what do ya want for nothing?')).toBe(
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    );
  });

  it('is what Node makes of the same, for any key, prefix and record, one after the other', () => {
    const bytes = fc.uint8Array({ maxLength: 200 });
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 64 }),
        fc.array(fc.tuple(fc.string({ unit: 'binary', maxLength: 40 }), bytes), { maxLength: 5 }),
        (key, records) => {
          const mac = new RecordMac(createSecretKey(key));
          for (const [prefix, record] of records)
            expect(mac.of(prefix, record).toString('hex')).toBe(reference(key, prefix, record));
        },
      ),
    );
  });

  it('is the same for records of any size, with small ones between', () => {
    const key = randomBytes(32);
    const mac = new RecordMac(createSecretKey(key));
    for (const size of [16_000, 16_300, 16_384, 40, 2 ** 20, 40]) {
      const record = randomBytes(size);
      expect(mac.of('journal\n', record).toString('hex')).toBe(reference(key, 'journal\n', record));
    }
  });

  it('is none once the key is destroyed, and for none that is longer than a block', () => {
    const mac = new RecordMac(createSecretKey(randomBytes(32)));
    mac.destroy();
    expect(() => mac.of('', Buffer.alloc(0))).toThrow('destroyed');
    expect(() => new RecordMac(createSecretKey(randomBytes(65)))).toThrow('longer than a block');
  });
});
