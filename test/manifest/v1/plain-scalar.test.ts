import { describe, expect, it } from 'vitest';
import { plainText, resolvePlain } from '../../../src/manifest/v1/plain-scalar.ts';

const text = (source: string) => plainText(resolvePlain(source));

/** What the registry's tool put into a text field for each of these, unquoted. */
describe('an unquoted scalar in a text field of version 1', () => {
  it.each([
    ['0x1F', '31'],
    ['0o17', '15'],
    ['0777', '511'],
    ['08', '8'],
    ['0b101', '5'],
    ['-0b11', '-3'],
    ['1_000', '1000'],
    ['1__0', '10'],
    ['0_7', '7'],
    ['+5', '5'],
    ['-0', '0'],
    ['00', '0'],
    ['0x1_F', '31'],
    ['9223372036854775808', '9223372036854775808'],
    ['18446744073709551615', '18446744073709551615'],
    ['18446744073709551616', '1.8446744e+19'],
    ['-9223372036854775809', '-9.223372e+18'],
    ['1.0', '1'],
    ['1.10', '1.1'],
    ['.5', '0.5'],
    ['5.', '5'],
    ['1e3', '1000'],
    ['1e6', '1e+06'],
    ['100000.5', '100000.5'],
    ['1234567.5', '1.2345675e+06'],
    ['999999.9', '999999.9'],
    ['1e-5', '1e-05'],
    ['0.0001', '0.0001'],
    ['-0.0', '-0'],
    ['16777217.0', '1.6777216e+07'],
    ['0.3', '0.3'],
    ['.inf', '+Inf'],
    ['-.INF', '-Inf'],
    ['.nan', 'NaN'],
    ['1.5e300', '+Inf'],
    ['true', 'true'],
    ['False', 'false'],
  ])('%s becomes %s', (source, expected) => {
    expect(text(source)).toBe(expected);
  });

  it.each([
    'n',
    'N',
    'y',
    'on',
    'On',
    'OFF',
    'yes',
    'No',
    '1.2.3',
    '2024-01-01',
    '12:30:45',
    '...x',
    '_7',
    '0x',
    '0b2',
    '1e',
    '+',
    '-',
    '.',
    '<<',
    'tRUE',
    '0o8',
    '._5',
  ])('%s stays text', (source) => {
    expect(text(source)).toBe(source);
  });

  it.each(['', '~', 'null', 'Null', 'NULL'])('%j is nothing', (source) => {
    expect(text(source)).toBeUndefined();
  });
});
