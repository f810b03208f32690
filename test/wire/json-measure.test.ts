import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isWithinMeasure } from '../../src/wire/index.ts';

const NONE = { depthMax: 1_000, valuesMax: 1_000 };
const depthOf = (value: unknown): number =>
  typeof value === 'object' && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0;
const valuesOf = (value: unknown): number =>
  typeof value === 'object' && value !== null
    ? Object.values(value).reduce((sum: number, inner) => sum + valuesOf(inner), 1)
    : 1;

describe('the measure of a JSON text', () => {
  it.each([
    ['{"a":[[1]]}', 3],
    ['[{},[],{"a":[]}]', 3],
    ['"[[[["', 0],
    ['["\\"[[[[", "\\\\", [1]]', 2],
    ['{"[[[[":1}', 1],
    ['1', 0],
  ])('%s is so deep', (text, depth) => {
    expect(isWithinMeasure(text, { ...NONE, depthMax: depth })).toBe(true);
    expect(isWithinMeasure(text, { ...NONE, depthMax: depth - 1 })).toBe(false);
  });

  it.each([
    ['[1,2,3]', 4],
    ['{"a":1,"b,c":"1,2,3"}', 3],
    ['[[],[]]', 5],
    ['"a,b"', 1],
  ])('%s is so much', (text, values) => {
    expect(isWithinMeasure(text, { ...NONE, valuesMax: values })).toBe(true);
    expect(isWithinMeasure(text, { ...NONE, valuesMax: values - 1 })).toBe(false);
  });

  it('is that of the value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 8 }), (value) => {
        const text = JSON.stringify(value);
        // As it was written: `-0` and the like are parsed again.
        const [depth, values] = [depthOf(JSON.parse(text)), valuesOf(JSON.parse(text))];
        expect(isWithinMeasure(text, { depthMax: depth, valuesMax: 2 * values })).toBe(true);
        expect(isWithinMeasure(text, { depthMax: depth - 1, valuesMax: 2 * values })).toBe(false);
        expect(isWithinMeasure(text, { depthMax: depth, valuesMax: Math.ceil(values / 2) - 1 })).toBe(false);
      }),
    );
  });

  it('of what is no JSON ends as well', () => {
    for (const text of ['"', '"\\', '"\\"', '[[[', ']]]', '', ',,,'])
      expect(isWithinMeasure(text, NONE)).toBe(true);
  });
});
