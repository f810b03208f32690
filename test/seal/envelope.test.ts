import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isAppError, Secret, systemRandom } from '../../src/kernel/index.ts';
import { associatedData } from '../../src/seal/context.ts';
import { keyIdOf, open, type SealContext, type SealingKey, seal, type Suite } from '../../src/seal/index.ts';

const CONTEXT: SealContext = {
  workspace: 'ws_a',
  table: 'credentials',
  row: 'crd_1',
  version: 3,
  purpose: 'value',
};
const key = (id: string, fill: number): SealingKey => ({
  id,
  secret: Secret.fromBytes(Buffer.alloc(32, fill)),
});
const KEY = key('tk-1', 0x42);
const RING = new Map([[KEY.id, KEY]]);
const FIXED = { bytes: (length: number) => Buffer.alloc(length, 0xa5) };

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (isAppError(error)) return error.code;
    throw error;
  }
  return 'opened';
}

describe.each<{ suite: Suite; nonceBytes: number; pinned: string }>([
  {
    suite: 1,
    nonceBytes: 24,
    pinned:
      '010104746b2d31a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a8327d5d2503441882905269a4f2fbec59e1e570e24418b9180734379245',
  },
  {
    suite: 2,
    nonceBytes: 12,
    pinned:
      '010204746b2d31a5a5a5a5a5a5a5a5a5a5a5a5a4d6e5aaedb2bac0b1b88f5acd5c6d5c157b3970e0dbcf5d74c8c10a3ce7',
  },
])('an envelope of suite $suite', ({ suite, nonceBytes, pinned }) => {
  const plaintext = Buffer.from('ghp_0123456789');
  const envelope = seal(plaintext, KEY, CONTEXT, { suite, random: FIXED });

  it('has the documented layout, to the byte', () => {
    expect(envelope.toString('hex')).toBe(pinned);
    expect(envelope.length).toBe(3 + 4 + nonceBytes + plaintext.length + 16);
    expect(envelope.subarray(0, 7).toString('latin1')).toBe(`\x01${String.fromCharCode(suite)}\x04tk-1`);
    expect(envelope.subarray(7, 7 + nonceBytes).every((byte) => byte === 0xa5)).toBe(true);
    expect(keyIdOf(envelope)).toBe('tk-1');
  });

  it('opens in its place', () => {
    expect(open(envelope, RING, CONTEXT).reveal()).toBe('ghp_0123456789');
  });

  it('does not open with any one bit changed, and says why by the code of the field', () => {
    for (let at = 0; at < envelope.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const changed = Buffer.from(envelope);
        const byte = (changed[at] ?? 0) ^ (1 << bit);
        changed[at] = byte;
        const code = codeOf(() => open(changed, RING, CONTEXT));
        const inKeyId = /[a-z0-9-]/.test(String.fromCharCode(byte))
          ? 'seal_key_unknown'
          : 'seal_envelope_malformed';
        const expected =
          at === 0
            ? 'seal_envelope_malformed'
            : at === 1
              ? 'seal_suite_unknown'
              : at === 2
                ? 'seal_envelope_malformed'
                : at < 7
                  ? inKeyId
                  : 'seal_tampered';
        expect(`${at}.${bit} ${code}`).toBe(`${at}.${bit} ${expected}`);
      }
    }
  });

  it('does not open cut short anywhere, or with anything behind it', () => {
    for (let length = 0; length < envelope.length; length++) {
      const tooShort = length < 3 + 4 + nonceBytes + 16;
      expect(codeOf(() => open(envelope.subarray(0, length), RING, CONTEXT))).toBe(
        tooShort ? 'seal_envelope_malformed' : 'seal_tampered',
      );
    }
    expect(codeOf(() => open(Buffer.concat([envelope, Buffer.alloc(1)]), RING, CONTEXT))).toBe(
      'seal_tampered',
    );
  });

  it.each<[string, Partial<SealContext>]>([
    ['workspace', { workspace: 'ws_b' }],
    ['table', { table: 'tokens' }],
    ['row', { row: 'crd_2' }],
    ['version', { version: 2 }],
    ['purpose', { purpose: 'data-key:value' }],
  ])('does not open in another %s', (_what, change) => {
    expect(codeOf(() => open(envelope, RING, { ...CONTEXT, ...change }))).toBe('seal_tampered');
  });

  it('tells an unknown key from a wrong one', () => {
    expect(codeOf(() => open(envelope, new Map(), CONTEXT))).toBe('seal_key_unknown');
    expect(codeOf(() => open(envelope, new Map([['tk-1', key('tk-1', 0x43)]]), CONTEXT))).toBe(
      'seal_tampered',
    );
  });

  it('gives back whatever was sealed, under a nonce of its own each time', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), fc.string(), fc.nat(), (bytes, row, version) => {
        fc.pre(row.isWellFormed());
        const context = { ...CONTEXT, row, version };
        const first = seal(bytes, KEY, context, { suite, random: systemRandom });
        const second = seal(bytes, KEY, context, { suite });
        expect(first.equals(second)).toBe(false);
        expect(open(first, RING, context).bytes()).toEqual(Buffer.from(bytes));
        expect(open(second, RING, context).bytes()).toEqual(Buffer.from(bytes));
      }),
    );
  });

  it('does not open when any bit of a random one is changed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(), fc.nat(7), (bytes, where, bit) => {
        const sealed = seal(bytes, KEY, CONTEXT, { suite });
        const at = where % sealed.length;
        sealed[at] = (sealed[at] ?? 0) ^ (1 << bit);
        expect(codeOf(() => open(sealed, RING, CONTEXT))).toMatch(
          /^seal_(envelope_malformed|suite_unknown|key_unknown|tampered)$/,
        );
      }),
    );
  });
});

describe('hostile envelopes', () => {
  it('never makes open do anything but refuse', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.constantFrom(1, 2),
        fc.boolean(),
        (bytes, suite, shaped) => {
          if (shaped) bytes.set([1, suite, 4].slice(0, bytes.length));
          expect(codeOf(() => open(bytes, RING, CONTEXT))).toMatch(/^seal_/);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('has its limits', () => {
    const mebibyte = 1024 * 1024;
    expect(codeOf(() => seal(Buffer.alloc(mebibyte + 1), KEY, CONTEXT))).toBe('seal_plaintext_too_long');
    const largest = seal(Buffer.alloc(mebibyte), KEY, CONTEXT, { suite: 2 });
    expect(open(largest, RING, CONTEXT).length).toBe(mebibyte);
    expect(codeOf(() => keyIdOf(Buffer.concat([largest, Buffer.alloc(1)])))).toBe('seal_envelope_malformed');
  });
});

describe('associated data', () => {
  const header = Buffer.from('header');

  it('is pinned', () => {
    expect(associatedData(header, CONTEXT).toString('latin1')).toBe(
      'sallyport/seal/1\0' +
        '\0\0\0\x06header' +
        '\0\0\0\x04ws_a' +
        '\0\0\0\x0bcredentials' +
        '\0\0\0\x05crd_1' +
        '\0\0\0\x05value' +
        '\0\0\0\0\0\0\0\x03',
    );
  });

  it('differs for any two contexts, wherever the boundary between two parts lies', () => {
    const part = fc.string({ maxLength: 4, unit: fc.constantFrom('a', '\0', '\x01', 'é', '😀') });
    const context = fc.record({ workspace: part, table: part, row: part, purpose: part, version: fc.nat(2) });
    fc.assert(
      fc.property(context, context, (a, b) => {
        const same = JSON.stringify(a) === JSON.stringify(b);
        expect(associatedData(header, a).equals(associatedData(header, b))).toBe(same);
      }),
      { numRuns: 1000 },
    );
  });

  it.each([
    ['a lone surrogate', { row: '\ud800' }],
    ['a negative version', { version: -1 }],
    ['a fractional version', { version: 1.5 }],
    ['a version that is not exact', { version: 2 ** 53 }],
  ])('refuses %s', (_what, change) => {
    expect(codeOf(() => associatedData(header, { ...CONTEXT, ...change }))).toBe('seal_context_invalid');
  });
});
