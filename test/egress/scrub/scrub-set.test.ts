import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { createScrubSet, type MaskedSecret, scrubText } from '../../../src/egress/scrub/index.ts';
import { Secret } from '../../../src/kernel/index.ts';
import { renditions } from './renditions.ts';

const entry = (value: string, mask = 'MASK-placeholder', name = 'KEY'): MaskedSecret => ({
  name,
  mask,
  value: Secret.fromString(value),
});
const VALUE = 'tok_9aF3kQz7Lm2Xw8';

describe('createScrubSet', () => {
  it('does not look for values that are too short to be told from other text, and says which', () => {
    const set = createScrubSet([
      entry('abc', 'm', 'SHORT'),
      entry('', 'm', 'EMPTY'),
      entry('abcd', 'mask', 'ENOUGH'),
    ]);
    expect(set.unprotected).toEqual(['SHORT', 'EMPTY']);
    expect(scrubText(set, 'abc abcd')).toBe('abc mask');
  });

  it('does not look for the space around a value', () => {
    const set = createScrubSet([entry(`  ${VALUE}\n`)]);
    expect(scrubText(set, `key=${VALUE};`)).toBe('key=MASK-placeholder;');
  });

  it('does not need the values once it is made', () => {
    const secret = entry(VALUE);
    const set = createScrubSet([secret]);
    secret.value.destroy();
    expect(scrubText(set, `-${VALUE}-`)).toBe('-MASK-placeholder-');
  });

  it.each(['', VALUE, `x${VALUE}`, VALUE.slice(2, 9)])(
    'uses another mask than %j, which would show the value',
    (mask) => {
      expect(scrubText(createScrubSet([entry(VALUE, mask)]), `-${VALUE}-`)).toBe('-[masked]-');
    },
  );

  it('shows nothing of itself', () => {
    const set = createScrubSet([entry(VALUE)]);
    expect(inspect(set, { depth: 9, showHidden: true })).toBe('[scrub set]');
    expect(JSON.stringify({ set })).toBe('{"set":"[scrub set]"}');
  });

  it('keeps the mask readable in the encoding that the secret stood in', () => {
    const set = createScrubSet([entry(VALUE, 'tok_<"M&M">')]);
    const at = (text: string): string => scrubText(set, `[${text}]`).slice(1, -1);
    const json = Array.from(VALUE)
      .map((c) => `\\u00${c.charCodeAt(0).toString(16)}`)
      .join('');
    const html = Array.from(VALUE)
      .map((c) => `&#${c.charCodeAt(0)};`)
      .join('');
    const percent = Array.from(VALUE)
      .map((c) => `%${c.charCodeAt(0).toString(16)}`)
      .join('');
    expect(at(VALUE)).toBe('tok_<"M&M">');
    expect(JSON.parse(`"${at(json)}"`)).toBe('tok_<"M&M">');
    expect(at(html)).toBe('tok_&lt;&quot;M&amp;M&quot;&gt;');
    expect(decodeURIComponent(at(percent))).toBe('tok_<"M&M">');
    expect(Buffer.from(at(Buffer.from(VALUE).toString('hex')), 'hex').toString()).toBe('tok_<"M&M">');
  });

  it('keeps base64 as long as it was, so that what stands around the secret still decodes', () => {
    const set = createScrubSet([entry(VALUE, 'tok_PLACEHOLDER_tok')]);
    for (const prefix of ['', 'u:', 'me:', 'you:']) {
      const coded = Buffer.from(`${prefix}${VALUE};tail`).toString('base64');
      const scrubbed = scrubText(set, coded);
      expect(scrubbed).toHaveLength(coded.length);
      const plain = Buffer.from(scrubbed, 'base64').toString('latin1');
      expect(plain.startsWith(prefix)).toBe(true);
      expect(plain.endsWith(';tail')).toBe(true);
      expect(plain).toContain('PLACEHOLDER');
    }
  });
});

describe('scrubText', () => {
  const set = createScrubSet([entry(VALUE), entry('p\u00e4ssw\u00f6rd-1', 'MASK', 'UMLAUT')]);

  it('gives back a header value without a secret as it was', () => {
    const value = 'text/html; charset=utf-8, caf\u00e9';
    expect(scrubText(set, value)).toBe(value);
  });

  it('masks in a header value, and reports', () => {
    const hits: unknown[] = [];
    const masked = scrubText(set, `session=${encodeURIComponent(VALUE)}; Path=/`, (hit) => hits.push(hit));
    expect(masked).toBe('session=MASK-placeholder; Path=/');
    expect(hits).toEqual([{ name: 'KEY', encoding: 'raw' }]);
  });

  it('sees a value beyond ASCII as characters and as the bytes of a header', () => {
    expect(scrubText(set, 'x p\u00e4ssw\u00f6rd-1 y')).toBe('x MASK y');
    expect(scrubText(set, 'x p\u00e4ssw\u00f6rd-1 \u2026')).toBe('x MASK \u2026');
    expect(scrubText(set, Buffer.from('x p\u00e4ssw\u00f6rd-1 y').toString('latin1'))).toBe('x MASK y');
  });

  it.each(renditions(VALUE))('finds the value as $label wherever it stands', ({ bytes, encoding }) => {
    const value = bytes.toString('latin1');
    for (let distance = 0; distance < 70; distance += 1) {
      const hits: unknown[] = [];
      const masked = scrubText(set, `${' '.repeat(distance)}${value}`, (hit) => hits.push(hit));
      expect(hits, `at ${distance}`).toEqual([{ name: 'KEY', encoding }]);
      expect(masked.startsWith(' '.repeat(distance))).toBe(true);
      expect(masked).not.toContain(value);
    }
  });
});
