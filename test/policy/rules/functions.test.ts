import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { domainOf, linkedHostsOf, recipientsOf, within } from '../../../src/policy/rules/addresses.ts';
import { localTime, momentOf } from '../../../src/policy/rules/calendar.ts';
import { resetMeter } from '../../../src/policy/rules/meter.ts';
import { mentions, numberOf, textsOf } from '../../../src/policy/rules/texts.ts';
import { call, rulesOf } from './asking.ts';

test('texts are found at any depth, and keys are none', () => {
  expect(
    textsOf(
      new Map<string, unknown>([
        ['a', ['x', new Map([['k', 'y']])]],
        ['n', 1],
      ]),
    ).toSorted(),
  ).toEqual(['x', 'y']);
  expect(textsOf(null)).toEqual([]);
  expect(textsOf([null, undefined, false, 'z'])).toEqual(['z']);
});

test('a planted word is found wherever it stands, and part of a word is none', () => {
  const deep = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      fc.string(),
      fc.integer(),
      fc.constant(null),
      fc.array(tie('value'), { maxLength: 3 }),
    ),
  })).value;
  fc.assert(
    fc.property(deep, fc.constantFrom('Secret', 'ＳＥＣＲＥＴ', 'se\u00adcret', 'secret.'), (value, word) => {
      resetMeter();
      expect(mentions([value, new Map([['k', [`a ${word} b`]]])], ['secret'])).toBe(true);
    }),
  );
  expect(mentions('secretary', ['secret'])).toBe(false);
  expect(mentions('x', [''])).toBe(false);
});

describe('recipients', () => {
  test.each([
    ['a@x.example', ['a@x.example']],
    ['"Doe, J" <J@X.example>, group', ['j@x.example', 'group']],
    ['a@x.example\nb@y.example', ['a@x.example', 'b@y.example']],
    ['a@good.example <b@evil.example>', ['a@good.example', 'b@evil.example']],
    ['', []],
    ['"all-staff"', ['"all-staff"']],
    ['"all-staff, x@y.example', ['x@y.example']],
    ['b@x.example, "all-staff', ['b@x.example', '"all-staff']],
    ['e@evil.example@x.example', ['e@evil.example', 'evil.example@x.example']],
  ])('%s', (text, found) => {
    expect(recipientsOf(text)).toEqual(found);
  });

  test('a long text without an address takes no time to speak of', () => {
    resetMeter();
    expect(recipientsOf(`${'a'.repeat(200_000)}${'@'.repeat(200)}`).length).toBeGreaterThan(0);
  });
});

test('hosts of links, and domains', () => {
  expect(linkedHostsOf('see https://A.example:8/x and //b.example, http:\\\\u@c.example?')).toEqual([
    'a.example',
    'b.example',
    'c.example',
  ]);
  expect(domainOf('Ann <ann@Mail.Example.com')).toBe('mail.example.com');
  expect(domainOf('https://user@x.example/p@q')).toBe('x.example');
  expect(domainOf('everybody')).toBe('everybody');
  expect(domainOf('a b')).toBe('');
  expect(within('a.example.com', ['Example.com'])).toBe(true);
  expect(within('badexample.com', ['example.com'])).toBe(false);
  expect(within('', [''])).toBe(false);
});

test.each([
  'https://%65vil.example/',
  'https://ev\til.example/x',
  ' https:/\n/evil.example/x\n',
  'h\nttps://evil.example',
  'https://evil.example:000443/',
  'https://u:p@evil.example:99999999/',
])('the host of a link is what the web takes for it, too: %j', (text) => {
  expect(linkedHostsOf(text)).toContain('evil.example');
});

test('a link of several lines is one only where nothing else is there', () => {
  expect(linkedHostsOf('https://a.example\nhttps://b.example')).toEqual(['a.example', 'b.example']);
  expect(linkedHostsOf('https://a.example\nis a page')).toEqual(['a.example']);
  expect(linkedHostsOf('https://a_b.evil.example./')).toContain('a_b.evil.example');
  expect(domainOf('https://%65vil.example/')).toBe('evil.example');
});

test('numbers and dates as callers write them, and nothing that is neither', () => {
  expect([numberOf(3), numberOf('1,234,567.5'), numberOf(' -2 ')]).toEqual([3, 1_234_567.5, -2]);
  for (const text of ['', '1,5', '1e9', '0x10', '١', null, [1]])
    expect(() => numberOf(text)).toThrow('this is no number');
  expect(momentOf('2026-11-21').toISOString()).toBe('2026-11-21T23:59:59.000Z');
  expect(momentOf('2026-11-21 10:00').toISOString()).toBe('2026-11-21T10:00:00.000Z');
  expect(momentOf(1_800_000_000_000).getTime()).toBe(momentOf(1_800_000_000).getTime());
  for (const text of ['tomorrow', '2026-13-01', '21/11/2026', null, {}])
    expect(() => momentOf(text)).toThrow('this is no date');
});

test('local time follows the zone through the change of clocks', () => {
  const at = (text: string) => localTime(new Date(text), 'Europe/Berlin');
  expect(at('2026-03-29T00:59:00Z')).toMatchObject({ clock: '01:59', weekday: 'sun' });
  expect(at('2026-03-29T01:00:00Z')).toMatchObject({ clock: '03:00', hour: 3, date: '2026-03-29' });
  expect(at('2026-12-31T23:30:00Z')).toMatchObject({ clock: '00:30', weekday: 'fri', date: '2027-01-01' });
});

test('patterns take linear time, and are those of RE2', () => {
  const rules = rulesOf(`rules: [{ id: one, when: 'args.s.matches("(?i)^(a+)+$")', do: deny }]`);
  expect(rules.decide(call('t', { args: { s: 'AAAA' } })).outcome).toBe('deny');
  expect(rules.decide(call('t', { args: { s: `${'a'.repeat(1_000_000)}b` } }))).toMatchObject({
    outcome: 'allow',
  });
});
