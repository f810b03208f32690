/** Numbers of people: published examples are found, and what differs from them in a digit is not. */
import { describe, expect, it } from 'vitest';
import { publishedIds } from './corpus/published-ids.ts';
import { everything, maskerOf } from './support.ts';

const ids = maskerOf({ id: 'ids', detectors: ['national-ids'], strategy: { kind: 'redact' } });
const found = (text: string): readonly string[] => ids.maskText(text).hits.map(({ detector }) => detector);

describe.each(publishedIds)('%s', (name, word, right, wrong) => {
  it(`finds ${word}${right}`, () => {
    expect(found(`${word}${right}.`)).toContain(name);
  });

  it(`leaves ${word}${wrong}`, () => {
    expect(found(`${word}${wrong}.`)).not.toContain(name);
  });

  it('leaves it in a longer number or word', () => {
    expect(found(`${word}7${right.replaceAll(/[ .\-/]/g, '')}7`)).not.toContain(name);
  });
});

describe('numbers beside other scripts', () => {
  it('are numbers', () => {
    expect(everything.maskText('番号：4111111111111111。电话+8613812345678').text).toBe(
      '番号：[masked:payment-card]。电话[masked:phone]',
    );
  });
});
