import { describe, expect, it } from 'vitest';
import { measure } from './corpus/measure.ts';

const measured = measure();
const texts = (list: readonly { text: string }[]): string => list.map(({ text }) => text).join('\n');

describe('the detectors on the corpus', () => {
  it('are tried on enough of both', () => {
    expect(measured.positives).toBeGreaterThanOrEqual(800);
    expect(measured.negatives).toBeGreaterThanOrEqual(800);
  });

  it('find what is to be masked', () => {
    expect(measured.recall, texts(measured.missed)).toBeGreaterThanOrEqual(0.995);
    expect(measured.named, texts(measured.missed)).toBeGreaterThanOrEqual(0.99);
  });

  it('leave what is not', () => {
    expect(measured.precision, texts(measured.mistaken)).toBeGreaterThanOrEqual(0.995);
  });
});
