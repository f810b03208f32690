import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AddressTable } from '../../src/egress/address-table.ts';
import { FloodGate } from '../../src/egress/flood-gate.ts';
import { readableCodings } from '../../src/egress/forwarded-fields.ts';
import { formatBasic, parseBasic } from '../../src/egress/inject/injection.ts';
import { PlaceholderIndex } from '../../src/egress/inject/placeholder-index.ts';
import { type CellId, fixedClock, limits, systemRandom } from '../../src/kernel/index.ts';
import { canonicalAddress, inNetworks } from '../../src/wire/index.ts';

describe('synthetic addresses', () => {
  it('are of the ranges set aside for that, one per name, and known back to it', () => {
    const table = new AddressTable(systemRandom);
    const seen = new Set<string>();
    for (let index = 0; index < 300; index += 1) {
      const addresses = table.syntheticFor(`n${index}.test`);
      if (addresses === null) throw new Error('no address');
      const { ipv4, ipv6 } = addresses;
      expect([inNetworks(ipv4, ['198.18.0.0/15']), inNetworks(ipv6, ['fd00::/8'])]).toEqual([true, true]);
      expect(canonicalAddress(ipv6)).toBe(ipv6); // as a socket reports it
      expect([...(table.namesAt(ipv4) ?? [])]).toEqual([`n${index}.test`]);
      expect([...(table.namesAt(`::ffff:${ipv4}`) ?? [])]).toEqual([`n${index}.test`]);
      expect([...(table.namesAt(ipv6) ?? [])]).toEqual([`n${index}.test`]);
      seen.add(ipv4).add(ipv6);
    }
    expect(seen.size).toBe(600);
    expect(table.syntheticFor('n0.test')?.ipv4).toBe('198.18.0.1');
    expect(table.namesAt('198.18.200.1')).toBe(undefined);
  });

  it('end when a cell has asked for too many names', () => {
    const table = new AddressTable(systemRandom);
    for (let index = 0; index < limits.cellNamesMax; index += 1)
      expect(table.syntheticFor(`n${index}.test`)).not.toBe(null);
    expect(table.syntheticFor('one-more.test')).toBe(null);
    expect(table.syntheticFor('n0.test')).not.toBe(null);
  });

  it('end where true addresses are answered too, however few addresses there are', () => {
    const table = new AddressTable(systemRandom);
    for (let index = 0; index < limits.cellNamesMax; index += 1)
      expect(table.answered(`n${index}.test`, ['93.184.216.34'])).toBe(true);
    expect(table.answered('one-more.test', ['93.184.216.34'])).toBe(false);
    expect(table.answered('n0.test', ['93.184.216.34'])).toBe(true); // nothing new about it
    expect(table.namesAt('93.184.216.34')?.size).toBe(limits.cellNamesMax);
  });

  it('of two cells differ in IPv6, so that one cell cannot guess the other', () => {
    expect(new AddressTable(systemRandom).syntheticFor('a.test')?.ipv6).not.toBe(
      new AddressTable(systemRandom).syntheticFor('a.test')?.ipv6,
    );
  });
});

describe('the flood gate', () => {
  it('passes the first of a kind, counts the rest, and tells how many there were', () => {
    const clock = fixedClock(0);
    const gate = new FloodGate<number>(clock, { eachMax: 1, firstsMax: 0 });
    const pass = (key: string): number | null => gate.pass('', key, 0);
    expect([pass('a'), pass('a'), pass('a'), pass('b')]).toEqual([0, null, null, 0]);
    clock.advance(limits.cellRefusalIntervalMs);
    expect(pass('a')).toBe(2);
  });

  it('passes only so many of different kinds per interval', () => {
    const clock = fixedClock(0);
    const gate = new FloodGate<number>(clock, { eachMax: 1, firstsMax: 0 });
    const passed = Array.from({ length: 1_000 }, (_, index) => gate.pass('', `k${index}`, index)).filter(
      (count) => count !== null,
    );
    expect(passed).toHaveLength(limits.cellRefusalEventsMax);
    clock.advance(limits.cellRefusalIntervalMs);
    expect(gate.pass('', 'later', 0)).toBe(1_000 - limits.cellRefusalEventsMax);
  });

  it('never loses the first of a kind to a flood of others', () => {
    const gate = new FloodGate<number>(fixedClock(0), { eachMax: 1, firstsMax: 4 });
    for (let index = 0; index < 1_000; index += 1) gate.pass('flood', `k${index}`, index);
    expect(gate.pass('flood', 'one more', 0)).toBe(null);
    expect(gate.pass('incident', 'k', 0)).not.toBe(null);
  });

  it.each([
    ['few kinds', 3],
    ['more kinds than are told apart', limits.cellRefusalKeysMax + 100],
  ])('tells how many there were in the end, of %s', (_name, kinds) => {
    const clock = fixedClock(0);
    const gate = new FloodGate<number>(clock, { eachMax: 2, firstsMax: 5 });
    let told = 0;
    let recorded = 0;
    const record = (suppressed: number | null): void => {
      if (suppressed === null) return;
      recorded += 1;
      told += 1 + suppressed;
    };
    for (let round = 0; round < 20; round += 1) {
      for (let kind = 0; kind < kinds; kind += 1) record(gate.pass('sort', String(kind), round));
      clock.advance(limits.cellRefusalIntervalMs / 4);
      for (const { suppressed } of gate.overdue()) record(suppressed);
    }
    expect(recorded).toBeLessThanOrEqual(5 + 6 * limits.cellRefusalEventsMax);
    for (const { suppressed } of gate.rest()) record(suppressed);
    expect(told).toBe(20 * kinds);
    expect(recorded).toBeLessThanOrEqual(6 + 7 * limits.cellRefusalEventsMax);
  });

  it('tells what was counted when the interval is over, without waiting for another', () => {
    const clock = fixedClock(0);
    const gate = new FloodGate<string>(clock, { eachMax: 1, firstsMax: 9 });
    for (const event of ['first', 'second', 'third', 'last']) gate.pass('sort', 'key', event);
    expect(gate.overdue()).toEqual([]);
    clock.advance(limits.cellRefusalIntervalMs);
    expect(gate.overdue()).toEqual([{ event: 'last', suppressed: 2 }]);
    expect([gate.overdue(), gate.rest()]).toEqual([[], []]);
  });
});

describe('the index of placeholders', () => {
  const cell = (name: string): CellId => name as CellId;
  const alphabet = fc.stringMatching(/^[A-Za-z0-9_-]{12,40}$/);

  it('finds what indexOf finds, in text and in bytes', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(alphabet, { minLength: 1, maxLength: 8 }),
        alphabet,
        alphabet,
        fc.nat(7),
        (all, before, after, pick) => {
          const index = new PlaceholderIndex();
          for (const [at, placeholder] of all.entries())
            index.add({ cell: cell('a'), credential: String(at), placeholder });
          const chosen = all[pick % all.length] ?? '';
          for (const text of [`${before}${chosen}${after}`, `${before}${chosen.slice(1)}`, before, '']) {
            const expected = all.some((placeholder) => text.includes(placeholder));
            expect(index.find(text) !== null).toBe(expected);
            expect(index.findInBytes(Buffer.from(text)) !== null).toBe(expected);
            const hit = index.find(text);
            if (hit !== null) expect(text.startsWith(hit.entry.placeholder, hit.start)).toBe(true);
          }
        },
      ),
      { numRuns: 500, seed: 7 },
    );
  });

  it('forgets a cell, and only that one', () => {
    const index = new PlaceholderIndex();
    index.add({ cell: cell('a'), credential: 'x', placeholder: 'placeholder-one-abcd' });
    index.add({ cell: cell('b'), credential: 'y', placeholder: 'placeholder-two-abcd' });
    index.removeCell(cell('a'));
    expect(index.find('placeholder-one-abcd')).toBe(null);
    expect(index.find('xx placeholder-two-abcd yy')).toMatchObject({ entry: { cell: 'b' }, start: 3 });
  });

  it('refuses one that is too short to be told from other text', () => {
    expect(() =>
      new PlaceholderIndex().add({ cell: cell('a'), credential: 'x', placeholder: 'abc' }),
    ).toThrow('too short');
  });
});

describe('fields', () => {
  it('Accept-Encoding keeps what can be read', () => {
    expect(readableCodings('gzip, br;q=0.5, compress, *')).toBe('gzip, br;q=0.5');
    expect(readableCodings('*')).toBe('identity');
    expect(readableCodings('')).toBe('identity');
    expect(readableCodings('GZIP , zstd')).toBe('GZIP, zstd');
  });

  it('Basic is taken apart and put together', () => {
    expect(parseBasic('Basic dXNlcjpwYTpzcw==')).toEqual({ user: 'user', password: 'pa:ss' });
    expect(parseBasic('basic  dXNlcjo')).toEqual({ user: 'user', password: '' });
    expect(formatBasic({ user: 'user', password: 'pa:ss' })).toBe('Basic dXNlcjpwYTpzcw==');
    for (const value of ['Bearer dXNlcjpwYQ==', 'Basic', 'Basic !!', 'Basic dXNlcg=='])
      expect(parseBasic(value)).toBe(null);
  });
});
